// The machine's own peak of 16-bit multiply-adds, as the yardstick of the engine's speed.
#pragma once

#include <cstdint>

namespace lichen {

// Runs DotPairs on registers alone, `iterations` times 8 or 16 independent sums, in the calling thread
// with the active CPU target. Returns the multiply-adds done; the caller takes the time.
int64_t RunInt16Peak(int64_t iterations);

}  // namespace lichen
