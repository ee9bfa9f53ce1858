// What a plan costs, without running it: cycles, memory traffic, resources, energy.
//
// Contract: closed formulas of the design and the mapping. Every figure is estimated;
// estimate.cc says where the coefficients come from.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/plan.h"
#include "target/board.h"
#include "target/netlist.h"

namespace lichen::tile {

struct LayerEstimate {
  std::string name;
  int64_t cycles = 0;
  std::string bound;  // MAC, DRAM or pipeline
  int64_t macs = 0;
  int64_t dram_bytes = 0;
};

struct Estimate {
  std::vector<LayerEstimate> layers;
  int64_t cycles = 0;
  int64_t dram_bytes = 0;
  Resources resources;
  double energy_mj = 0;
};

// The engine's blocks: modules of rtl/tile, each without those of this list that are in it.
enum class Block {
  kEngine,   // queues of instructions, tokens
  kCompute,  // the array's operands, the output buffer, queues of the epilogue
  kRegisters,
  kFetch,
  kLoad,
  kWeight,
  kStore,
  kMemory,
  kPrepare,
  kSequencer,
  kInputBuffer,
  kWeightBuffer,
  kParameterBuffer,
  kMiddleBuffer,
  kArray,
  kEpilogue,
  kLane,  // all of the epilogue's lanes
};
inline constexpr size_t kBlockCount = 17;

// BRAM18 (halves of a BRAM36) of a ram_sdp.
int64_t Bram18(int64_t words, int64_t width_bits);
std::array<CellCounts, kBlockCount> EstimateBlocks(const Design& design);
// Their sum; halves of BRAM36 are rounded up.
Resources EstimateResources(const Design& design);
Estimate EstimatePlan(const Plan& plan);

// What the board's memory gives the engine.
double BytesPerCycle(const Board& board, const Design& design);
// Of products and memory traffic; the coefficients are assumptions (estimate.cc).
double EnergyMj(int64_t macs, int64_t dram_bytes, const Board& board, const Design& design);

// Bytes that one run of a layer moves: input tiles with their halo, outputs, weights, parameters.
int64_t LayerBytes(const Layer& layer, const Mapping& mapping, const Design& design);

}  // namespace lichen::tile
