#include "train/integer_layers.h"

#include <cmath>

#include "train/operators.h"

namespace lichen {
namespace {

constexpr int kPostShift = 4;
constexpr double kMaxShift = 40;
constexpr int kMultiplierBits = 16;
constexpr double kSlopeShift = 6;

torch::Tensor OfChannels(const torch::Tensor& v) { return v.view({1, -1, 1, 1}); }

torch::Tensor Round(const torch::Tensor& x) { return torch::floor(x + 0.5); }

}  // namespace

torch::Tensor StraightThrough(const torch::Tensor& real, const torch::Tensor& integer) {
  return integer.detach() + (real - real.detach());  // adds exactly 0
}

torch::Tensor Clamped(const torch::Tensor& x, double low, double high) {
  return LowerBound(LowerBound(x, low).neg(), -high).neg();
}

ScaleSteps StepsOf(const torch::Tensor& factor) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor f = factor.to(torch::kFloat64);
  const torch::Tensor size = f.abs().clamp_min(1e-300);
  torch::Tensor shift = (kMultiplierBits - 1 - torch::floor(torch::log2(size)));
  // A factor just below a power of two rounds up to one bit too many.
  const torch::Tensor is_long = Round(size * torch::exp2(shift)) >= 1 << kMultiplierBits;
  shift = (shift - is_long.to(torch::kFloat64)).clamp(0, kMaxShift);
  return {Round(f * torch::exp2(shift)), shift};
}

Requantiser Requantiser::Make(const torch::Tensor& gain, const torch::Tensor& bias) {
  Requantiser r;
  r.steps = StepsOf(gain * (1 << kPostShift));
  const torch::Tensor real = bias * (1 << kPostShift);
  r.bias = StraightThrough(real, Round(real));
  return r;
}

torch::Tensor Requantiser::operator()(const torch::Tensor& acc) const {
  const auto type = acc.scalar_type();
  const torch::Tensor m = OfChannels(steps.multiplier.to(type));
  const torch::Tensor unit = OfChannels(torch::exp2(-steps.shift).to(type));
  const torch::Tensor b = OfChannels(bias.to(type));
  const double unit_out = 1.0 / (1 << kPostShift);
  const torch::Tensor real = Clamped((acc * (m * unit) + b) * unit_out,
                                     -static_cast<double>(kMaxActivation), kMaxActivation);
  const torch::NoGradGuard no_grad;
  const torch::Tensor scaled = torch::floor(acc * m * unit) + b;
  const torch::Tensor q = torch::floor((scaled + (1 << (kPostShift - 1))) * unit_out)
                              .clamp(-kMaxActivation, kMaxActivation);
  const torch::AutoGradMode with_grad(real.requires_grad());
  return StraightThrough(real, q);
}

IntegerWeights IntegerWeights::Make(const torch::Tensor& weight) {
  const torch::Tensor scale =
      weight.detach().abs().amax({1, 2, 3}).clamp_min(1e-9) / static_cast<double>(kMaxActivation);
  const torch::Tensor real = weight / scale.view({-1, 1, 1, 1});
  return {StraightThrough(real, Round(real).clamp(-kMaxActivation, kMaxActivation)), scale};
}

torch::Tensor TanhOfTable(const torch::Tensor& u) {
  static const torch::Tensor table = [] {
    torch::Tensor values = torch::empty({2 * kMaxActivation + 1}, torch::kFloat64);
    for (int64_t i = 0; i < values.numel(); ++i) {
      const auto at = static_cast<double>(i - kMaxActivation);
      values[i] = static_cast<double>(std::lround(std::tanh(at / 256) * 1024));
    }
    return values;
  }();
  const torch::Tensor real = torch::tanh(u / 256) * 1024;
  const torch::Tensor at = (u.detach() + kMaxActivation).to(torch::kInt64);
  const torch::Tensor found = table.to(u.options()).index_select(0, at.flatten()).view_as(u);
  return StraightThrough(real, found);
}

torch::Tensor IntegerLeaky(const torch::Tensor& x) {
  const torch::Tensor real = torch::leaky_relu(x, std::exp2(-kSlopeShift));
  const torch::Tensor below =
      torch::floor((x.detach() + std::exp2(kSlopeShift - 1)) * std::exp2(-kSlopeShift));
  return StraightThrough(real, torch::where(x.detach() >= 0, x.detach(), below));
}

}  // namespace lichen
