// A layer's weights and parameters as the engine reads them (docs/tile.md).
#pragma once

#include <cstdint>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/mapping.h"
#include "base/result.h"

namespace lichen::tile {

// The weights of all blocks, one behind the other.
std::vector<uint8_t> PackWeights(const Layer& layer, const Mapping& mapping, const Design& design);
// The parameters of all blocks; `requant` is that of the sums (SumRequant).
std::vector<uint8_t> PackParameters(const Layer& layer, const Mapping& mapping,
                                    const Design& design, const ChannelRequant& requant);
// The requantiser of the layer's sums, with multipliers that the engine's words hold where there are
// such that give the same result for every sum (narrow_requant.h).
ChannelRequant SumRequant(const IntGraph& graph, const Layer& layer);
// Error: a weight, multiplier, bias or range that the engine's words do not hold.
Result<void> CheckWidths(const IntGraph& graph, const Layer& layer, const Design& design,
                         const ChannelRequant& requant);

}  // namespace lichen::tile
