// One axis of a layer as an ordinary convolution.
#pragma once

#include <cstdint>
#include <vector>

namespace lichen::tile {

// Output o needs rows [o * stride - pad, o * stride - pad + taps). A transposed convolution and
// DepthToSpace give `phases` outputs for each o.
struct Axis {
  int64_t input = 0;
  int64_t output = 0;  // of the layer; phases included
  int64_t taps = 0;
  int64_t stride = 1;
  int64_t pad = 0;
  int64_t phases = 1;
  // Which taps the phase has, [first, last], and the kernel index of each; none with one phase.
  struct Phase {
    int64_t first_tap = 0;
    int64_t last_tap = 0;
    std::vector<int64_t> kernel;  // [tap], -1: none
    int64_t Taps() const { return last_tap - first_tap + 1; }
  };
  std::vector<Phase> phase;
  // Outputs of the ordinary convolution.
  int64_t Positions() const { return (output + phases - 1) / phases; }
};

Axis PlainAxis(int64_t input, int64_t output, int64_t kernel, int64_t stride, int64_t pad);
// Output s * q + p takes inputs q + (p + pad - k) / s of the kernel indices k where that is whole.
Axis TransposedAxis(int64_t input, int64_t output, int64_t kernel, int64_t stride, int64_t pad);
// Output s * q + p takes input (s * q + p + crop) / block, of its parts number (... mod block), which stands for
// the kernel index.
Axis DepthToSpaceAxis(int64_t input, int64_t output, int64_t block, int64_t crop);

}  // namespace lichen::tile
