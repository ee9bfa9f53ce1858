// What a network of given widths costs on DSP blocks that hold several low-bit products. Knows nothing of libtorch.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "train/cnn/definition.h"
#include "train/cnn/precision.h"

namespace lichen {

// Multiply-accumulates per DSP and cycle of a square kernel (1 for linear layers), for so many bits of weights and
// activations; above 0.
using DspFactorFunction =
    std::function<double(int64_t kernel, int weight_bits, int activation_bits)>;

struct LayerCost {
  int64_t mac_count = 0;
  double factor = 1;
  double dsp_cycles = 0;  // mac_count / factor: cycles of one DSP
};
std::vector<LayerCost> CostsOf(const CnnDefinition& net, const CnnPrecision& precision,
                               const DspFactorFunction& factor);

// The side of the kernel that a layer's factor is asked for.
int64_t PackedKernel(const CnnLayer& layer);

// DeepBurning-MixQ's measure: 64 / factor per multiply-accumulate, relative to the multiply-accumulates of the first
// layer; a network's cost is the sum over layers of CostUnit() / factor.
double CostUnit(const std::vector<CnnLayerShape>& shapes, size_t layer);

}  // namespace lichen
