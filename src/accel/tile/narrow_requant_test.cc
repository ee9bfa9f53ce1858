#include "accel/tile/narrow_requant.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <random>

namespace lichen::tile {
namespace {

constexpr int64_t kMax = (1 << 17) - 1;

int64_t Between(std::mt19937_64& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

TEST(NarrowRequant, GivesTheSameResultForEverySum) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  int narrowed = 0;
  for (int round = 0; round < 200; ++round) {
    constexpr size_t kChannels = 3;
    // Results of 2 to 8 bits over a part of the sums, as quantised networks have them.
    const int64_t top = (int64_t{1} << Between(random, 1, 8)) - 1;
    const ValueRange range = {Between(random, -top, 0), top};
    ChannelRequant wide{.multiplier = {},
                        .pre_shift = {},
                        .bias = {},
                        .post_shift = static_cast<uint8_t>(Between(random, 24, 30))};
    std::vector<ValueRange> sums;
    for (size_t c = 0; c < kChannels; ++c) {
      wide.multiplier.push_back(Between(random, 1, (1 << 22) - 1) * (random() % 2 ? 1 : -1));
      wide.pre_shift.push_back(static_cast<uint8_t>(Between(random, 0, 3)));
      wide.bias.push_back(Between(random, -(int64_t{1} << 32), int64_t{1} << 32));
      sums.push_back({-Between(random, 0, 9000), Between(random, 0, 9000)});
    }
    const ChannelRequant narrow = NarrowRequant(wide, sums, range, kMax);
    for (size_t c = 0; c < kChannels; ++c) {
      for (int64_t sum = sums[c].min; sum <= sums[c].max; ++sum) {
        ASSERT_EQ(Requantise(sum, narrow.At(c, range)), Requantise(sum, wide.At(c, range)))
            << "round " << round << ", channel " << c << ", sum " << sum;
      }
    }
    narrowed += narrow != wide;
    for (int64_t m : narrow.multiplier) EXPECT_TRUE(narrow == wide || std::abs(m) <= kMax);
  }
  EXPECT_GT(narrowed, 180);
}

TEST(NarrowRequant, LeavesWhatFitsAndWhatHasNoEqual) {
  ChannelRequant fits{.multiplier = {kMax}, .pre_shift = {0}, .bias = {5}, .post_shift = 3};
  EXPECT_EQ(NarrowRequant(fits, {{-100, 100}}, {-32768, 32767}, kMax), fits);
  // Sixteen results for each sum, with steps in between: no shorter multiplier has them all.
  ChannelRequant exact{
      .multiplier = {(1 << 20) + 1027}, .pre_shift = {0}, .bias = {0}, .post_shift = 16};
  EXPECT_EQ(NarrowRequant(exact, {{-2000, 2000}}, {-32768, 32767}, kMax), exact);
}

}  // namespace
}  // namespace lichen::tile
