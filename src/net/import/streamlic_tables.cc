#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "net/import/streamlic.h"
#include "net/limits.h"

namespace lichen {
namespace {

constexpr std::string_view kPrefix = "table/";

// A tensor of `count` integers within [min, max].
Result<std::vector<int64_t>> ReadWithin(const Safetensors& file, const std::string& name,
                                        int64_t count, int64_t min, int64_t max) {
  LICHEN_TRY(std::vector<int64_t> values, file.GetIntegers(name, {count}));
  for (const int64_t value : values) {
    if (value < min || value > max) {
      return Fail("{}: tensor {} holds {}, allowed are {} to {}", file.place(), name, value, min,
                  max);
    }
  }
  return values;
}

Result<TableSet> ReadSet(const Safetensors& file, const std::string& name) {
  const std::string prefix = fmt::format("{}{}/", kPrefix, name);
  TableSet set{.name = name};
  LICHEN_TRY(const auto bits, ReadWithin(file, prefix + "prob_bits", 1, 1, 31));
  set.prob_bits = static_cast<int32_t>(bits[0]);
  LICHEN_TRY(const Safetensors::Integers counts, file.GetIntegers(prefix + "count"));
  const auto tables = static_cast<int64_t>(counts.values.size());
  LICHEN_TRY(const auto sizes, ReadWithin(file, prefix + "count", tables, 1, kMaxTableEntries));
  LICHEN_TRY(const auto firsts,
             ReadWithin(file, prefix + "min_symbol", tables, std::numeric_limits<int32_t>::min(),
                        std::numeric_limits<int32_t>::max()));
  LICHEN_TRY(const auto escapes, ReadWithin(file, prefix + "has_escape", tables, 0, 1));
  int64_t total = 0;
  for (const int64_t size : sizes) {
    total += size;
    if (total > kMaxTableEntries) {
      return Fail("{}: tensor {}count states more than {} frequencies", file.place(), prefix,
                  kMaxTableEntries);
    }
  }
  LICHEN_TRY(const auto frequencies,
             ReadWithin(file, prefix + "frequencies", total, 0, int64_t{1} << 31));
  size_t at = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    ProbabilityTable table{.min_symbol = static_cast<int32_t>(firsts[i]),
                           .has_escape = escapes[i] != 0};
    for (int64_t k = 0; k < sizes[i]; ++k) {
      table.frequencies.push_back(static_cast<uint32_t>(frequencies[at++]));
    }
    set.tables.push_back(std::move(table));
  }
  return set;
}

}  // namespace

Result<std::vector<TableSet>> StreamlicTables(const Safetensors& file) {
  std::map<int64_t, std::string> names;  // by position
  for (const auto& [name, entry] : file.entries()) {
    if (!name.starts_with(kPrefix) || !name.ends_with("/position")) continue;
    const std::string set =
        name.substr(kPrefix.size(), name.rfind('/') - std::min(name.rfind('/'), kPrefix.size()));
    LICHEN_TRY(const auto position, ReadWithin(file, name, 1, 0, 255));
    if (!names.emplace(position[0], set).second) {
      return Fail("{}: tensor {}: two table sets have position {}", file.place(), name,
                  position[0]);
    }
  }
  std::vector<TableSet> sets;
  for (const auto& [position, name] : names) {
    LICHEN_TRY(TableSet set, ReadSet(file, name));
    sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace lichen
