// The tile engine in cycles: when every instruction of a program is done.
//
// Contract: the timing of rtl/README.md, exact, with the memory of rtl/tb/tile_harness.h; where
// its bandwidth is less than what the ports could move at once, an approximation. Cycle 0 has the start
// pulse. Time: of the instructions and bursts, not of the cycles.
#pragma once

#include <vector>

#include "accel/tile/clock_memory.h"
#include "accel/tile/design.h"
#include "accel/tile/instruction.h"
#include "base/result.h"

namespace lichen::tile {

struct Timeline {
  Cycle cycles = 0;  // what the engine's counter shows: all is idle
  // By instruction: of a STORE, the cycle of the last beat at memory's port; 0 for others.
  std::vector<Cycle> last_writes;
};

struct ClockOptions {
  uint64_t program_address = 0;
  DmaSizes sizes;
  bool is_stepwise = false;  // follows every single word: slower, with the same result
};

// Runs the program, which ends with END. Error: the units wait for each other.
Result<Timeline> RunClock(const Design& design, const std::vector<Instruction>& program,
                          const MemoryTiming& memory, const ClockOptions& options = {});

}  // namespace lichen::tile
