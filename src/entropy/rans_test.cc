#include "entropy/rans.h"

#include <gmock/gmock.h>

#include "base/test_cpu_targets.h"
#include "entropy/test_support.h"

namespace lichen {
namespace {

using entropy_test::DrawMessage;
using entropy_test::Message;
using entropy_test::Random;
using testing::HasSubstr;

bool IsWide(std::span<const uint8_t> bytes) { return !bytes.empty() && bytes[0] != 0; }

// Decodes in rows of random length.
Result<void> DecodeInRows(const PreparedTables& tables, std::span<const uint8_t> bytes,
                          const Message& message, Random& random, std::span<int16_t> out) {
  LICHEN_TRY(RansDecoder decoder, RansDecoder::Create(tables, bytes));
  for (size_t begin = 0; begin < out.size();) {
    const size_t count = std::min(out.size() - begin, static_cast<size_t>(random.Int(0, 200)));
    const TableIndices indices =
        message.numbers.empty()
            ? TableIndices::PerChannel()
            : TableIndices::Explicit(std::span(message.numbers).subspan(begin, count));
    LICHEN_TRY_VOID(decoder.DecodeRow(indices, out.subspan(begin, count)));
    begin += count;
  }
  return decoder.Finish();
}

struct Sample {
  PreparedTables tables;
  Message message;
  std::vector<uint8_t> bytes;
};

Sample MakeSample(Random& random, const TableSet& set, size_t count, bool is_explicit) {
  Sample sample{
      PreparedTables::Create(set).value(), DrawMessage(random, set, count, is_explicit), {}};
  sample.bytes =
      EncodeSymbols(sample.tables, sample.message.symbols, sample.message.indices()).value();
  return sample;
}

TEST(Rans, ReturnsRandomSymbolsOfRandomTablesOnEveryTarget) {
  const uint64_t seed = 21;
  SCOPED_TRACE(seed);
  Random random(seed);
  const size_t counts[] = {0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 1000, 4095, 9001, 20000, 40001};
  int wide = 0;
  for (const int max_count : {1, 2, 5, 256, 4096}) {
    for (const size_t count : counts) {
      SCOPED_TRACE(testing::Message() << max_count << " frequencies, " << count << " symbols");
      const int prob_bits = random.Int(kMinProbBits, kMaxProbBits);
      const TableSet set = entropy_test::RandomTables(
          random, prob_bits, random.Int(1, max_count > 256 ? 9 : 250), max_count);
      const Sample sample = MakeSample(random, set, count, random.Int(0, 1) == 1);
      wide += IsWide(sample.bytes);
      ForEachCpuTarget([&] {
        ASSERT_EQ(
            EncodeSymbols(sample.tables, sample.message.symbols, sample.message.indices()).value(),
            sample.bytes);
        std::vector<int16_t> out(count);
        const auto result =
            DecodeSymbols(sample.tables, sample.bytes, sample.message.indices(), out);
        ASSERT_TRUE(result.has_value()) << result.error().message;
        ASSERT_EQ(out, sample.message.symbols);
        std::vector<int16_t> rows(count);
        ASSERT_TRUE(
            DecodeInRows(sample.tables, sample.bytes, sample.message, random, rows).has_value());
        ASSERT_EQ(rows, sample.message.symbols);
      });
    }
  }
  EXPECT_GE(wide, 6);  // both kinds of segment occur
}

TEST(Rans, SizeIsTheIdealCodeLengthAndAFewBytes) {
  Random random(22);
  for (const int prob_bits : {12, 14, 16}) {
    for (const size_t count : {size_t{1}, size_t{100}, size_t{3000}, size_t{100000}}) {
      const TableSet set = entropy_test::RandomTables(random, prob_bits, 64, 60);
      const Sample sample = MakeSample(random, set, count, false);
      const double ideal_bytes =
          IdealBits(sample.tables, sample.message.symbols, sample.message.indices()).value() / 8;
      const double actual_bytes = static_cast<double>(sample.bytes.size());
      EXPECT_GE(actual_bytes, ideal_bytes);
      EXPECT_LE(actual_bytes, ideal_bytes * 1.003 + (IsWide(sample.bytes) ? 25 : 8))
          << prob_bits << " bits, " << count;
    }
  }
}

TEST(Rans, EscapesCoverInt16) {
  const TableSet set{
      .prob_bits = 12,
      .tables = {
          {.min_symbol = -1, .frequencies = {100, 3895, 100, 1}, .has_escape = true},
          {.min_symbol = -7, .frequencies = {4096}, .has_escape = true},  // nothing but escapes
          {.min_symbol = 32767, .frequencies = {4000, 96}, .has_escape = true},
          {.min_symbol = -32767, .frequencies = {4000, 96}, .has_escape = true}}};
  const PreparedTables tables = PreparedTables::Create(set).value();
  std::vector<int16_t> symbols;
  for (int32_t symbol = -32768; symbol <= 32767; ++symbol) {
    const int16_t four[] = {static_cast<int16_t>(symbol), static_cast<int16_t>(symbol),
                            static_cast<int16_t>(symbol), -32768};
    symbols.insert(symbols.end(), std::begin(four), std::end(four));
  }
  const auto bytes = EncodeSymbols(tables, symbols, TableIndices::PerChannel()).value();
  ForEachCpuTarget([&] {
    std::vector<int16_t> out(symbols.size());
    const auto result = DecodeSymbols(tables, bytes, TableIndices::PerChannel(), out);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    ASSERT_EQ(out, symbols);
  });
}

TEST(EncodeSymbols, RefusesASymbolThatNoTableEntryCovers) {
  const TableSet set{.prob_bits = 12,
                     .tables = {{.min_symbol = -1, .frequencies = {100, 3896, 100}}}};
  const PreparedTables tables = PreparedTables::Create(set).value();
  const std::vector<int16_t> symbols = {0, 1, -1, 2, 0};
  const auto result = EncodeSymbols(tables, symbols, TableIndices::PerChannel());
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("symbol 3 is 2"));
  EXPECT_FALSE(IdealBits(tables, symbols, TableIndices::PerChannel()).has_value());
}

TEST(Rans, RefusesATableNumberBeyondTheTables) {
  Random random(23);
  const Sample sample = MakeSample(random, entropy_test::RandomTables(random, 12, 3, 5), 100, true);
  std::vector<uint8_t> numbers = sample.message.numbers;
  numbers[77] = 3;
  std::vector<int16_t> out(100);
  EXPECT_FALSE(EncodeSymbols(sample.tables, sample.message.symbols, TableIndices::Explicit(numbers))
                   .has_value());
  const auto result =
      DecodeSymbols(sample.tables, sample.bytes, TableIndices::Explicit(numbers), out);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("table 3, there are 3"));
}

