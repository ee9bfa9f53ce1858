// Batch norm, 2x2 maximum and quantiser (or ReLU) of one layer, as one operation of the training.
//
// Contract: x = output_scale * mixture of quantisers of max(batch norm(unit * y)), or output_scale * ReLU of it without steps. In
// training the batch's statistics are used and the running ones updated, as torch::batch_norm does; else the running ones.
// Gradients pass as quantisers.h says. On a CPU in training the pass is one kernel (norm_kernel.h), which keeps nothing but y for the
// way back; float32 and bfloat16.
#pragma once

#include <vector>

#include "train/cnn/mix_kernel.h"
#include "train/torch.h"

namespace lichen {

// What a layer reads: integers, or real values. A value stands for value * unit.
struct ActivationMixture {
  std::vector<QuantiserStep> steps;  // empty: ReLU
  torch::Tensor shares;              // (steps), float
  double unit = 1;                   // of one width: its step, so that values are integers
};

struct BatchNormState {
  torch::Tensor scale, shift;    // parameters (channels)
  torch::Tensor mean, variance;  // running statistics (channels)
  double momentum = 0.1;
  double epsilon = 1e-5;
};

// y (n, channels, h, w), with `pools` h and w are halved, rounding down.
torch::Tensor NormQuantised(const torch::Tensor& y, double unit, const BatchNormState& norm,
                            const ActivationMixture& activation, bool pools, bool is_training);

// The same operation out of libtorch's own, on any device.
torch::Tensor NormQuantisedByTensors(const torch::Tensor& y, double unit,
                                     const BatchNormState& norm,
                                     const ActivationMixture& activation, bool pools,
                                     bool is_training);

}  // namespace lichen
