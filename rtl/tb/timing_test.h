// The timing rules of rtl/README.md, checked on a program whose length they predict to the cycle.
#pragma once

#include "accel/tile/design.h"

namespace lichen::rtl {

// Prints and returns false if the engine takes another number of cycles than the rules say.
bool CheckTiming(const tile::Design& design);

}  // namespace lichen::rtl
