#include "entropy/table.h"

namespace lichen {
namespace {

Result<void> CheckTable(const ProbabilityTable& table, int prob_bits, size_t index) {
  const size_t count = table.frequencies.size();
  if (count == 0 || count > static_cast<size_t>(kMaxTableSymbols)) {
    return Fail("probability table {}: {} frequencies, allowed are 1 to {}", index, count,
                kMaxTableSymbols);
  }
  const int32_t symbols = table.SymbolCount();
  if (table.min_symbol < -kMaxTableSymbol || table.min_symbol > kMaxTableSymbol ||
      table.min_symbol + symbols - 1 > kMaxTableSymbol) {
    return Fail("probability table {}: {} symbols from {} leave the range of +-{}", index, symbols,
                table.min_symbol, kMaxTableSymbol);
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    if (table.frequencies[i] == 0) return Fail("probability table {}: frequency {} is 0", index, i);
    sum += table.frequencies[i];
  }
  if (sum != uint64_t{1} << prob_bits) {
    return Fail("probability table {}: frequencies sum to {} instead of {}", index, sum,
                1 << prob_bits);
  }
  return {};
}

}  // namespace

Result<void> CheckTables(const TableSet& set) {
  if (set.prob_bits < kMinProbBits || set.prob_bits > kMaxProbBits) {
    return Fail("probability tables have {} bits, allowed are {} to {}", set.prob_bits,
                kMinProbBits, kMaxProbBits);
  }
  if (set.tables.empty() || set.tables.size() > static_cast<size_t>(kMaxTables)) {
    return Fail("{} probability tables, allowed are 1 to {}", set.tables.size(), kMaxTables);
  }
  for (size_t i = 0; i < set.tables.size(); ++i) {
    LICHEN_TRY_VOID(CheckTable(set.tables[i], set.prob_bits, i));
  }
  return {};
}

}  // namespace lichen
