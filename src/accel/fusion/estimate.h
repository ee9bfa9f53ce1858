// What a plan costs, without running it: cycles, memory traffic, resources, energy.
//
// Contract: closed formulas of the design and the mapping. Every figure is estimated; estimate.cc says
// where the coefficients come from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "accel/fusion/plan.h"
#include "target/board.h"

namespace lichen::fusion {

struct LayerEstimate {
  std::string name;
  int64_t cycles = 0;
  std::string bound;  // array, weights, load or store
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

Resources EstimateResources(const Design& design);
// Of bricks at work and memory traffic; the coefficients are assumptions (estimate.cc).
double EnergyMj(int64_t bricks, int64_t dram_bytes, const Board& board);
Estimate EstimatePlan(const Plan& plan);

}  // namespace lichen::fusion
