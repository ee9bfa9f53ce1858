// The instructions of one tile of a layer, without their tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "accel/tile/plan.h"

namespace lichen::tile {

Load MakeLoad(const Plan& plan, const PlannedLayer& planned, int64_t ty, int64_t tx, int64_t base);

// Where a tile and a block of weights lie in the buffers.
struct BufferPlace {
  int64_t weights = 0;
  int64_t parameters = 0;
  int64_t input = 0;
  int64_t output = 0;
};
std::vector<Compute> MakeComputes(const Design& design, const PlannedLayer& planned,
                                  const WeightBlock& block, const BufferPlace& place);

// Of the channels of `block`, or of all where it is null. At least one.
std::vector<Store> MakeStores(const Plan& plan, const PlannedLayer& planned, int64_t ty, int64_t tx,
                              int64_t base, const WeightBlock* block);

}  // namespace lichen::tile
