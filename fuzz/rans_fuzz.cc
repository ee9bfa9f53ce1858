#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "entropy/rans.h"
#include "fuzz/byte_reader.h"
#include "fuzz/fuzz.h"
#include "fuzz/rans_tables.h"
#include "kernels/cpu_target.h"

namespace lichen {
namespace {

struct Outcome {
  std::string error;  // empty: it decoded
  std::vector<int16_t> symbols;
  bool operator==(const Outcome&) const = default;
};

// `row` symbols per call.
Outcome Decode(const PreparedTables& tables, std::span<const uint8_t> segment,
               const TableIndices& indices, size_t count, size_t row) {
  Outcome outcome;
  auto decode = [&]() -> Result<void> {
    LICHEN_TRY(RansDecoder decoder, RansDecoder::Create(tables, segment));
    std::vector<int16_t> symbols(count);
    for (size_t at = 0; at < count; at += row) {
      const size_t n = std::min(row, count - at);
      const TableIndices part = indices.is_explicit()
                                    ? TableIndices::Explicit(indices.numbers().subspan(at, n))
                                    : TableIndices::PerChannel();
      LICHEN_TRY_VOID(decoder.DecodeRow(part, std::span(symbols).subspan(at, n)));
    }
    LICHEN_TRY_VOID(decoder.Finish());
    outcome.symbols = std::move(symbols);
    return {};
  };
  if (const auto result = decode(); !result) outcome.error = result.error().message;
  LICHEN_CHECK(outcome.error.empty() || outcome.symbols.empty());
  return outcome;
}

}  // namespace

TableSet FuzzRansTables(uint8_t choice) {
  SmallRandom random(choice);
  TableSet set{.prob_bits = kMinProbBits + choice % 5};
  const bool has_escapes = choice & 0x40;
  const int64_t count = random.Int(1, 40);
  for (int64_t t = 0; t < count; ++t) {
    const int64_t symbols = random.Int(1, choice & 0x80 ? 300 : 6);
    std::vector<uint32_t> f(static_cast<size_t>(symbols), 1);
    int64_t left = (int64_t{1} << set.prob_bits) - symbols;
    while (left > 0) {
      const int64_t part = random.Int(1, left);
      f[static_cast<size_t>(random.Int(0, symbols - 1))] += static_cast<uint32_t>(part);
      left -= part;
    }
    set.tables.push_back({.min_symbol = static_cast<int32_t>(random.Int(-200, 100)),
                          .frequencies = std::move(f),
                          .has_escape = has_escapes && random.Int(0, 1) == 1});
  }
  return set;
}

void FuzzRans(std::span<const uint8_t> bytes) {
  ByteReader reader(bytes);
  const TableSet set = FuzzRansTables(reader.Byte());
  const auto tables = PreparedTables::Create(set);
  LICHEN_CHECK(tables.has_value());
  const size_t count = static_cast<size_t>(reader.Int(0, 65535));
  const uint8_t choice = reader.Byte();
  const bool is_explicit = choice & 1;
  const size_t row = 1 + size_t{choice} / 2 * 7;
  std::vector<uint8_t> numbers(is_explicit ? count : 0);
  SmallRandom random(count);
  for (uint8_t& number : numbers) {
    number = static_cast<uint8_t>(random.Int(0, static_cast<int64_t>(set.tables.size()) - 1));
  }
  const TableIndices indices =
      is_explicit ? TableIndices::Explicit(numbers) : TableIndices::PerChannel();

  const Outcome whole = Decode(*tables, reader.Rest(), indices, count, std::max<size_t>(count, 1));
  for (const std::string& target : SupportedCpuTargets()) {
    LICHEN_CHECK(SetCpuTarget(target).has_value());
    LICHEN_CHECK(Decode(*tables, reader.Rest(), indices, count, std::max<size_t>(count, 1)) ==
                 whole);
    const Outcome by_rows = Decode(*tables, reader.Rest(), indices, count, row);
    LICHEN_CHECK(by_rows.symbols == whole.symbols && by_rows.error.empty() == whole.error.empty());
  }
  LICHEN_CHECK(SetCpuTarget("").has_value());
  if (!whole.error.empty()) return;
  const auto encoded = EncodeSymbols(*tables, whole.symbols, indices);
  LICHEN_CHECK(encoded.has_value());
  LICHEN_CHECK(Decode(*tables, *encoded, indices, count, row) == whole);
}

}  // namespace lichen
