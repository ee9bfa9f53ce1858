// The instructions of a plan.
#pragma once

#include <cstdint>
#include <vector>

#include "accel/tile/plan.h"

namespace lichen::tile {

// Where a layer's constants lie in memory.
struct ConstantsPlace {
  int64_t weights_bytes = 0;
  int64_t parameters_bytes = 0;
};

// Writes the program of a plan whose layers and tensors are placed, and where each layer's
// instructions are. Its length does not depend on addresses.
void EmitProgram(const std::vector<ConstantsPlace>& constants, Plan& plan);

// Instructions of a layer, without writing them.
int64_t CountInstructions(const Layer& layer, const Mapping& mapping);

}  // namespace lichen::tile
