// A layer's weights and parameters as the engine reads them (docs/tile.md).
#pragma once

#include <cstdint>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/mapping.h"
#include "base/result.h"

namespace lichen::tile {

// mapping.weight_words words: those of all passes, then the norm's.
std::vector<uint8_t> PackWeights(const Layer& layer, const Mapping& mapping, const Design& design);
// mapping.parameter_words words.
std::vector<uint8_t> PackParameters(const IntGraph& graph, const Layer& layer,
                                    const Mapping& mapping, const Design& design);
// Error: a weight, multiplier, bias or range that the engine's words do not hold.
Result<void> CheckWidths(const IntGraph& graph, const Layer& layer, const Design& design);

}  // namespace lichen::tile