TEST(RansDecoder, EmptySegmentHoldsNoSymbols) {
  const PreparedTables tables = PreparedTables::Create(GaussianTables()).value();
  EXPECT_TRUE(EncodeSymbols(tables, {}, TableIndices::PerChannel()).value().empty());
  EXPECT_TRUE(DecodeSymbols(tables, {}, TableIndices::PerChannel(), {}).has_value());
  std::vector<int16_t> one(1);
  EXPECT_FALSE(DecodeSymbols(tables, {}, TableIndices::PerChannel(), one).has_value());
  const std::vector<uint8_t> byte = {0};
  EXPECT_FALSE(DecodeSymbols(tables, byte, TableIndices::PerChannel(), {}).has_value());
}

// A narrow and a wide segment, with and without escapes.
std::vector<Sample> DamageSamples() {
  std::vector<Sample> samples;
  Random random(24);
  for (const size_t count : {size_t{300}, size_t{8000}}) {
    for (const bool has_escape : {false, true}) {
      TableSet set{.prob_bits = 14};
      for (int i = 0; i < 50; ++i)
        set.tables.push_back(entropy_test::RandomTable(random, 14, 256, has_escape));
      samples.push_back(MakeSample(random, set, count, has_escape));
    }
  }
  EXPECT_FALSE(IsWide(samples[0].bytes));
  EXPECT_TRUE(IsWide(samples[3].bytes));
  return samples;
}

