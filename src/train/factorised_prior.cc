#include "train/factorised_prior.h"

#include <cmath>
#include <numbers>

#include "train/operators.h"

namespace lichen {
namespace {

constexpr int64_t kWidths[] = {1, 3, 3, 3, 1};
constexpr int kLayers = 4;
constexpr double kFirstScale = 10;  // width of the distributions before training
constexpr double kMinProbability = 1e-9;
constexpr int kBisections = 60;

}  // namespace

FactorisedPriorImpl::FactorisedPriorImpl(int64_t rates, int64_t channels) : channels_(channels) {
  const int64_t rows = rates * channels;
  const double scale = std::pow(kFirstScale, 1.0 / kLayers);
  for (int layer = 0; layer < kLayers; ++layer) {
    const int64_t in = kWidths[layer];
    const int64_t out = kWidths[layer + 1];
    const double first = std::log(std::expm1(1 / scale / static_cast<double>(out)));
    matrices_.push_back(
        register_parameter("matrix_" + std::to_string(layer), torch::full({rows, out, in}, first)));
    biases_.push_back(register_parameter("bias_" + std::to_string(layer),
                                         torch::empty({rows, out}).uniform_(-0.5, 0.5)));
    if (layer + 1 < kLayers) {
      factors_.push_back(
          register_parameter("factor_" + std::to_string(layer), torch::zeros({rows, out})));
    }
  }
}

torch::Tensor FactorisedPriorImpl::Evaluate(const torch::Tensor& x,
                                            const torch::Tensor& index) const {
  torch::Tensor h = x.unsqueeze(1);  // rows, in, points
  for (size_t layer = 0; layer < kLayers; ++layer) {
    const torch::Tensor matrix = torch::softplus(matrices_[layer]).index_select(0, index);
    const torch::Tensor bias = biases_[layer].index_select(0, index).unsqueeze(2);
    // Not a matrix product: these are tiny, and a BLAS may be slow.
    torch::Tensor sum = bias;
    for (int64_t i = 0; i < kWidths[layer]; ++i) {
      sum = torch::addcmul(sum, matrix.select(2, i).unsqueeze(2), h.narrow(1, i, 1));
    }
    h = sum;
    if (layer + 1 < kLayers) {
      const torch::Tensor factor = factors_[layer].tanh().index_select(0, index).unsqueeze(2);
      h = torch::addcmul(h, factor, h.tanh());
    }
  }
  return h.squeeze(1);
}

torch::Tensor FactorisedPriorImpl::Bits(const torch::Tensor& latents, const torch::Tensor& rates) {
  const int64_t n = latents.size(0);
  const int64_t points = latents.size(2) * latents.size(3);
  const torch::Tensor index =
      (rates.unsqueeze(1) * channels_ + torch::arange(channels_, rates.options())).flatten();
  const torch::Tensor x = latents.reshape({n * channels_, points});
  const torch::Tensor f =
      Evaluate(torch::cat({x - 0.5, x + 0.5, torch::zeros_like(x.narrow(1, 0, 1))}, 1), index);
  const torch::Tensor at_zero = f.narrow(1, 2 * points, 1);
  const torch::Tensor lower = f.narrow(1, 0, points) - at_zero;
  const torch::Tensor upper = f.narrow(1, points, points) - at_zero;
  // Both on the side of sigmoid where it is small: no cancellation far out.
  const torch::Tensor sign = -torch::sign(lower + upper).detach();
  const torch::Tensor probability =
      (torch::sigmoid(sign * upper) - torch::sigmoid(sign * lower)).abs();
  const torch::Tensor bits = torch::log2(LowerBound(probability, kMinProbability)).neg();
  return bits.view({n, channels_, latents.size(2), latents.size(3)});
}

torch::Tensor FactorisedPriorImpl::Quantiles(int64_t rate, double probability) {
  const torch::NoGradGuard no_grad;
  const auto options = matrices_[0].options();
  const torch::Tensor index =
      torch::arange(channels_, options.dtype(torch::kInt64)) + rate * channels_;
  const torch::Tensor zero = torch::zeros({channels_, 1}, options);
  const double logit = std::log(probability / (1 - probability));
  const torch::Tensor target = Evaluate(zero, index) + logit;
  torch::Tensor low = zero - 1;
  torch::Tensor high = zero + 1;
  for (int i = 0; i < kBisections; ++i) {  // widen until they enclose it
    low = torch::where(Evaluate(low, index) > target, low * 2, low);
    high = torch::where(Evaluate(high, index) < target, high * 2, high);
  }
  for (int i = 0; i < kBisections; ++i) {
    const torch::Tensor middle = (low + high) / 2;
    const torch::Tensor is_below = Evaluate(middle, index) < target;
    low = torch::where(is_below, middle, low);
    high = torch::where(is_below, high, middle);
  }
  return ((low + high) / 2).squeeze(1);
}

}  // namespace lichen
