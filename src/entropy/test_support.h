// Shared by this room's tests: reproducible random tables and symbols, the golden file.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "entropy/rans.h"
#include "entropy/table.h"
#include "entropy/table_fit.h"

namespace lichen::entropy_test {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t Bits() { return engine_(); }
  int32_t Int(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(engine_() % (static_cast<uint64_t>(high - low) + 1));
  }

 private:
  std::mt19937_64 engine_;  // its raw output is the same everywhere
};

// A table of `count` frequencies: from all equal to almost all mass on one symbol.
inline ProbabilityTable RandomTable(Random& random, int prob_bits, int count, bool has_escape) {
  std::vector<uint32_t> f(static_cast<size_t>(count), 1);
  int64_t left = (int64_t{1} << prob_bits) - count;
  const int skew = std::max(0, random.Int(-2, 3));
  while (left > 0) {
    const int64_t part = skew == 3 ? left : std::min<int64_t>(left, random.Int(1, 1 << (skew * 4)));
    f[static_cast<size_t>(random.Int(0, count - 1))] += static_cast<uint32_t>(part);
    left -= part;
  }
  return {.min_symbol = random.Int(-300, 300), .frequencies = f, .has_escape = has_escape};
}

inline TableSet RandomTables(Random& random, int prob_bits, int table_count, int max_count) {
  TableSet set{.prob_bits = prob_bits};
  for (int i = 0; i < table_count; ++i) {
    // Not as arguments: compilers draw those in different orders.
    const bool has_escape = random.Int(0, 1) == 1;
    const int count = random.Int(1, max_count);
    set.tables.push_back(RandomTable(random, prob_bits, count, has_escape));
  }
  return set;
}

// A symbol drawn from the table; an escape is drawn from all of int16.
inline int16_t DrawSymbol(Random& random, const ProbabilityTable& table, int prob_bits) {
  uint32_t slot = static_cast<uint32_t>(random.Bits() >> (64 - prob_bits));
  size_t i = 0;
  while (slot >= table.frequencies[i]) slot -= table.frequencies[i++];
  if (static_cast<int32_t>(i) < table.SymbolCount())
    return static_cast<int16_t>(table.min_symbol + static_cast<int32_t>(i));
  const int32_t extremes[] = {-32768, 32767, random.Int(-32768, 32767), random.Int(-400, 400)};
  return static_cast<int16_t>(extremes[random.Int(0, 3)]);
}

struct Message {
  std::vector<int16_t> symbols;
  std::vector<uint8_t> numbers;  // empty: table per channel
  TableIndices indices() const {
    return numbers.empty() ? TableIndices::PerChannel() : TableIndices::Explicit(numbers);
  }
};

inline Message DrawMessage(Random& random, const TableSet& set, size_t count, bool is_explicit) {
  Message message;
  for (size_t i = 0; i < count; ++i) {
    size_t table = i % set.tables.size();
    if (is_explicit) {
      table = static_cast<size_t>(random.Int(0, static_cast<int32_t>(set.tables.size()) - 1));
      message.numbers.push_back(static_cast<uint8_t>(table));
    }
    message.symbols.push_back(DrawSymbol(random, set.tables[table], set.prob_bits));
  }
  return message;
}

}  // namespace lichen::entropy_test
