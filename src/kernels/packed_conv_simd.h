// What packing must know of the active CPU target.
#pragma once

#include <cstdint>

namespace lichen {

int32_t PackedLaneCount();   // 32-bit lanes per vector
int32_t PackedMaxVectors();  // vectors per block that leave registers for enough units

}  // namespace lichen
