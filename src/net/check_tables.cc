#include "net/check_tables.h"

#include <limits>
#include <set>

#include "net/limits.h"

namespace lichen {
namespace {

constexpr size_t kMaxTableSets = 16;
constexpr size_t kMaxTables = 65536;
constexpr size_t kMaxSymbols = 65537;  // of one table, escape included
constexpr int64_t kMaxSymbol = int64_t{1} << 24;
constexpr int kMaxSizeMultiple = 4096;
constexpr size_t kMaxMetadata = 4096;
constexpr size_t kMaxMetadataBytes = size_t{1} << 20;

Result<void> CheckTable(const ProbabilityTable& table, int32_t prob_bits) {
  if (table.frequencies.empty() || table.frequencies.size() > kMaxSymbols) {
    return Fail("it has {} symbols, allowed are 1 to {}", table.frequencies.size(), kMaxSymbols);
  }
  if (table.min_symbol < -kMaxSymbol || table.min_symbol > kMaxSymbol) {
    return Fail("min_symbol {} is out of range", table.min_symbol);
  }
  uint64_t sum = 0;
  for (uint32_t frequency : table.frequencies) sum += frequency;
  if (sum != uint64_t{1} << prob_bits) {
    return Fail("its frequencies sum to {}, not to 2^{}", sum, prob_bits);
  }
  if (table.has_escape && table.frequencies.back() == 0) return Fail("its escape has frequency 0");
  return {};
}

}  // namespace

Result<void> CheckTables(const IntNet& net) {
  if (net.tables.size() > kMaxTableSets) return Fail("the model has too many table sets");
  std::set<std::string_view> names;
  size_t entries = 0;
  for (const TableSet& set : net.tables) {
    if (set.name.empty() || set.name.size() > 255 || !names.insert(set.name).second) {
      return Fail("table set '{}': its name is empty, too long or used twice", set.name);
    }
    if (set.prob_bits < 12 || set.prob_bits > 16) {
      return Fail("table set {}: prob_bits is {}, allowed are 12 to 16", set.name, set.prob_bits);
    }
    if (set.tables.empty() || set.tables.size() > kMaxTables) {
      return Fail("table set {}: {} tables, allowed are 1 to {}", set.name, set.tables.size(),
                  kMaxTables);
    }
    for (size_t i = 0; i < set.tables.size(); ++i) {
      entries += set.tables[i].frequencies.size();
      LICHEN_TRY_VOID(InPlace(fmt::format("table set {}, table {}", set.name, i),
                              CheckTable(set.tables[i], set.prob_bits)));
    }
  }
  if (entries > kMaxTableEntries) return Fail("the probability tables have {} entries", entries);
  return {};
}

Result<void> CheckCoding(const LatentCoding& coding) {
  const ValueRange symbols = coding.symbol_range;
  if (coding.latent_shift < 0 || coding.latent_shift > 16) {
    return Fail("coding: latent_shift {} is not 0 to 16", coding.latent_shift);
  }
  const int64_t limit = (int64_t{1} << 30) >> coding.latent_shift;
  if (symbols.min > symbols.max || symbols.min < -limit || symbols.max > limit ||
      symbols.min < -kMaxSymbol || symbols.max > kMaxSymbol) {
    return Fail("coding: symbol_range [{}, {}] is empty or too wide", symbols.min, symbols.max);
  }
  if (coding.index_max < 0 || coding.index_max >= static_cast<int64_t>(kMaxTables)) {
    return Fail("coding: index_max {} is out of range", coding.index_max);
  }
  return CheckSizeMultiple(coding.size_multiple);
}

Result<void> CheckSizeMultiple(int32_t size_multiple) {
  if (size_multiple < 1 || size_multiple > kMaxSizeMultiple) {
    return Fail("size_multiple {} is not 1 to {}", size_multiple, kMaxSizeMultiple);
  }
  return {};
}

Result<void> CheckMetadata(const std::map<std::string, std::string>& metadata) {
  if (metadata.size() > kMaxMetadata) return Fail("metadata: more than {} keys", kMaxMetadata);
  size_t bytes = 0;
  for (const auto& [key, value] : metadata) bytes += key.size() + value.size();
  if (bytes > kMaxMetadataBytes) {
    return Fail("metadata: {} bytes, allowed are {}", bytes, kMaxMetadataBytes);
  }
  return {};
}

}  // namespace lichen
