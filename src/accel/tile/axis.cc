#include "accel/tile/axis.h"

#include <algorithm>
#include <utility>

#include "base/requantise.h"

namespace lichen::tile {

Axis PlainAxis(int64_t input, int64_t output, int64_t kernel, int64_t stride, int64_t pad) {
  return {.input = input,
          .output = output,
          .taps = kernel,
          .stride = stride,
          .pad = pad,
          .phases = 1,
          .phase = {}};
}

Axis TransposedAxis(int64_t input, int64_t output, int64_t kernel, int64_t stride, int64_t pad) {
  std::vector<std::pair<int64_t, int64_t>> range;  // of input offsets, per phase
  for (int64_t p = 0; p < stride; ++p) {
    const int64_t first = (p + pad) % stride;
    const int64_t count = first < kernel ? (kernel - 1 - first) / stride + 1 : 0;
    const int64_t top = FloorDiv(p + pad, stride);
    range.emplace_back(top - std::max<int64_t>(count, 1) + 1, top);
  }
  int64_t low = range[0].first;
  int64_t high = range[0].second;
  for (const auto& [first, last] : range) {
    low = std::min(low, first);
    high = std::max(high, last);
  }
  Axis axis = PlainAxis(input, output, high - low + 1, 1, -low);
  axis.phases = stride;
  for (int64_t p = 0; p < stride; ++p) {
    Axis::Phase phase{.first_tap = range[static_cast<size_t>(p)].first - low,
                      .last_tap = range[static_cast<size_t>(p)].second - low,
                      .kernel = std::vector<int64_t>(static_cast<size_t>(axis.taps), -1)};
    for (int64_t k = (p + pad) % stride; k < kernel; k += stride) {
      phase.kernel[static_cast<size_t>((p + pad - k) / stride - low)] = k;
    }
    axis.phase.push_back(std::move(phase));
  }
  return axis;
}

Axis DepthToSpaceAxis(int64_t input, int64_t output, int64_t block, int64_t crop) {
  const int64_t low = crop / block;
  const int64_t high = (block - 1 + crop) / block;
  // The first position's input is `low`: rows before it are cropped.
  Axis axis = PlainAxis(input, output, high - low + 1, 1, -low);
  axis.phases = block;
  for (int64_t p = 0; p < block; ++p) {
    const int64_t tap = (p + crop) / block - low;
    Axis::Phase phase{.first_tap = tap,
                      .last_tap = tap,
                      .kernel = std::vector<int64_t>(static_cast<size_t>(axis.taps), -1)};
    phase.kernel[static_cast<size_t>(tap)] = (p + crop) % block;
    axis.phase.push_back(std::move(phase));
  }
  return axis;
}

}  // namespace lichen::tile
