// Integer probability tables: what a model stores and the entropy coder uses.
//
// Contract: plain data; entropy/table.h checks it. A table gives frequencies[i] of 2^prob_bits to symbol min_symbol + i;
// if has_escape, the last frequency stands for every value outside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lichen {

struct ProbabilityTable {
  int32_t min_symbol = 0;
  std::vector<uint32_t> frequencies;
  bool has_escape = false;

  // Symbols that have a frequency of their own.
  int32_t SymbolCount() const {
    return static_cast<int32_t>(frequencies.size()) - (has_escape ? 1 : 0);
  }
  int32_t MaxSymbol() const { return min_symbol + SymbolCount() - 1; }
  bool operator==(const ProbabilityTable&) const = default;
};

// A named set of tables: `latent` (one per channel, or per index with a context), `hyper_latent`.
struct TableSet {
  std::string name;
  int32_t prob_bits = 16;  // 12 to 16; the frequencies of each table sum to 2^prob_bits
  std::vector<ProbabilityTable> tables;
  bool operator==(const TableSet&) const = default;
};

}  // namespace lichen
