#include "quant/products.h"

#include <algorithm>
#include <cmath>

#include "net/proof.h"

namespace lichen {
namespace {

constexpr double kMultiplierLimit = 1 << 17;
constexpr int kMaxPostShift = 44;
constexpr int kClippedBits = 8;  // weights of so few bits gain from saturating the largest

// One output channel's weights as they meet the raw input: w * input_scale.
class Channel {
 public:
  Channel(const ProductSpec& spec, int64_t oc) : spec_(spec) {
    const Geometry& g = spec.geometry;
    const int64_t in_per_group = spec.inputs / g.groups;
    const int64_t first_ic = oc / (spec.outputs / g.groups) * in_per_group;
    const int64_t count = static_cast<int64_t>(spec.weights.size()) / spec.outputs;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t ic = first_ic + i % in_per_group;
      const double weight = spec.weights[static_cast<size_t>(oc * count + i)];
      inputs_.push_back(static_cast<size_t>(ic));
      scaled_.push_back(weight * spec.input_scale[static_cast<size_t>(ic)]);
    }
  }

  double MaxAbs() const {
    double largest = 0;
    for (double w : scaled_) largest = std::max(largest, std::abs(w));
    return largest;
  }

  // The step that `limit` steps of weight reach the largest with, or saturate it for less error.
  double Step(int64_t limit) const {
    const double full = MaxAbs() / static_cast<double>(limit);
    if (spec_.weight_bits > kClippedBits || full == 0) return full;
    double best = full;
    double best_error = Error(full, limit);
    for (int i = 1; i <= 32; ++i) {
      const double step = full * (1 - i / 64.0);
      const double error = Error(step, limit);
      if (error >= best_error) continue;
      best_error = error;
      best = step;
    }
    return best;
  }

  std::vector<int16_t> Round(double step, int64_t limit) const {
    std::vector<int16_t> weights;
    weights.reserve(scaled_.size());
    for (double w : scaled_) {
      const double raw = std::floor(w / step + 0.5);
      const auto bound = static_cast<double>(limit);
      weights.push_back(static_cast<int16_t>(std::clamp(raw, -bound, bound)));
    }
    return weights;
  }

  // Rounds against each other, for the least error of the output.
  std::vector<int16_t> RoundTogether(double step, int64_t limit) const {
    std::vector<int16_t> weights = Round(step, limit);
    if (step == 0) return weights;
    const bool is_norm = spec_.kind == OpKind::kGdn || spec_.kind == OpKind::kIgdn;
    std::vector<double> targets;
    std::vector<double> scales;
    for (size_t i = 0; i < scaled_.size(); ++i) {
      targets.push_back(scaled_[i] / step);
      scales.push_back(spec_.input_scale[inputs_[i]] / step);
    }
    for (const GramPhase& phase : spec_.gram->phases) {
      RefineRounding(phase, targets, scales, is_norm ? 0 : -limit, limit, weights);
    }
    return weights;
  }

  // What the rounded weights lack on average: sum (w - rounded) * mean, in real units.
  double MeanError(const std::vector<int16_t>& rounded, double step) const {
    double error = 0;
    for (size_t i = 0; i < scaled_.size(); ++i) {
      const double raw_mean = spec_.input_mean[inputs_[i]] / spec_.input_scale[inputs_[i]];
      error += (scaled_[i] - rounded[i] * step) * raw_mean;
    }
    const Geometry& g = spec_.geometry;
    const bool is_transposed = spec_.kind == OpKind::kConvTranspose2d;
    return is_transposed ? error / (g.stride_h * g.stride_w) : error;
  }

  int32_t Segments(std::vector<int16_t> rounded) const {
    IntGraph graph;
    graph.tensors.resize(2);
    graph.tensors[0].channels = spec_.inputs;
    graph.tensors[0].range = spec_.input_range;
    graph.tensors[1].channels = 1;
    IntNode node{.kind = spec_.kind, .inputs = {{0}}, .output = {1}, .geometry = spec_.geometry};
    node.params.weights = std::move(rounded);
    return BoundSums(graph, node).channels[0].segments;
  }