TEST(RansDecoder, RejectsEveryTruncationAndTrailingByte) {
  for (const Sample& sample : DamageSamples()) {
    std::vector<int16_t> out(sample.message.symbols.size());
    for (size_t size = 0; size < sample.bytes.size(); ++size) {
      // An exact copy, so that sanitizers see reads beyond it.
      const std::vector<uint8_t> cut(sample.bytes.begin(),
                                     sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const auto result = DecodeSymbols(sample.tables, cut, sample.message.indices(), out);
      ASSERT_FALSE(result.has_value()) << size;
      ASSERT_THAT(result.error().message, HasSubstr("byte"));
      // Cut in the words, between two of them: they run out during decoding.
      if (size > sample.bytes.size() / 2 && (sample.bytes.size() - size) % 2 == 0) {
        ASSERT_THAT(result.error().message,
                    HasSubstr("ends at byte " + std::to_string(size) + ", among symbols"));
      }
    }
    for (const uint8_t extra : {0x00, 0x01, 0xFF}) {
      std::vector<uint8_t> longer = sample.bytes;
      longer.push_back(extra);
      ASSERT_FALSE(DecodeSymbols(sample.tables, longer, sample.message.indices(), out).has_value());
      longer.push_back(extra);
      ASSERT_FALSE(DecodeSymbols(sample.tables, longer, sample.message.indices(), out).has_value());
    }
  }
}

TEST(RansDecoder, RejectsAWrongSymbolCount) {
  for (const Sample& sample : DamageSamples()) {
    if (!sample.message.numbers.empty()) continue;
    const size_t count = sample.message.symbols.size();
    for (const size_t wrong :
         {size_t{0}, size_t{1}, count / 2, count - 1, count + 1, count + 1000}) {
      std::vector<int16_t> out(wrong);
      const auto result =
          DecodeSymbols(sample.tables, sample.bytes, TableIndices::PerChannel(), out);
      ASSERT_FALSE(result.has_value()) << wrong;
      if (wrong == 1 && IsWide(sample.bytes)) {
        ASSERT_THAT(result.error().message, HasSubstr("holds at least"));
      }
    }
  }
}

TEST(RansDecoder, SurvivesEveryChangedByteAndNoticesMost) {
  Random random(25);
  for (const Sample& sample : DamageSamples()) {
    std::vector<int16_t> out(sample.message.symbols.size());
    size_t unnoticed = 0;
    for (size_t i = 0; i < sample.bytes.size(); ++i) {
      std::vector<uint8_t> bytes = sample.bytes;
      bytes[i] ^= static_cast<uint8_t>(random.Int(1, 255));
      if (!DecodeSymbols(sample.tables, bytes, sample.message.indices(), out).has_value()) continue;
      ++unnoticed;
      ASSERT_NE(out, sample.message.symbols) << i;
    }
    EXPECT_LE(unnoticed, sample.bytes.size() /
                             20);  // a rare symbol can absorb a change in the low bits of its state
  }
}

TEST(RansDecoder, RejectsEveryBadField) {
  const TableSet set{.prob_bits = 12,
                     .tables = {{.frequencies = {3000, 1095, 1}, .has_escape = true}}};
  const PreparedTables tables = PreparedTables::Create(set).value();
  std::vector<int16_t> symbols(40, 0);
  for (size_t i = 0; i < symbols.size(); i += 3) symbols[i] = 1;
  symbols[5] = 2;
  symbols[20] = 1000;
  symbols[30] = -3;
  const auto good = EncodeSymbols(tables, symbols, TableIndices::PerChannel()).value();
  // Fields: wide_groups, escape_bytes, a state of 20 + e bits, escapes.
  const int exponent = good[2] & 15;
  const std::ptrdiff_t escapes = 2 + (20 + exponent + 7) / 8;
  ASSERT_EQ(good[0], 0);
  ASSERT_EQ(good[1], 4);
  ASSERT_EQ(good[static_cast<size_t>(escapes)], 0);  // 2 is the first symbol above the range
  const auto message = [&](const std::vector<uint8_t>& bytes) {
    std::vector<int16_t> out(symbols.size());
    const auto result = DecodeSymbols(tables, bytes, TableIndices::PerChannel(), out);
    return result ? std::string("accepted") : result.error().message;
  };
  EXPECT_EQ(message(good), "accepted");

  auto bad = good;
  bad[0] = 0x80;
  bad.insert(bad.begin() + 1, 0x00);
  EXPECT_THAT(message(bad), HasSubstr("a number is malformed before byte 2"));
  bad = good;
  bad[1] = 100;
  EXPECT_THAT(message(bad), HasSubstr("among 100 bytes of escapes"));
  bad = good;
  bad[1] = 5;
  bad.insert(bad.begin() + escapes + 4, 0x00);
  EXPECT_THAT(message(bad), HasSubstr("unused escape at byte " + std::to_string(escapes + 4)));
  bad = good;
  bad[1] = 5;
  bad[static_cast<size_t>(escapes)] = 0x80;
  bad.insert(bad.begin() + escapes + 1, 0x00);
  EXPECT_THAT(message(bad), HasSubstr("malformed"));
  bad = good;
  bad[1] = 3;
  bad.erase(bad.begin() + escapes + 3);
  EXPECT_THAT(message(bad), HasSubstr("cut off at byte " + std::to_string(escapes + 3)));
  if ((20 + exponent) % 8 != 0) {
    bad = good;
    bad[static_cast<size_t>(escapes) - 1] |= 0x80;
    EXPECT_THAT(message(bad), HasSubstr("bad padding"));
  } else {
    ADD_FAILURE() << "choose symbols that leave padding";
  }
}

TEST(RansDecoder, RejectsAWideSegmentWhoseStatesDoNotMeet) {
  Random random(28);
  TableSet set{.prob_bits = 12};
  set.tables.push_back(
      {.frequencies = {4090, 6}});  // changes hardly spread, so that they reach the end
  const PreparedTables tables = PreparedTables::Create(set).value();
  const Message message = DrawMessage(random, set, 4000000, false);
  const auto good = EncodeSymbols(tables, message.symbols, message.indices()).value();
  ASSERT_TRUE(IsWide(good));
  std::vector<int16_t> out(message.symbols.size());
  bool seen = false;
  for (size_t i = good.size() - 200; i < good.size() && !seen; ++i) {
    auto bytes = good;
    bytes[i] ^= 0x10;
    const auto result = DecodeSymbols(tables, bytes, message.indices(), out);
    seen = !result && result.error().message.find("state 31 ends at") != std::string::npos;
  }
  EXPECT_TRUE(seen);
}

TEST(RansDecoder, SurvivesRandomBytes) {
  const uint64_t seed = 26;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 1000; ++round) {
    const TableSet set =
        entropy_test::RandomTables(random, random.Int(12, 16), random.Int(1, 40), 40);
    const PreparedTables tables = PreparedTables::Create(set).value();
    std::vector<uint8_t> bytes(static_cast<size_t>(random.Int(0, 400)));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Bits());
    if (!bytes.empty() && round % 2) bytes[0] = static_cast<uint8_t>(random.Int(0, 20));
    std::vector<int16_t> out(static_cast<size_t>(random.Int(0, 2000)));
    (void)DecodeSymbols(tables, bytes, TableIndices::PerChannel(), out).has_value();
  }
}

// The format is frozen: this sum changes only with a new version of the bitstream.
TEST(EncodeSymbols, BytesAreFrozen) {
  Random random(27);
  uint64_t sum = 14695981039346656037u;  // FNV-1a
  for (const int prob_bits : {12, 16}) {
    const TableSet set = entropy_test::RandomTables(random, prob_bits, 40, 100);
    for (const size_t count : {500, 20000}) {
      for (const uint8_t byte : MakeSample(random, set, count, count == 500).bytes)
        sum = (sum ^ byte) * 1099511628211u;
    }
  }
  EXPECT_EQ(sum, 15596493040712333297u);
}

}  // namespace
}  // namespace lichen
