// The trained distribution of the latents: one per channel, and per rate.
//
// The cumulative distribution is sigmoid(f(x) - f(0)) with f a small monotonic network (Balle et
// al. 2018, appendix 6.1). Taking f(0) off puts the median of every channel at 0, in the middle of
// a quantiser bin, where the codec has it: latents move there through the bias of the layer before.
#pragma once

#include <vector>

#include "train/torch.h"

namespace lichen {

class FactorisedPriorImpl : public torch::nn::Module {
 public:
  FactorisedPriorImpl(int64_t rates, int64_t channels);

  // -log2 of the probability of the unit bin around each latent. `latents` are (n, channels, h, w),
  // `rates` (n) tells which distributions picture n uses.
  torch::Tensor Bits(const torch::Tensor& latents, const torch::Tensor& rates);

  // Where the cumulative distributions of a rate reach `probability`: (channels), by bisection.
  torch::Tensor Quantiles(int64_t rate, double probability);

 private:
  // f(x) for x of shape (rows, points), with the parameters of each row's distribution.
  torch::Tensor Evaluate(const torch::Tensor& x, const torch::Tensor& index) const;

  int64_t channels_;
  std::vector<torch::Tensor> matrices_;  // (rates * channels, out, in), through softplus
  std::vector<torch::Tensor> biases_;    // (rates * channels, out)
  std::vector<torch::Tensor> factors_;   // (rates * channels, out), through tanh
};
TORCH_MODULE(FactorisedPrior);

}  // namespace lichen
