// How weights, activations and pictures become integers of few bits, and the steps that they stand for.
//
// Contract: integers are held in float tensors. A value is integer * step. What the training computes with, what the
// integer network holds and what is exported come from these functions alone. Gradients pass straight through
// roundings; through activations where they are not saturated, through weights everywhere.
//
// Half-wave Gaussian (Cai et al. 2017), steps as DeepBurning-MixQ has them:
//   weights      clamp(round(w / step), -2^(b-1), 2^(b-1) - 1), step = standard deviation * {0.996 ... 0.032}
//   activations  clamp(round(x / step), 0, 2^b - 1), step = {0.538 ... 0.019}
//   pictures     floor(v / 2^(8-b)), step 2^-b
// DoReFa (Zhou et al. 2016), as UltraNet's published weights use it:
//   weights      round(tanh(w) / max |tanh(w)| * n), n = 2^(b-1) - 1, step 1 / n
//   activations  round(clamp(x, 0, 1) * n), n = 2^b - 1, step 1 / n
//   pictures     floor(v / 2^(8-b)), step 1 / (2^b - 1)
#pragma once

#include <span>
#include <vector>

#include "train/cnn/norm_quantised.h"
#include "train/cnn/precision.h"
#include "train/torch.h"

namespace lichen {

// All widths are kMinBits to kMaxBits.
double ActivationStep(QuantiserKind kind, int bits);
double PictureStep(QuantiserKind kind, int bits);

struct QuantisedWeights {
  torch::Tensor integers;  // of w's shape and type
  double step = 1;
};
// Without a gradient.
QuantisedWeights QuantiseWeights(QuantiserKind kind, const torch::Tensor& w, int bits);

// Sum over widths of share * (integers * step), with the gradients of `w` and of the shares. `shares` (n), float, belong
// to the `bits`.
torch::Tensor FakeQuantisedWeights(QuantiserKind kind, const torch::Tensor& w,
                                   std::span<const int> bits, const torch::Tensor& shares);
// One width: integers, with the gradient of integers * step.
QuantisedWeights FakeQuantisedWeights(QuantiserKind kind, const torch::Tensor& w, int bits);
// How activations of `bits` are quantised; of one width, values are integers.
ActivationMixture MixtureOf(QuantiserKind kind, std::span<const int> bits,
                            const torch::Tensor& shares);

// Integers of samples 0 to 255.
torch::Tensor QuantisePicture(const torch::Tensor& samples, int bits);

// What the two above are made of: sum over k of shares[k] * (x quantised by steps[k]); with `passes_all` the gradient of
// x passes where quantisers saturate, too.
torch::Tensor MixQuantised(const torch::Tensor& x, const torch::Tensor& shares,
                           const std::vector<QuantiserStep>& steps, bool passes_all);

}  // namespace lichen
