#include "train/cnn/mix_kernel.h"

#include <algorithm>
#include <array>

namespace lichen {
namespace {

constexpr int64_t kBlock = 1024;       // elements that stay in the nearest cache over all widths
constexpr float kRounder = 0x1.8p23F;  // adding and subtracting it leaves no fraction

float Clamped(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

// Clamping first gives the same, as the bounds are whole, and keeps the rounding exact.
float Rounded(float x, const QuantiserStep& s) {
  return (Clamped(x * s.inverse, s.low, s.high) + kRounder) - kRounder;
}

}  // namespace

void MixQuantised(const float* x, int64_t count, std::span<const QuantiserStep> steps,
                  std::span<const float> shares, float* y) {
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t end = std::min(count, first + kBlock);
    std::fill(y + first, y + end, 0.0F);
    for (size_t k = 0; k < steps.size(); ++k) {
      const QuantiserStep s = steps[k];
      const float factor = s.step * shares[k];
      for (int64_t i = first; i < end; ++i) y[i] += Rounded(x[i], s) * factor;
    }
  }
}

void MixQuantisedBackward(const float* x, const float* g, int64_t count,
                          std::span<const QuantiserStep> steps, std::span<const float> shares,
                          bool passes_all, float* gx, std::span<double> share_gradients) {
  std::array<float, kBlock> passing;
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t size = std::min(count - first, kBlock);
    const float* const xs = x + first;
    const float* const gs = g + first;
    std::fill_n(passing.begin(), size, 0.0F);
    for (size_t k = 0; k < steps.size(); ++k) {
      const QuantiserStep s = steps[k];
      const float share = shares[k];
      // Partial sums in eight lanes, so that the compiler may use vectors.
      std::array<float, 8> sums{};
      const auto add = [&](int64_t i, size_t lane) {
        const float scaled = xs[i] * s.inverse;
        const bool passes = passes_all || (scaled > s.low && scaled < s.high);
        passing[static_cast<size_t>(i)] += passes ? share : 0.0F;
        sums[lane] += gs[i] * Rounded(xs[i], s);
      };
      int64_t i = 0;
      for (; i + 8 <= size; i += 8) {
        for (size_t lane = 0; lane < 8; ++lane) add(i + static_cast<int64_t>(lane), lane);
      }
      for (; i < size; ++i) add(i, 0);
      double sum = 0;
      for (const float part : sums) sum += part;
      share_gradients[k] += sum * s.step;
    }
    for (int64_t i = 0; i < size; ++i) gx[first + i] = gs[i] * passing[static_cast<size_t>(i)];
  }
}

}  // namespace lichen
