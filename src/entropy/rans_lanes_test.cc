#include "entropy/rans_lanes.h"

#include "base/test_cpu_targets.h"
#include "entropy/test_support.h"

namespace lichen {
namespace {

using entropy_test::Random;

LaneStates RandomStates(Random& random) {
  LaneStates states;
  // All magnitudes, as in a running coder.
  for (uint32_t& state : states.state)
    state = static_cast<uint32_t>(random.Bits() | uint64_t{1} << 31) >> random.Int(0, 15);
  return states;
}

TEST(DecodeLanesSimd, EqualsReferenceOnEveryTarget) {
  const uint64_t seed = 11;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 60; ++round) {
    const int prob_bits = random.Int(kMinProbBits, kMaxProbBits);
    const TableSet set =
        entropy_test::RandomTables(random, prob_bits, random.Int(1, 200), round % 2 ? 4 : 300);
    const PreparedTables tables = PreparedTables::Create(set).value();
    const size_t count = kLaneCount * static_cast<size_t>(random.Int(0, 20));
    std::vector<uint16_t> words(count + kWordSlack);
    for (uint16_t& word : words) word = static_cast<uint16_t>(random.Bits());
    std::vector<uint8_t> numbers(count);
    for (uint8_t& number : numbers) {
      number = static_cast<uint8_t>(random.Int(0, static_cast<int32_t>(set.tables.size()) - 1));
    }
    TableNumbers table_numbers{.cycle = tables.cycle(),
                               .cycle_count = static_cast<uint32_t>(set.tables.size())};
    table_numbers.phase =
        static_cast<uint32_t>(random.Int(0, static_cast<int32_t>(set.tables.size()) - 1));
    if (round % 3 == 0) table_numbers.numbers = numbers.data();
    const LaneStates start = RandomStates(random);
    const uint16_t* words_end = words.data() + count;

    LaneStates ref_states = start;
    std::vector<int16_t> ref_out(count);
    const DecodeOutcome ref =
        DecodeLanesRef(tables.decode_view(), table_numbers, count, 0, kLaneCount, words.data(),
                       words_end, ref_states, ref_out.data());
    ForEachCpuTarget([&] {
      LaneStates states = start;
      std::vector<int16_t> out(count);
      const DecodeOutcome simd = DecodeLanesSimd(tables.decode_view(), table_numbers, count,
                                                 words.data(), words_end, states, out.data());
      ASSERT_EQ(simd.words - words.data(), ref.words - words.data());
      ASSERT_EQ(simd.has_marker, ref.has_marker);
      ASSERT_EQ(out, ref_out);
      ASSERT_TRUE(std::equal(std::begin(states.state), std::end(states.state),
                             std::begin(ref_states.state)));
    });
  }
}

TEST(DecodeLanesSimd, StopsWithinAGroupOfTheLastWord) {
  const TableSet set{
      .prob_bits = 16,
      .tables = {{.frequencies = std::vector<uint32_t>(4096, 16)}}};  // 12 bits a symbol
  const PreparedTables tables = PreparedTables::Create(set).value();
  const TableNumbers numbers{.cycle = tables.cycle(), .cycle_count = 1};
  ForEachCpuTarget([&] {
    Random random(14);
    LaneStates states = RandomStates(random);
    std::vector<uint16_t> words(4096 + kWordSlack, 0x1234);
    std::vector<int16_t> out(4096);
    const uint16_t* words_end = words.data() + 40;
    const DecodeOutcome outcome = DecodeLanesSimd(tables.decode_view(), numbers, out.size(),
                                                  words.data(), words_end, states, out.data());
    EXPECT_GT(outcome.words - words_end, 0);
    EXPECT_LE(outcome.words - words_end, static_cast<std::ptrdiff_t>(kLaneCount));
  });
}

TEST(EncodeLanesSimd, EqualsReferenceOnEveryTarget) {
  const uint64_t seed = 12;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    const int prob_bits = random.Int(kMinProbBits, kMaxProbBits);
    const size_t count = kLaneCount * static_cast<size_t>(random.Int(0, 20));
    std::vector<uint32_t> slots(count);
    for (uint32_t& slot : slots) {
      // Frequencies of every magnitude, powers of two, the whole and 1 among them.
      const int32_t whole = 1 << prob_bits;
      int32_t frequency = std::max(1, random.Int(1, whole) >> random.Int(0, prob_bits));
      if (random.Int(0, 7) == 0) frequency = whole >> random.Int(0, prob_bits);
      slot = PackSlots(static_cast<uint32_t>(random.Int(0, whole - frequency)),
                       static_cast<uint32_t>(frequency));
    }
    const LaneStates start = RandomStates(random);
    LaneStates ref_states = start;
    std::vector<uint16_t> ref_words(count + kWordSlack);
    const auto* ref_begin = EncodeLanesRef(slots.data(), count, 0, kLaneCount, prob_bits,
                                           ref_states, ref_words.data() + ref_words.size());
    const std::vector<uint16_t> ref_written(
        ref_begin, static_cast<const uint16_t*>(ref_words.data() + ref_words.size()));
    ForEachCpuTarget([&] {
      LaneStates states = start;
      std::vector<uint16_t> words(count + kWordSlack);
      const auto* begin =
          EncodeLanesSimd(slots.data(), count, prob_bits, states, words.data() + words.size());
      const std::vector<uint16_t> written(
          begin, static_cast<const uint16_t*>(words.data() + words.size()));
      ASSERT_EQ(written, ref_written);
      ASSERT_TRUE(std::equal(std::begin(states.state), std::end(states.state),
                             std::begin(ref_states.state)));
    });
  }
}

// Where the float estimate of the division is most likely to be off: dividends next to multiples of the divisor.
TEST(EncodeLanesSimd, DividesExactlyNextToMultiples) {
  Random random(13);
  for (int round = 0; round < 3000; ++round) {
    const int prob_bits = random.Int(kMinProbBits, kMaxProbBits);
    LaneStates start;
    std::vector<uint32_t> slots(kLaneCount);
    for (size_t lane = 0; lane < kLaneCount; ++lane) {
      const uint32_t frequency = static_cast<uint32_t>(
          std::max(1, random.Int(1, 1 << prob_bits) >> random.Int(0, prob_bits)));
      const uint64_t limit = uint64_t{frequency} << (32 - prob_bits);
      const uint64_t quotient =
          (uint64_t{1} << (32 - prob_bits)) - static_cast<uint64_t>(random.Int(0, 40));
      const uint64_t state = quotient * frequency + static_cast<uint64_t>(random.Int(-1, 1));
      start.state[lane] = static_cast<uint32_t>(
          std::clamp<uint64_t>(state, kLowestState, std::max<uint64_t>(limit - 1, kLowestState)));
      slots[lane] = PackSlots(0, frequency);
    }
    LaneStates ref_states = start;
    std::vector<uint16_t> words(kLaneCount + kWordSlack);
    EncodeLanesRef(slots.data(), kLaneCount, 0, kLaneCount, prob_bits, ref_states,
                   words.data() + words.size());
    ForEachCpuTarget([&] {
      LaneStates states = start;
      EncodeLanesSimd(slots.data(), kLaneCount, prob_bits, states, words.data() + words.size());
      ASSERT_TRUE(std::equal(std::begin(states.state), std::end(states.state),
                             std::begin(ref_states.state)));
    });
  }
}

TEST(ForEachTarget, ReachesMoreThanOneTarget) {
  EXPECT_GT(hwy::SupportedAndGeneratedTargets().size(), 1u);
}

}  // namespace
}  // namespace lichen
