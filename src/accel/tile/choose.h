// What tiles of a layer cost, and the tile that costs least.
//
// Contract: ChooseMapping() tries every tile size that fits the buffers (or the pinned one), in each
// loop order, and takes the one with the fewest estimated cycles. The answer "no" names the buffer
// and both numbers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "accel/tile/mapping.h"

namespace lichen::tile {

// Of a whole layer, without what the memory's bandwidth may add.
struct LayerCycles {
  int64_t array = 0;  // with what it waits for weights
  int64_t tiles = 0;  // with what tiles wait for their loads and stores
  int64_t ends = 0;   // first load and last store, beside which nothing runs
};
LayerCycles CountCycles(const Layer& layer, const Mapping& mapping, const Design& design);

// Cycles that the array waits for a layer's first weights beyond its first tile: where they fit beside
// those of the layer before, they come while that runs, for `cycles_before`. `before` is null for the
// first layer.
int64_t WeightStall(const Mapping& mapping, const Mapping* before, int64_t cycles_before,
                    const Design& design);

// Of a whole layer, with a memory that gives so many bytes per cycle; without WeightStall().
struct TileCost {
  int64_t cycles = 0;
  int64_t bytes = 0;
};
TileCost CostOf(const Layer& layer, const Mapping& mapping, const Design& design,
                double bytes_per_cycle);

// `base` with a tile of this size, in the loop order that costs less.
Mapping MapTile(const Layer& layer, const Design& design, const Mapping& base, int64_t row_groups,
                int64_t column_groups, double bytes_per_cycle);

// Whether the design's buffers hold the tile, where they can with the next tile beside it, which
// this writes into the mapping.
Fit FitBuffers(const Layer& layer, const Design& design, Mapping& mapping);

MappingChoice ChooseMapping(const Layer& layer, const Design& design, int64_t input_stride,
                            int64_t output_stride, double bytes_per_cycle);

}  // namespace lichen::tile
