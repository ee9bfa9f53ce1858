#include "entropy/table.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "entropy/prepared_tables.h"
#include "entropy/table_fit.h"
#include "entropy/test_support.h"

namespace lichen {
namespace {

using entropy_test::Random;
using testing::HasSubstr;

TableSet OneTable(ProbabilityTable table, int prob_bits = 12) {
  return {.prob_bits = prob_bits, .tables = {std::move(table)}};
}

TEST(CheckTables, RejectsWhatCannotBeDecoded) {
  EXPECT_TRUE(CheckTables(OneTable({.frequencies = {4000, 96}})).has_value());
  EXPECT_TRUE(CheckTables(OneTable({.frequencies = {4096}})).has_value());
  EXPECT_TRUE(CheckTables(OneTable({.frequencies = {4096}, .has_escape = true})).has_value());
  const auto message = [](const TableSet& set) {
    const auto result = CheckTables(set);
    return result ? std::string("accepted") : result.error().message;
  };
  EXPECT_THAT(message(OneTable({.frequencies = {4000, 95}})),
              HasSubstr("table 0: frequencies sum to 4095"));
  EXPECT_THAT(message(OneTable({.frequencies = {4096, 0}})), HasSubstr("frequency 1 is 0"));
  EXPECT_THAT(message(OneTable({.frequencies = {0xFFFFFFFF, 4097}})), HasSubstr("sum"));
  EXPECT_THAT(message(OneTable({.frequencies = {}})), HasSubstr("0 frequencies"));
  EXPECT_THAT(message(OneTable({.frequencies = std::vector<uint32_t>(4097, 1)}, 16)),
              HasSubstr("4097"));
  EXPECT_THAT(message(OneTable({.min_symbol = -32768, .frequencies = {4096}})),
              HasSubstr("leave the range"));
  EXPECT_THAT(message(OneTable({.min_symbol = 32767, .frequencies = {4000, 96}})),
              HasSubstr("leave the range"));
  EXPECT_THAT(message(OneTable({.min_symbol = INT32_MAX, .frequencies = {4000, 96}})),
              HasSubstr("leave the range"));
  EXPECT_THAT(message(OneTable({.frequencies = {2048}}, 11)), HasSubstr("11 bits"));
  EXPECT_THAT(message(OneTable({.frequencies = {1u << 17}}, 17)), HasSubstr("17 bits"));
  EXPECT_THAT(message(TableSet{}), HasSubstr("0 probability tables"));
}

TEST(PreparedTables, RejectsWhatCheckTablesRejects) {
  EXPECT_FALSE(PreparedTables::Create(OneTable({.frequencies = {4095}})).has_value());
}

TEST(PreparedTables, LaysSlotsOutByFallingFrequency) {
  // Symbols -1 0 1 2, escape; the mode is 1.
  const auto tables = PreparedTables::Create(
      OneTable({.min_symbol = -1, .frequencies = {8, 8, 4064, 8, 8}, .has_escape = true}));
  ASSERT_TRUE(tables.has_value());
  const std::vector<int32_t> symbols(tables->decode_view().symbols,
                                     tables->decode_view().symbols + 5);
  EXPECT_THAT(symbols, testing::ElementsAre(1, 0, 2, -1, kEscapeMarker));
  EXPECT_EQ(tables->decode_view().entries[1], PackSlots(4064, 8));
  EXPECT_EQ(tables->encode_entries()[0], PackSlots(4080, 8));
}

double CodeLength(std::span<const double> weights, std::span<const uint32_t> f) {
  double bits = 0;
  for (size_t i = 0; i < f.size(); ++i) bits -= weights[i] * std::log2(f[i]);
  return bits;
}

TEST(QuantiseWeights, NoMoveOfOneSlotShortensTheCode) {
  const uint64_t seed = 5;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 60; ++round) {
    const int prob_bits = random.Int(12, 16);
    std::vector<double> weights(static_cast<size_t>(random.Int(1, 60)));
    for (double& w : weights) w = std::exp2(random.Int(-8, 8));
    auto f = QuantiseWeights(weights, prob_bits);
    ASSERT_EQ(std::accumulate(f.begin(), f.end(), uint64_t{0}), uint64_t{1} << prob_bits);
    const double bits = CodeLength(weights, f);
    for (size_t i = 0; i < f.size(); ++i) {
      ASSERT_GE(f[i], 1u);
      for (size_t j = 0; j < f.size(); ++j) {
        if (i == j || f[i] == 1) continue;
        --f[i], ++f[j];
        ASSERT_GE(CodeLength(weights, f), bits * (1 - 1e-9) - std::abs(bits) * 2e-9);
        ++f[i], --f[j];
      }
    }
  }
}

TEST(QuantiseWeights, GivesEverySymbolASlotWhenThereAreAsManyAsSlots) {
  std::vector<double> weights(4096, 0);
  weights[7] = 1;
  EXPECT_EQ(QuantiseWeights(weights, 12), std::vector<uint32_t>(4096, 1));
  EXPECT_EQ(QuantiseWeights(std::vector<double>{0}, 12), std::vector<uint32_t>{4096});
}

TEST(FitTable, CodesUnseenNeighboursAndEscapesTheFarTail) {
  SymbolCounts counts;
  counts.Add(0, 50000);
  counts.Add(1, 4000);
  counts.Add(-1, 4000);
  counts.Add(3, 60);   // -2, 2 unseen
  counts.Add(900, 1);  // alone
  const ProbabilityTable table = FitTable(counts, {});
  ASSERT_TRUE(CheckTables(OneTable(table)).has_value());
  EXPECT_TRUE(table.has_escape);
  EXPECT_LE(table.min_symbol, -1);
  EXPECT_GE(table.MaxSymbol(), 3);
  EXPECT_LT(table.MaxSymbol(), 900);
  EXPECT_EQ(table, FitTable(counts, {}));
}

TEST(FitTable, AcceptsNothingExtremesAndManySymbols) {
  EXPECT_TRUE(CheckTables(OneTable(FitTable({}, {}))).has_value());
  SymbolCounts extremes;
  extremes.Add(-32768, 1000000);
  EXPECT_TRUE(CheckTables(OneTable(FitTable(extremes, {}))).has_value());
  extremes.Add(32767, 2000000);
  EXPECT_TRUE(CheckTables(OneTable(FitTable(extremes, {}))).has_value());
  SymbolCounts flat;
  for (int32_t symbol = -3000; symbol <= 3000; ++symbol) flat.Add(symbol, 100);
  for (const int max_symbols : {2, 3, 1024, 4096}) {
    const ProbabilityTable table = FitTable(flat, {.max_symbols = max_symbols});
    EXPECT_TRUE(CheckTables(OneTable(table)).has_value());
    EXPECT_LE(table.frequencies.size(), static_cast<size_t>(max_symbols));
  }
}

TEST(FitTable, CostsAtMostTwoPercentMoreThanTheEmpiricalEntropy) {
  for (const double scale : {0.3, 1.0, 5.0, 20.0}) {
    SCOPED_TRACE(scale);
    SymbolCounts counts;
    for (int32_t symbol = -200; symbol <= 200; ++symbol) {
      counts.Add(symbol, static_cast<uint64_t>(1e6 * std::exp(-std::abs(symbol) / scale)));
    }
    double entropy_bits = 0;
    const double total = static_cast<double>(counts.Total());
    for (const uint64_t n : counts.counts) {
      if (n > 0) entropy_bits -= static_cast<double>(n) * std::log2(static_cast<double>(n) / total);
    }
    const double bits = ExpectedBits(FitTable(counts, {}), 12, counts);
    EXPECT_GE(bits, entropy_bits * 0.9999);
    EXPECT_LE(bits, entropy_bits * 1.02);
  }
}

TEST(GaussianTables, AreStreamLics) {
  const TableSet set = GaussianTables();
  ASSERT_TRUE(CheckTables(set).has_value());
  ASSERT_EQ(set.tables.size(), 128u);
  EXPECT_EQ(set.prob_bits, 16);
  for (const auto& table : set.tables) {
    EXPECT_EQ(table.min_symbol, -127);
    EXPECT_EQ(table.MaxSymbol(), 127);
  }
  EXPECT_EQ(set.tables[0].frequencies[127], 65536u - 254);  // all others at the least probability
  // Index 37 has scale 1: P(0) = 0.38292 of a whole that the least probabilities stretch by 0.4 %.
  EXPECT_NEAR(set.tables[37].frequencies[127], 0.38292 * 65536 / 1.0037, 16);
  EXPECT_NEAR(set.tables[37].frequencies[128], 0.24173 * 65536 / 1.0037, 16);
}

TEST(GaussianTables, WithEscapeKeepOnlyWhatDeservesASlot) {
  const TableSet set = GaussianTables({.min_probability = 0, .prob_bits = 12, .has_escape = true});
  ASSERT_TRUE(CheckTables(set).has_value());
  EXPECT_EQ(set.tables[0].SymbolCount(), 1);
  EXPECT_GT(set.tables[127].SymbolCount(), 200);
}

}  // namespace
}  // namespace lichen
