#include "train/cnn/cnn.h"

#include <cmath>

#include "base/check.h"
#include "train/cnn/depthwise.h"
#include "train/cnn/quantisers.h"

namespace lichen {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;
constexpr double kExactFloat = 1 << 24;  // float32 holds every integer up to here

const CnnBypass* BypassTo(const CnnDefinition& net, size_t layer) {
  for (const CnnBypass& bypass : net.bypasses) {
    if (bypass.to == layer) return &bypass;
  }
  return nullptr;
}

bool StartsBypass(const CnnDefinition& net, size_t layer) {
  for (const CnnBypass& bypass : net.bypasses) {
    if (bypass.from == layer) return true;
  }
  return false;
}

// (x * multiplier + bias + half) >> shift, per channel, within the range.
torch::Tensor Requantised(const torch::Tensor& acc, const IntegerLayer& layer) {
  const auto of_channels = [](const torch::Tensor& v) { return v.view({1, -1, 1, 1}); };
  const int64_t half = layer.shift > 0 ? int64_t{1} << (layer.shift - 1) : 0;
  return torch::bitwise_right_shift(
             acc * of_channels(layer.multiplier) + of_channels(layer.bias) + half, layer.shift)
      .clamp(0, (int64_t{1} << layer.output_bits) - 1);
}

}  // namespace

torch::Tensor SpaceToDepth2(const torch::Tensor& x) {
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2) / 2, w = x.size(3) / 2;
  return x.reshape({n, c, h, 2, w, 2}).permute({0, 3, 5, 1, 2, 4}).reshape({n, 4 * c, h, w});
}

int64_t BypassMultiplier(QuantiserKind kind, int from_bits, int to_bits) {
  return std::llround(ActivationStep(kind, from_bits) / ActivationStep(kind, to_bits) *
                      std::exp2(kBypassShift));
}

Cnn::Cnn(CnnDefinition definition, CnnPrecision precision)
    : definition_(std::move(definition)),
      shapes_(ShapesOf(definition_)),
      precision_(std::move(precision)) {
  LICHEN_CHECK(precision_.IsFloat() || (precision_.weight_bits.size() == shapes_.size() &&
                                        precision_.activation_bits.size() == shapes_.size()));
  for (size_t i = 0; i < shapes_.size(); ++i) {
    const CnnLayerShape& s = shapes_[i];
    const int64_t in = s.in_channels / s.groups;
    const bool is_last = i + 1 == shapes_.size();
    const auto fan_in = static_cast<double>(in * s.kernel_h * s.kernel_w);
    const auto name = [&](const char* what) { return fmt::format("layer{}_{}", i, what); };
    Layer layer;
    layer.weight = register_parameter(name("weight"),
                                      torch::randn({s.out_channels, in, s.kernel_h, s.kernel_w}) *
                                          std::sqrt((is_last ? 1.0 : 2.0) / fan_in));
    if (!is_last) {
      layer.scale = register_parameter(name("scale"), torch::ones({s.out_channels}));
      layer.mean = register_buffer(name("mean"), torch::zeros({s.out_channels}));
      layer.variance = register_buffer(name("variance"), torch::ones({s.out_channels}));
    }
    layer.shift = register_parameter(name("shift"), torch::zeros({s.out_channels}));
    layers_.push_back(std::move(layer));
  }
}

torch::Tensor Cnn::Convolved(size_t i, const torch::Tensor& x, const torch::Tensor& weight) const {
  if (definition_.layers[i].is_linear) {
    return torch::matmul(x.flatten(1), weight.flatten(1).t()).view({x.size(0), -1, 1, 1});
  }
  const int64_t pad = definition_.layers[i].pad;
  if (definition_.layers[i].is_depthwise) return DepthwiseConv(x, weight, pad);
  return torch::conv2d(x, weight, {}, /*stride=*/1, /*padding=*/{pad, pad});
}