 private:
  double Error(double step, int64_t limit) const {
    const std::vector<int16_t> rounded = Round(step, limit);
    double error = 0;
    for (size_t i = 0; i < scaled_.size(); ++i) {
      const double scale = spec_.input_scale[inputs_[i]];
      const double lost = (scaled_[i] - rounded[i] * step) / scale;
      error += lost * lost * spec_.input_square[inputs_[i]];
    }
    return error;
  }

  const ProductSpec& spec_;
  std::vector<double> scaled_;
  std::vector<size_t> inputs_;  // input channel of each weight
};

int64_t ProductsPerOutput(const ProductSpec& spec) {
  const Geometry& g = spec.geometry;
  const bool is_transposed = spec.kind == OpKind::kConvTranspose2d;
  const auto taps = [is_transposed](int64_t kernel, int64_t stride) {
    return is_transposed ? (kernel + stride - 1) / stride : kernel;
  };
  return taps(g.kernel_h, g.stride_h) * taps(g.kernel_w, g.stride_w) * (spec.inputs / g.groups);
}

// The largest shift at which every multiplier step / output_scale * 2^shift stays below its limit.
Result<int> ChooseShift(const std::vector<double>& steps, const std::vector<double>& output_scale) {
  double largest = 0;
  for (size_t c = 0; c < steps.size(); ++c) {
    largest = std::max(largest, steps[c] / output_scale[c]);
  }
  if (largest == 0) return kMaxPostShift / 2;
  // A little room for steps that grow later.
  const double room = kMultiplierLimit * 0.98 - 1;
  const int shift = static_cast<int>(std::floor(std::log2(room / largest)));
  if (shift < 0) return Fail("its output's scale is too fine for its weights");
  return std::min(shift, kMaxPostShift);
}

}  // namespace

Result<Products> QuantiseProducts(const ProductSpec& spec) {
  const int64_t limit = (int64_t{1} << (spec.weight_bits - 1)) - 1;
  const int64_t segments =
      std::max<int64_t>(1, ProductsPerOutput(spec) / spec.products_per_segment);
  constexpr double kGrowth = 1.01;
  std::vector<Channel> channels;
  std::vector<double> steps;
  for (int64_t oc = 0; oc < spec.outputs; ++oc) {
    const Channel& channel = channels.emplace_back(spec, oc);
    double step = channel.Step(limit);
    while (step > 0 && channel.Segments(channel.Round(step, limit)) > segments) step *= kGrowth;
    steps.push_back(step);
  }
  LICHEN_TRY(const int shift, ChooseShift(steps, spec.output_scale));

  Products products;
  ChannelRequant& requant = products.requant;
  requant.post_shift = static_cast<uint8_t>(shift);
  requant.multiplier.clear();
  requant.bias.clear();
  for (size_t c = 0; c < channels.size(); ++c) {
    const double unit = spec.output_scale[c] * std::exp2(-shift);
    double multiplier = std::max(1.0, std::ceil(steps[c] / unit));
    std::vector<int16_t> rounded = channels[c].Round(multiplier * unit, limit);
    while (channels[c].Segments(rounded) > segments) {
      multiplier = std::max(multiplier + 1, std::floor(multiplier * kGrowth));
      rounded = channels[c].Round(multiplier * unit, limit);
    }
    if (multiplier >= kMultiplierLimit) return Fail("channel {}: its multiplier is too large", c);
    const double step = multiplier * unit;
    if (spec.gram) {
      std::vector<int16_t> together = channels[c].RoundTogether(step, limit);
      if (channels[c].Segments(together) <= segments) rounded = std::move(together);
    }
    const double bias =
        (spec.bias.empty() ? 0.0 : double{spec.bias[c]}) + channels[c].MeanError(rounded, step);
    requant.multiplier.push_back(static_cast<int64_t>(multiplier));
    requant.bias.push_back(std::llround(bias / unit));
    products.accumulator_scale.push_back(step);
    products.weights.insert(products.weights.end(), rounded.begin(), rounded.end());
  }
  products.weight_bits = SignedBitsOf(products.weights);
  return products;
}

}  // namespace lichen
