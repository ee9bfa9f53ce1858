// Runs a plan: its values, and (simulate_time.cc) which cycle everything happens in.
//
// Contract: values are those of the machine, instruction by instruction (bricks), or of the layers'
// formulas at once (fast); both are equal to the engine's. Counts are those of useful products.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "accel/fusion/plan.h"
#include "base/result.h"
#include "base/tensor.h"

namespace lichen::fusion {

using LayerObserver = std::function<void(const PlannedLayer& layer, const Tensor<int32_t>& output)>;

// Brick by brick, through the program, its buffers and memory.
Result<Tensor<int32_t>> SimulateBricks(const Plan& plan, const Tensor<int32_t>& input,
                                       const LayerObserver& observer = {});
// The same values without them.
Result<Tensor<int32_t>> SimulateFast(const Plan& plan, const Tensor<int32_t>& input,
                                     const LayerObserver& observer = {});

}  // namespace lichen::fusion
