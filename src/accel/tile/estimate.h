// What a plan costs, without running it: cycles, memory traffic, resources, energy.
//
// Contract: closed formulas of the design and the mapping. Every figure is estimated;
// estimate.cc says where the coefficients come from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/plan.h"
#include "target/board.h"

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

// BRAM36 of a simple dual-port memory; halves are rounded up.
int64_t Bram36(int64_t words, int64_t width_bits);
Resources EstimateResources(const Design& design);
Estimate EstimatePlan(const Plan& plan);

// What the board's memory gives the engine.
double BytesPerCycle(const Board& board, const Design& design);
// Of products and memory traffic; the coefficients are assumptions (estimate.cc).
double EnergyMj(int64_t macs, int64_t dram_bytes, const Board& board, const Design& design);

// Bytes that one run of a layer moves: input tiles with their halo, outputs, weights, parameters.
int64_t LayerBytes(const Layer& layer, const Mapping& mapping, const Design& design);

}  // namespace lichen::tile
