#include "entropy/prepared_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace lichen {
namespace {

// Positions in table.frequencies in the order of their slots.
std::vector<int32_t> SlotOrder(const ProbabilityTable& table) {
  const auto& f = table.frequencies;
  const int32_t symbols = table.SymbolCount();
  const int32_t mode =
      static_cast<int32_t>(std::max_element(f.begin(), f.begin() + symbols) - f.begin());
  std::vector<int32_t> order(f.size());
  std::iota(order.begin(), order.end(), 0);
  const auto distance = [&](int32_t i) {
    return i == symbols ? kMaxTableSymbols : std::abs(i - mode);
  };
  std::stable_sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
    const uint32_t fi = f[static_cast<size_t>(i)];
    const uint32_t fj = f[static_cast<size_t>(j)];
    return fi != fj ? fi > fj : distance(i) < distance(j);
  });
  return order;
}

}  // namespace

Result<PreparedTables> PreparedTables::Create(const TableSet& set) {
  LICHEN_TRY_VOID(CheckTables(set));
  size_t entry_count = 0;
  for (const auto& table : set.tables) entry_count += table.frequencies.size();

  PreparedTables prepared;
  prepared.prob_bits_ = set.prob_bits;
  prepared.buckets_ = AlignedArray<uint32_t>(set.tables.size() << kBucketBits);
  prepared.entries_ = AlignedArray<uint32_t>(entry_count);
  prepared.symbols_ = AlignedArray<int32_t>(entry_count);
  prepared.encode_entries_ = AlignedArray<uint32_t>(entry_count);
  prepared.cost_bits_ = AlignedArray<float>(entry_count);
  size_t first_entry = 0;
  for (size_t i = 0; i < set.tables.size(); ++i) {
    prepared.Append(set.tables[i], i, first_entry);
    first_entry += set.tables[i].frequencies.size();
  }
  prepared.cycle_ = AlignedArray<uint32_t>(set.tables.size() + kCycleSlack);
  for (size_t i = 0; i < prepared.cycle_.size(); ++i) {
    prepared.cycle_[i] = static_cast<uint32_t>(i % set.tables.size());
  }
  return prepared;
}

void PreparedTables::Append(const ProbabilityTable& table, size_t index, size_t first_entry) {
  encode_tables_.push_back({.min_symbol = table.min_symbol,
                            .symbol_count = static_cast<uint32_t>(table.SymbolCount()),
                            .first_entry = static_cast<uint32_t>(first_entry),
                            .has_escape = table.has_escape});
  has_escape_ |= table.has_escape;
  const int bucket_shift = prob_bits_ - kBucketBits;
  uint32_t start = 0;
  size_t entry = first_entry;
  uint32_t bucket = 0;
  for (const int32_t position : SlotOrder(table)) {
    const uint32_t f = table.frequencies[static_cast<size_t>(position)];
    const bool is_escape = position == table.SymbolCount();
    entries_[entry] = PackSlots(start, f);
    symbols_[entry] = is_escape ? kEscapeMarker : table.min_symbol + position;
    encode_entries_[first_entry + static_cast<size_t>(position)] = entries_[entry];
    cost_bits_[first_entry + static_cast<size_t>(position)] =
        static_cast<float>(prob_bits_ - std::log2(static_cast<double>(f)));
    start += f;
    for (; bucket < 1u << kBucketBits && bucket << bucket_shift < start; ++bucket) {
      buckets_[(index << kBucketBits) + bucket] = static_cast<uint32_t>(entry);
    }
    ++entry;
  }
}

}  // namespace lichen
