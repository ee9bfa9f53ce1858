// Runs a plan in time: which cycle everything happens in, with DRAM behind the ports; and its values.
//
// Contract: the timing of docs/tile.md, to the cycle (clock.h). Values are those of Machine, in the program's order, which
// Verify() has proved to be the only one possible.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "accel/tile/clock.h"
#include "accel/tile/plan.h"
#include "base/result.h"
#include "base/tensor.h"

namespace lichen::tile {

// A beat a cycle on every port, a few cycles of latency.
MemoryTiming IdealMemory();
// The board's memory at the design's clock.
MemoryTiming BoardMemory(const Board& board, const Design& design);

struct LayerTrace {
  std::string name;
  std::string tile;          // rows x columns of outputs
  int64_t cycles = 0;        // from the last beat written of the layer before to its own
  int64_t array_cycles = 0;  // in which the array worked
  std::string bound;         // MAC, DRAM or pipeline
  int64_t macs = 0;
  int64_t dram_bytes = 0;
};

struct Trace {
  std::vector<LayerTrace> layers;
  int64_t cycles = 0;  // what the engine's counter shows
  int64_t dram_bytes = 0;
  double seconds = 0;      // cycles / clock
  double utilization = 0;  // useful multiply-accumulates / (cycles * those per cycle)
};

// Time alone. Error: the units wait for each other for ever.
Result<Trace> SimulateTime(const Plan& plan, const MemoryTiming& memory);

// Values alone: the graph's output for its input (h, w, c of the graph's tensors). Every layer's
// output goes to `observer`, if given.
using LayerObserver = std::function<void(const PlannedLayer& layer, const Tensor<int32_t>& output)>;
Result<Tensor<int32_t>> SimulateValues(const Plan& plan, const Tensor<int32_t>& input,
                                       const LayerObserver& observer = {});

// The memory as a host prepares it: constants, and the input in its place.
Result<std::vector<uint8_t>> MakeMemory(const Plan& plan, const Tensor<int32_t>& input);
Tensor<int32_t> ReadTensor(const TensorPlace& place, std::span<const uint8_t> memory);

}  // namespace lichen::tile