Cnn::Scaled Cnn::NormOf(size_t i, const torch::Tensor& sum, double unit, bool pools) {
  const Layer& l = layers_[i];
  const ActivationMixture mixture = MixtureOf(i + 1);
  return {NormQuantised(sum, unit, {l.scale, l.shift, l.mean, l.variance, kMomentum, kEpsilon},
                        mixture, pools, is_training()),
          mixture.unit};
}

torch::Tensor Cnn::Joined(size_t i, const Scaled& from, torch::ScalarType type) {
  const torch::Tensor real = SpaceToDepth2(from.values).to(torch::kFloat32) * from.unit;
  const ActivationMixture mixture = MixtureOf(i);
  if (mixture.steps.empty()) return real.to(type);
  return (MixQuantised(real, mixture.shares, mixture.steps, /*passes_all=*/false) *
          (1 / mixture.unit))
      .to(type);
}

Cnn::Scaled Cnn::PictureOf(const torch::Tensor& samples) {
  if (precision_.IsFloat()) return {samples, 1.0 / 256};
  const int bits = precision_.activation_bits[0];
  return {QuantisePicture(samples, bits), PictureStep(precision_.quantiser, bits)};
}

ActivationMixture Cnn::MixtureOf(size_t i) {
  if (precision_.IsFloat()) return {};
  return lichen::MixtureOf(precision_.quantiser, std::span(&precision_.activation_bits[i], 1),
                           torch::ones({1}, layers_[i].weight.options().requires_grad(false)));
}

Cnn::Scaled Cnn::WeightOf(size_t i) {
  if (precision_.IsFloat()) return {layers_[i].weight, 1};
  const QuantisedWeights w =
      FakeQuantisedWeights(precision_.quantiser, layers_[i].weight, precision_.weight_bits[i]);
  return {w.integers, w.step};
}

torch::Tensor Cnn::Forward(const torch::Tensor& samples) {
  const torch::ScalarType type = is_training() ? compute_type_ : torch::kFloat32;
  const auto prepared = [&](const torch::Tensor& t) {
    return t.to(type).contiguous(torch::MemoryFormat::ChannelsLast);
  };
  Scaled x = PictureOf(samples);
  x.values = prepared(x.values);
  std::map<size_t, Scaled> kept;  // starts of bypasses
  for (size_t i = 0; i + 1 < layers_.size(); ++i) {
    if (const CnnBypass* bypass = BypassTo(definition_, i)) {
      x.values = prepared(torch::cat({Joined(i, kept.at(bypass->from), type), x.values}, 1));
    }
    const Scaled weight = WeightOf(i);
    const torch::Tensor sum = Convolved(i, x.values, prepared(weight.values));
    const double unit = x.unit * weight.unit;
    const bool pools = definition_.layers[i].is_pooled;
    if (StartsBypass(definition_, i)) {
      x = kept[i] = NormOf(i, sum, unit, /*pools=*/false);
      if (pools) x.values = torch::max_pool2d(x.values, 2);
    } else {
      x = NormOf(i, sum, unit, pools);
    }
  }
  const size_t last = layers_.size() - 1;
  const Scaled weight = WeightOf(last);
  return Convolved(last, x.values.to(torch::kFloat32), weight.values) * (x.unit * weight.unit) +
         layers_[last].shift.view({1, -1, 1, 1});
}

std::pair<torch::Tensor, torch::Tensor> Cnn::FoldedNorm(size_t i) const {
  const Layer& l = layers_[i];
  const torch::Tensor scale =
      l.scale.detach().to(torch::kFloat64) / torch::sqrt(l.variance.to(torch::kFloat64) + kEpsilon);
  return {scale, l.shift.detach().to(torch::kFloat64) - l.mean.to(torch::kFloat64) * scale};
}

