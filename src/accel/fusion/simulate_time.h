// Runs a plan in time: every cycle of the engine's units and of the memory behind its ports.
//
// Contract: the cycles of the RTL, one for one, with held-back handshakes too; rtl/README.md has the rules
// in words. Values do not matter to time and are not computed here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "accel/common/axi_memory.h"
#include "accel/fusion/plan.h"
#include "base/result.h"

namespace lichen::fusion {

// A beat a cycle on every port, a few cycles of latency.
accel::AxiTiming IdealMemory();
// The board's memory at the design's clock.
accel::AxiTiming BoardMemory(const Board& board, const Design& design);

struct LayerTrace {
  std::string name;
  int64_t cycles = 0;       // from the last write of the layer before to its own
  int64_t step_cycles = 0;  // in which the array took a step
  int64_t bricks = 0;       // bricks that worked on useful products, over all cycles
  int64_t units = 0;        // fusion units with a useful product, over all cycles
  int64_t macs = 0;
  int64_t read_bytes = 0;  // of memory
  int64_t written_bytes = 0;
  int64_t buffer_read_bytes = 0;  // all buffers, every copy
  int64_t buffer_written_bytes = 0;
  std::string bound;  // array, DRAM or latency
};

struct Trace {
  std::vector<LayerTrace> layers;
  int64_t cycles = 0;      // that the engine counts, from its start to its end
  double seconds = 0;      // cycles / clock
  double utilization = 0;  // bricks / (cycles * bricks per cycle)
};

// Error: the units wait for each other for ever.
Result<Trace> SimulateTime(const Plan& plan, const accel::AxiTiming& timing);

}  // namespace lichen::fusion
