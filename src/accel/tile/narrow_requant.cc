#include "accel/tile/narrow_requant.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace lichen::tile {
namespace {

// A multiplier's neighbours that are tried.
constexpr int64_t kNeighbours = 64;

// Where the result first reaches `value`, as a sum and the one before it, in the direction in which
// results grow.
struct Step {
  int64_t value = 0;
  int64_t sum = 0;
};

// The result as a function of `at`, which grows with it: the sum, or its negative where the
// multiplier is negative.
class Staircase {
 public:
  Staircase(const Requant& requant, ValueRange sums) : r_(requant) {
    const bool is_falling = requant.multiplier < 0;
    sign_ = is_falling ? -1 : 1;
    first_ = is_falling ? -sums.max : sums.min;
    last_ = is_falling ? -sums.min : sums.max;
    for (int64_t value = At(first_) + 1; value <= At(last_); ++value) {
      steps_.push_back({value, FirstReaching(value)});
    }
  }

  // The bias (with the rounding half) that puts all steps at their sums, if there is one.
  std::optional<int64_t> Bias(int64_t multiplier, int pre_shift, int post_shift) const {
    int64_t low = INT64_MIN;
    int64_t high = INT64_MAX;
    const auto scaled = [&](int64_t at) { return at * multiplier >> pre_shift; };
    const auto reaches = [&](int64_t at, int64_t value) {
      low = std::max(low, value * (int64_t{1} << post_shift) - scaled(at));
    };
    const auto stays_below = [&](int64_t at, int64_t value) {
      high = std::min(high, value * (int64_t{1} << post_shift) - 1 - scaled(at));
    };
    for (const Step& step : steps_) {
      reaches(step.sum, step.value);
      stays_below(step.sum - 1, step.value);
    }
    // Beyond the clamp anything does.
    if (At(first_) > r_.min) reaches(first_, At(first_));
    if (At(last_) < r_.max) stays_below(last_, At(last_) + 1);
    if (low == INT64_MIN && high == INT64_MAX) return 0;
    if (low == INT64_MIN) low = high;
    if (high == INT64_MAX) high = low;
    if (low > high) return std::nullopt;
    return low + (high - low) / 2;
  }

 private:
  int64_t At(int64_t at) const { return Requantise(sign_ * at, r_); }

  int64_t FirstReaching(int64_t value) const {
    int64_t low = first_;
    int64_t high = last_;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (At(middle) >= value) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  Requant r_;
  int64_t sign_ = 1;
  int64_t first_ = 0;
  int64_t last_ = 0;
  std::vector<Step> steps_;
};

// By how many bits a multiplier has to be shifted.
int ExcessBits(int64_t multiplier, int64_t max) {
  int bits = 0;
  while ((std::abs(multiplier) >> bits) > max) ++bits;
  return bits;
}

}  // namespace

ChannelRequant NarrowRequant(const ChannelRequant& requant, const std::vector<ValueRange>& sums,
                             ValueRange range, int64_t max_multiplier) {
  int post_shift = requant.post_shift;
  bool is_narrow = true;
  for (size_t c = 0; c < sums.size(); ++c) {
    const Requant r = requant.At(c, range);
    const int excess = ExcessBits(r.multiplier, max_multiplier);
    is_narrow = is_narrow && excess == 0;
    post_shift = std::min(post_shift, r.pre_shift + r.post_shift - excess);
  }
  if (is_narrow || post_shift < 0) return requant;
  ChannelRequant narrow{.multiplier = {},
                        .pre_shift = {},
                        .bias = {},
                        .post_shift = static_cast<uint8_t>(post_shift)};
  const int64_t half = post_shift > 0 ? int64_t{1} << (post_shift - 1) : 0;
  for (size_t c = 0; c < sums.size(); ++c) {
    const Requant r = requant.At(c, range);
    const int excess = ExcessBits(r.multiplier, max_multiplier);
    const int pre_shift = r.pre_shift + r.post_shift - excess - post_shift;
    if (pre_shift > 63) return requant;
    const Staircase staircase(r, sums[c]);
    const int64_t magnitude = std::abs(r.multiplier);
    const int64_t nearest = (magnitude + ((int64_t{1} << excess) >> 1)) >> excess;
    std::optional<int64_t> bias;
    int64_t multiplier = 0;
    for (int64_t n = 0; n <= 2 * kNeighbours && !bias; ++n) {
      multiplier = nearest + (n % 2 == 0 ? n / 2 : -(n / 2) - 1);
      if (multiplier < 0 || multiplier > max_multiplier) continue;
      bias = staircase.Bias(multiplier, pre_shift, post_shift);
    }
    if (!bias) return requant;
    narrow.multiplier.push_back(r.multiplier < 0 ? -multiplier : multiplier);
    narrow.pre_shift.push_back(static_cast<uint8_t>(pre_shift));
    narrow.bias.push_back(*bias - half);
  }
  return narrow;
}

}  // namespace lichen::tile
