// The analysis of a plan on an engine, for the encoder (EncodeOptions::analysis).
#pragma once

#include <cstdint>

#include "accel/tile/plan.h"
#include "base/result.h"
#include "base/tensor.h"
#include "bus.h"

namespace lichen {

// The plan's output for its input, a tensor of one picture. `cycles` becomes the engine's count.
// Error: the engine is another than the plan's, memory is too small, or the run fails.
Result<Tensor<int32_t>> AnalyseOnEngine(rtl::Bus& bus, const tile::Plan& plan,
                                        const Tensor<int32_t>& picture, uint64_t& cycles);

}  // namespace lichen
