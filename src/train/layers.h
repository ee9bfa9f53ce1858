// Layers with trained parameters.
#pragma once

#include <vector>

#include "train/torch.h"

namespace lichen {

// Kernels of shape (first, second, size, size), drawn uniformly with the variance 1 / fan_in.
// With is_rdft, what is trained are their coefficients in an orthonormal real Fourier basis, where
// neighbouring taps are less alike.
class KernelImpl : public torch::nn::Module {
 public:
  KernelImpl(int64_t first, int64_t second, int64_t size, int64_t fan_in, bool is_rdft);
  torch::Tensor forward();

 private:
  int64_t size_;
  torch::Tensor parameter_;  // the kernels, or (first, second, size^2) coefficients
  torch::Tensor basis_;      // (size^2 taps, size^2 coefficients), or undefined
};
TORCH_MODULE(Kernel);

// The basis: column k holds the taps of coefficient k. Orthonormal, float64.
torch::Tensor RdftBasis(int64_t size);

// x / norm or, as the inverse, x * norm with norm = beta + sum gamma * |x|. Beta stays above 1e-6
// and gamma above 0: both are squares of what is trained.
class GdnImpl : public torch::nn::Module {
 public:
  GdnImpl(int64_t channels, bool is_inverse);
  torch::Tensor forward(const torch::Tensor& x);
  torch::Tensor Beta() const;   // (c)
  torch::Tensor Gamma() const;  // (out, in)

 private:
  bool is_inverse_;
  torch::Tensor beta_root_;
  torch::Tensor gamma_root_;
};
TORCH_MODULE(Gdn);

}  // namespace lichen
