#include "train/cnn/quantisers.h"

#include <array>
#include <cmath>

#include "base/check.h"

namespace lichen {
namespace {

// By width, from kMinBits.
constexpr std::array<double, kWidthCount> kWeightSteps = {0.996, 0.586, 0.336, 0.190,
                                                          0.106, 0.059, 0.032};
constexpr std::array<double, kWidthCount> kActivationSteps = {0.538, 0.3217, 0.185, 0.104,
                                                              0.058, 0.033,  0.019};
constexpr double kTiny = 1e-12;
constexpr int64_t kGrain = 1 << 15;  // elements that are worth a thread

double OfWidth(const std::array<double, kWidthCount>& steps, int bits) {
  LICHEN_CHECK(bits >= kMinBits && bits <= kMaxBits);
  return steps[static_cast<size_t>(bits - kMinBits)];
}

double UnsignedMax(int bits) { return std::exp2(bits) - 1; }
double SignedMax(int bits) { return std::exp2(bits - 1) - 1; }

QuantiserStep StepOf(double step, double low, double high) {
  return {static_cast<float>(step), static_cast<float>(1 / step), static_cast<float>(low),
          static_cast<float>(high)};
}

double Sigma(const torch::Tensor& w) {
  const torch::NoGradGuard no_grad;
  const double sigma = w.numel() > 1 ? w.to(torch::kFloat64).std().item<double>() : 0;
  return std::max(sigma, kTiny);
}

double LargestTanh(const torch::Tensor& w) {
  const torch::NoGradGuard no_grad;
  return std::max(torch::tanh(w).abs().max().item<double>(), kTiny);
}

QuantiserStep WeightStep(QuantiserKind kind, double sigma, int bits) {
  const double max = SignedMax(bits);
  return kind == QuantiserKind::kDorefa
             ? StepOf(1 / max, -max, max)
             : StepOf(OfWidth(kWeightSteps, bits) * sigma, -max - 1, max);
}

// On any device, without the kernel.
torch::Tensor MixByTensors(const torch::Tensor& x, const torch::Tensor& shares,
                           const std::vector<QuantiserStep>& steps, bool passes_all) {
  torch::Tensor sum;
  for (size_t k = 0; k < steps.size(); ++k) {
    const QuantiserStep& s = steps[k];
    const torch::Tensor scaled = x * s.inverse;
    const torch::Tensor clamped = scaled.clamp(s.low, s.high);
    const torch::Tensor real = passes_all ? scaled : clamped;
    const torch::Tensor q = torch::round(clamped.detach()) + (real - real.detach());
    const torch::Tensor part = q * (s.step * shares[static_cast<int64_t>(k)]);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

std::span<const float> Floats(const torch::Tensor& t) {
  return {t.data_ptr<float>(), static_cast<size_t>(t.numel())};
}

// Steps in a form that an AutogradContext keeps.
std::vector<double> Packed(const std::vector<QuantiserStep>& steps) {
  std::vector<double> packed;
  for (const QuantiserStep& s : steps) {
    packed.insert(packed.end(), {s.step, s.inverse, s.low, s.high});
  }
  return packed;
}

std::vector<QuantiserStep> Unpacked(const std::vector<double>& packed) {
  std::vector<QuantiserStep> steps;
  for (size_t i = 0; i + 3 < packed.size(); i += 4) {
    steps.push_back({static_cast<float>(packed[i]), static_cast<float>(packed[i + 1]),
                     static_cast<float>(packed[i + 2]), static_cast<float>(packed[i + 3])});
  }
  return steps;
}

class MixOnCpu : public torch::autograd::Function<MixOnCpu> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& input, const torch::Tensor& shares,
                               std::vector<QuantiserStep> steps, bool passes_all) {
    const torch::Tensor x = input.contiguous(input.suggest_memory_format());
    torch::Tensor y = torch::empty_like(x);
    const auto s = Floats(shares);
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      MixQuantised(x.data_ptr<float>() + begin, end - begin, steps, s, y.data_ptr<float>() + begin);
    });
    context->save_for_backward({x, shares});
    context->saved_data["passes_all"] = passes_all;
    context->saved_data["steps"] = Packed(steps);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor& shares = saved[1];
    const bool passes_all = context->saved_data["passes_all"].toBool();
    const std::vector<QuantiserStep> steps =
        Unpacked(context->saved_data["steps"].toDoubleVector());
    const torch::Tensor g = gradients[0].contiguous(x.suggest_memory_format());
    torch::Tensor gx = torch::empty_like(x);
    // Parts of fixed size, so that the sums do not depend on the number of threads.
    const int64_t parts = (x.numel() + kGrain - 1) / kGrain;
    torch::Tensor sums = torch::zeros({parts, shares.numel()}, torch::kFloat64);
    at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const int64_t first = part * kGrain;
        MixQuantisedBackward(x.data_ptr<float>() + first, g.data_ptr<float>() + first,
                             std::min(kGrain, x.numel() - first), steps, Floats(shares), passes_all,
                             gx.data_ptr<float>() + first,
                             {sums.data_ptr<double>() + part * shares.numel(), steps.size()});
      }
    });
    return {gx, sums.sum(0).to(torch::kFloat32), {}, {}};
  }
};

}  // namespace