IntegerLayer Cnn::ToIntegers(size_t i) const {
  const torch::NoGradGuard no_grad;
  const QuantiserKind kind = precision_.quantiser;
  const bool is_last = i + 1 == layers_.size();
  IntegerLayer layer;
  layer.weight_bits = precision_.weight_bits[i];
  layer.input_bits = precision_.activation_bits[i];
  layer.input_step =
      i == 0 ? PictureStep(kind, layer.input_bits) : ActivationStep(kind, layer.input_bits);
  const QuantisedWeights w = QuantiseWeights(kind, layers_[i].weight, layer.weight_bits);
  layer.weights = w.integers.to(torch::kCPU).to(torch::kFloat64);
  const double unit = w.step * layer.input_step;  // what 1 of a sum stands for
  const auto integers = [](const torch::Tensor& x) {
    return torch::round(x).to(torch::kCPU).to(torch::kInt64);
  };
  if (is_last) {
    layer.output_step = unit;
    layer.bias = integers(layers_[i].shift.to(torch::kFloat64) / unit);
    return layer;
  }
  layer.output_bits = precision_.activation_bits[i + 1];
  layer.output_step = ActivationStep(kind, layer.output_bits);
  layer.shift = definition_.requant_shift + layer.weight_bits + layer.input_bits - 1;
  const auto [scale, shift] = FoldedNorm(i);
  const double one = std::exp2(layer.shift);
  layer.multiplier = integers(scale * (unit / layer.output_step * one));
  layer.bias = integers(shift * (1 / layer.output_step * one));
  return layer;
}

std::vector<NamedActivation> Cnn::Integers(const torch::Tensor& samples) const {
  LICHEN_CHECK(!precision_.IsFloat());
  const torch::NoGradGuard no_grad;
  std::vector<NamedActivation> all;
  const auto keep = [&](std::string name, torch::Tensor values) {
    all.push_back({std::move(name), values});
    return values;
  };
  torch::Tensor x = keep("input", samples.to(torch::kCPU).to(torch::kInt64));
  if (const int bits = precision_.activation_bits[0]; bits < kMaxBits) {
    x = keep("x", torch::bitwise_right_shift(x, kMaxBits - bits));
  }
  std::map<size_t, torch::Tensor> kept;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const IntegerLayer layer = ToIntegers(i);
    if (const CnnBypass* bypass = BypassTo(definition_, i)) {
      const torch::Tensor blocks = keep("bypass.blocks", SpaceToDepth2(kept.at(bypass->from)));
      const int64_t m = BypassMultiplier(
          precision_.quantiser, precision_.activation_bits[bypass->from + 1], layer.input_bits);
      const torch::Tensor scaled = keep(
          "bypass",
          torch::bitwise_right_shift(blocks * m + (int64_t{1} << (kBypassShift - 1)), kBypassShift)
              .clamp(0, (int64_t{1} << layer.input_bits) - 1));
      x = keep("bypass.concat", torch::cat({scaled, x}, 1));
    }
    // Sums of whole numbers are exact in any order as long as the type holds them.
    const double most = layer.weights.abs().flatten(1).sum(1).max().item<double>() *
                        (std::exp2(layer.input_bits) - 1);
    const auto type = most < kExactFloat ? torch::kFloat32 : torch::kFloat64;
    const torch::Tensor sum = Convolved(i, x.to(type), layer.weights.to(type)).to(torch::kInt64);
    const std::string name = fmt::format("layer{}", i);
    if (i + 1 == layers_.size()) {
      keep(name, sum + layer.bias.view({1, -1, 1, 1}));
      break;
    }
    x = keep(name, Requantised(sum, layer));
    if (StartsBypass(definition_, i)) kept[i] = x;
    if (definition_.layers[i].is_pooled) {
      // No maximum of integers in libtorch; these are small.
      x = keep(fmt::format("pool{}", i),
               torch::max_pool2d(x.to(torch::kFloat32), 2).to(torch::kInt64));
    }
  }
  return all;
}

torch::Tensor Cnn::Evaluate(const torch::Tensor& samples) {
  const torch::NoGradGuard no_grad;
  if (precision_.IsFloat()) {
    const bool was_training = is_training();
    eval();
    const torch::Tensor out = Forward(samples);
    train(was_training);
    return out;
  }
  return Integers(samples).back().values.to(torch::kFloat64) *
         ToIntegers(layers_.size() - 1).output_step;
}

}  // namespace lichen
