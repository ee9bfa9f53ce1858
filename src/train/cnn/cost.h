// What a network of given widths costs on DSP blocks that hold several low-bit products. Knows nothing of libtorch.
//
// Contract: of a pipeline in which every layer has DSPs of its own, as many as it needs to keep pace with the others. A figure is a
// bound: what no such pipeline falls below. LUTs are those that unpack the DSPs' lanes and accumulate; block RAM holds
// all weights, and of a layer's input the rows that its kernel needs beside the current one.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "train/cnn/definition.h"
#include "train/cnn/precision.h"

namespace lichen {

// Of one DSP.
struct PackedProducts {
  double factor = 1;  // multiply-accumulates per cycle, above 0
  double luts = 0;
};
// For a square kernel (1 for linear layers) and so many bits of weights and activations.
using PackingFunction =
    std::function<PackedProducts(int64_t kernel, int weight_bits, int activation_bits)>;

// What there is of each; 0: as much as is asked for.
struct HardwareBudget {
  double dsp = 0;
  double lut = 0;     // for unpacking
  double bram36 = 0;  // for weights and rows
};

struct HardwareModel {
  PackingFunction packing;
  HardwareBudget budget;
};

struct LayerCost {
  int64_t mac_count = 0;
  PackedProducts packed;
  double dsp_cycles = 0;  // mac_count / factor: cycles of one DSP
  double lut_cycles = 0;  // dsp_cycles * luts
  double weight_bits = 0;
  double row_bits = 0;
};
std::vector<LayerCost> CostsOf(const CnnDefinition& net, const CnnPrecision& precision,
                               const PackingFunction& packing);

// All layers together.
struct NetworkCost {
  double dsp_cycles = 0;
  double lut_cycles = 0;
  double bram36 = 0;
};
NetworkCost Sum(const std::vector<LayerCost>& layers);

// Cycles of one DSP that the network takes where LUTs are scarcer than DSPs: the most of dsp_cycles and
// lut_cycles / (budget's LUTs per DSP).
double BoundCycles(const NetworkCost& cost, const HardwareBudget& budget);

// What a search pays for a cycle of one DSP: DeepBurning-MixQ's measure, 64 over the multiply-accumulates of the first layer.
double CostUnit(const std::vector<CnnLayerShape>& shapes);
// What a search pays beside, per share of the block RAM beyond the budget, as a factor of the cycles: a network that
// does not fit cannot be built.
inline constexpr double kOverflowPrice = 4;
inline constexpr double kBram36Bits = 36864;

// The side of the kernel that a layer's factor is asked for.
int64_t PackedKernel(const CnnLayer& layer);
// Values of the rows that are kept of a layer's input.
double RowValues(const CnnLayerShape& shape);

}  // namespace lichen