double ActivationStep(QuantiserKind kind, int bits) {
  return kind == QuantiserKind::kHalfWave ? OfWidth(kActivationSteps, bits) : 1 / UnsignedMax(bits);
}

double PictureStep(QuantiserKind kind, int bits) {
  return kind == QuantiserKind::kHalfWave ? std::exp2(-bits) : 1 / UnsignedMax(bits);
}

QuantisedWeights QuantiseWeights(QuantiserKind kind, const torch::Tensor& weight, int bits) {
  const torch::NoGradGuard no_grad;
  const bool is_dorefa = kind == QuantiserKind::kDorefa;
  const double sigma = is_dorefa ? 1 : Sigma(weight);
  const torch::Tensor w = is_dorefa ? torch::tanh(weight) / LargestTanh(weight) : weight.detach();
  const QuantiserStep s = WeightStep(kind, sigma, bits);
  return {torch::round((w * s.inverse).clamp(s.low, s.high)),
          is_dorefa ? 1 / SignedMax(bits) : OfWidth(kWeightSteps, bits) * sigma};
}

torch::Tensor MixQuantised(const torch::Tensor& x, const torch::Tensor& shares,
                           const std::vector<QuantiserStep>& steps, bool passes_all) {
  LICHEN_CHECK(shares.numel() == static_cast<int64_t>(steps.size()));
  if (!x.is_cpu() || x.scalar_type() != torch::kFloat32) {
    return MixByTensors(x, shares, steps, passes_all);
  }
  return MixOnCpu::apply(x, shares, steps, passes_all);
}

torch::Tensor FakeQuantisedWeights(QuantiserKind kind, const torch::Tensor& w,
                                   std::span<const int> bits, const torch::Tensor& shares) {
  const bool is_dorefa = kind == QuantiserKind::kDorefa;
  const double sigma = is_dorefa ? 1 : Sigma(w);
  std::vector<QuantiserStep> steps;
  for (const int b : bits) steps.push_back(WeightStep(kind, sigma, b));
  const torch::Tensor real = is_dorefa ? torch::tanh(w) / LargestTanh(w) : w;
  return MixQuantised(real, shares, steps, /*passes_all=*/true);
}

QuantisedWeights FakeQuantisedWeights(QuantiserKind kind, const torch::Tensor& w, int bits) {
  const double step = QuantiseWeights(kind, w, bits).step;
  const torch::Tensor one = torch::ones({1}, w.options().requires_grad(false));
  return {FakeQuantisedWeights(kind, w, std::span(&bits, 1), one) * (1 / step), step};
}

ActivationMixture MixtureOf(QuantiserKind kind, std::span<const int> bits,
                            const torch::Tensor& shares) {
  ActivationMixture mixture = {.shares = shares};
  for (const int b : bits) {
    mixture.steps.push_back(StepOf(ActivationStep(kind, b), 0, UnsignedMax(b)));
  }
  if (bits.size() == 1) mixture.unit = ActivationStep(kind, bits[0]);
  return mixture;
}

torch::Tensor QuantisePicture(const torch::Tensor& samples, int bits) {
  return torch::floor(samples * std::exp2(bits - kMaxBits));
}

}  // namespace lichen
