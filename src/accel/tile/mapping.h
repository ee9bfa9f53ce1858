// How one layer runs on a design: folding, groups of lanes and their taps, tile size, buffers.
//
// Contract: ChooseMapping() tries every tile size that fits the buffers (or the pinned one) and
// takes the one with the fewest estimated cycles. The answer "no" names the buffer and both numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/layer.h"
#include "target/board.h"

namespace lichen::tile {

// A run of lane groups that share a rectangle of taps: one COMPUTE.
struct Pass {
  int64_t first_group = 0;
  int64_t groups = 0;
  int64_t tap_y = 0;  // first
  int64_t tap_x = 0;
  int64_t taps_y = 0;
  int64_t taps_x = 0;
  int64_t weight_word = 0;  // from the layer's first

  int64_t Words(int64_t chunks) const { return groups * taps_y * taps_x * chunks; }
};

struct Mapping {
  // Input pixels as the array reads them: folded, a pixel is pif elements of the row.
  bool is_folded = false;
  int64_t fold_shift = 0;      // elements before the first tap's that get weight 0
  int64_t pixel_elements = 0;  // in memory
  int64_t chunks = 0;          // words per pixel
  int64_t taps_x = 0;          // in pixels, as folded
  int64_t stride_x = 0;
  int64_t pad_x = 0;
  // Lanes: phases in order, then channels, padded to whole groups.
  int64_t lane_channels = 0;  // per phase
  int64_t lane_count = 0;
  std::vector<Pass> passes;
  std::vector<Pass> norm_passes;
  int64_t weight_words = 0;  // of the convolution, then the norm
  int64_t norm_weight_word = 0;
  int64_t parameter_words = 0;
  int64_t norm_parameter_word = 0;  // its constants

  // Tile, in positions.
  int64_t row_groups = 0;
  int64_t column_groups = 0;
  int64_t tile_rows = 0;     // row_groups * poy
  int64_t tile_columns = 0;  // column_groups * pox
  int64_t tiles_y = 0;
  int64_t tiles_x = 0;
  int64_t input_rows = 0;  // of a tile
  int64_t input_pixels = 0;
  int64_t row_pitch = 0;     // words of a bank
  int64_t input_words = 0;   // of a bank, per tile
  int64_t middle_words = 0;  // of a bank
  int64_t output_words = 0;  // per tile
};

struct MappingChoice {
  Fit fit;
  Mapping mapping;
};

// What does not depend on the tile.
Mapping MapLayer(const Layer& layer, const Design& design, int64_t input_stride,
                 int64_t output_stride);
// Fills in all that depends on the tile, of so many groups of poy rows and pox columns.
void SizeTile(const Layer& layer, const Design& design, int64_t row_groups, int64_t column_groups,
              Mapping& mapping);
// Whether the design's buffers hold it; two tiles of input and output are there at a time.
Fit FitBuffers(const Mapping& mapping, const Design& design);

// Of a whole layer, without what the memory's bandwidth may add.
struct LayerCycles {
  int64_t array = 0;
  int64_t load = 0;
  int64_t store = 0;
  int64_t ends = 0;  // first load and last store, beside which nothing runs
  int64_t Sum() const { return std::max({array, load, store}) + ends; }
};
LayerCycles CountCycles(const Mapping& mapping, const Design& design);

// Cycles that the array waits for a layer's weights beyond its first tile: none where they fit beside
// those of the layer before, and so come while that runs. `before` is null for the first layer.
int64_t WeightStall(const Mapping& mapping, const Mapping* before, const Design& design);

// Strides are the numbers of elements per pixel in memory: of the input a multiple of pif, or its
// channels where they can be folded; of the output at least the channels, with a norm a multiple of pof.
MappingChoice ChooseMapping(const Layer& layer, const Design& design, int64_t input_stride,
                            int64_t output_stride);

// The stride that suits the layer best.
int64_t InputStride(const Layer& layer, const Design& design);
// Of the layer's output, where `wanted` suits those who read it.
int64_t OutputStride(const Layer& layer, const Design& design, int64_t wanted);

// Constant delays of the engine (rtl/README.md, Timing), which simulator and estimate share.
// From a set's last step to its first word in a buffer, less the words before it.
constexpr int64_t EpilogueLatency(const Design& design) {
  return design.operand_bits == 16 ? design.pif + 44 : std::min<int64_t>(design.pif, 4) + 47;
}
// Between the starts of two instructions of the compute unit.
inline constexpr int64_t kPrepareCycles = 10;

// Cycles of the array for one tile: its steps, and the waits between its instructions.
int64_t TileCycles(const Mapping& mapping, const Design& design);
// Of the sums of one set, from the array through the epilogue.
inline int64_t DrainCycles(const Design& design) {
  return design.PixelLanes() * design.pof / design.epilogue_lanes;
}

}  // namespace lichen::tile
