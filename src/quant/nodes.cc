#include "quant/nodes.h"

#include <algorithm>
#include <cmath>

#include "quant/products.h"

namespace lichen {
namespace {

constexpr double kMultiplierLimit = 1 << 17;
constexpr int kMaxPostShift = 44;
// Norms and gains are wide, so there is no reason to cut their ranges close.
constexpr double kNormMargin = 2;
constexpr double kLeastNormShare = 1.0 / 1024;

double ScaleAt(const TensorInfo& tensor, int64_t c) {
  return tensor.scale[tensor.scale.size() == 1 ? 0 : static_cast<size_t>(c)];
}

std::vector<double> ScalesOf(const TensorInfo& tensor) {
  std::vector<double> scales;
  for (int64_t c = 0; c < tensor.channels; ++c) scales.push_back(ScaleAt(tensor, c));
  return scales;
}

// Multipliers with one post_shift, such that each is near factor[c] * 2^post_shift.
Result<ChannelRequant> RequantOf(const std::vector<double>& factors) {
  double largest = 0;
  for (double f : factors) largest = std::max(largest, std::abs(f));
  const double room = kMultiplierLimit - 1;
  const int shift = largest == 0 ? 0 : static_cast<int>(std::floor(std::log2(room / largest)));
  if (shift < 0) return Fail("its output's scale is too fine for its input");
  ChannelRequant requant;
  requant.post_shift = static_cast<uint8_t>(std::min(shift, kMaxPostShift));
  requant.multiplier.clear();
  for (double f : factors) {
    requant.multiplier.push_back(std::llround(std::ldexp(f, requant.post_shift)));
  }
  return requant;
}

class NodeQuantiser {
 public:
  NodeQuantiser(const FloatGraph& graph, size_t index, const std::vector<TensorInfo>& tensors,
                const GraphStatistics& statistics, const NodeOptions& options)
      : node_(graph.nodes[index]),
        input_(tensors[static_cast<size_t>(node_.inputs[0].index)]),
        output_(tensors[static_cast<size_t>(node_.output.index)]),
        input_statistics_(statistics.tensors[static_cast<size_t>(node_.inputs[0].index)]),
        norm_statistics_(statistics.norms[index]),
        options_(options) {
    result_ = {.kind = node_.kind,
               .inputs = node_.inputs,
               .output = node_.output,
               .geometry = node_.geometry};
    if (IsRelu(graph, node_)) result_.kind = OpKind::kClamp;
  }

  Result<IntNode> Run() {
    switch (result_.kind) {
      case OpKind::kConv2d:
      case OpKind::kConvTranspose2d:
      case OpKind::kLinear:
        LICHEN_TRY_VOID(Sums(ScalesOf(output_)));
        break;
      case OpKind::kGdn:
        LICHEN_TRY_VOID(Gdn());
        break;
      case OpKind::kIgdn:
        LICHEN_TRY_VOID(Igdn());
        break;
      case OpKind::kLagc:
        LICHEN_TRY_VOID(Lagc());
        break;
      case OpKind::kRequant:
        LICHEN_TRY_VOID(Scale());
        break;
      case OpKind::kLeakyRelu:
        LICHEN_TRY_VOID(Slope());
        break;
      case OpKind::kLut:
        return Fail("tables of a float net cannot be quantised");
      default:
        break;
    }
    return std::move(result_);
  }

 private:
  IntParams& params() { return result_.params; }

  // Weights and requant of the sum of products, into units of sum_scale.
  Result<void> Sums(std::vector<double> sum_scale) {
    const bool is_norm = node_.kind == OpKind::kGdn || node_.kind == OpKind::kIgdn;
    ProductSpec spec{.kind = node_.kind,
                     .geometry = node_.geometry,
                     .outputs = output_.channels,
                     .inputs = input_.channels,
                     .weights = node_.params.weights,
                     .bias = node_.params.bias,
                     .input_range = input_.range,
                     .input_scale = ScalesOf(input_),
                     .output_scale = std::move(sum_scale),
                     .weight_bits = options_.weight_bits,
                     .products_per_segment = options_.products_per_segment};
    if (options_.gram && !options_.gram->phases.empty()) spec.gram = options_.gram;
    for (const ChannelStatistics& c : input_statistics_.channels) {
      spec.input_mean.push_back(is_norm ? c.MeanAbs() : c.Mean());
      spec.input_square.push_back(c.MeanSquare());
    }
    LICHEN_TRY(Products products, QuantiseProducts(spec));
    params().weights = std::move(products.weights);
    params().weight_bits = products.weight_bits;
    params().requant = std::move(products.requant);
    return {};
  }

  // Per channel, such that the largest norm seen, with a margin, is max_norm.
  std::vector<double> NormScales(int64_t max_norm) const {
    std::vector<double> scales;
    for (const ChannelStatistics& c : norm_statistics_.channels) {
      const double largest = std::max(c.MaxAbs(), norm_statistics_.MaxAbs() * kLeastNormShare);
      scales.push_back(largest > 0 ? largest * kNormMargin / static_cast<double>(max_norm) : 1.0);
    }
    return scales;
  }

  Result<void> Gdn() {
    const std::vector<double> norm_scale = NormScales(kMaxGdnNorm);
    LICHEN_TRY_VOID(Sums(norm_scale));
    params().inner_range = {1, kMaxGdnNorm};
    params().output_requant.multiplier.clear();
    for (int64_t c = 0; c < output_.channels; ++c) {
      const double multiplier =
          ScaleAt(input_, c) / (norm_scale[static_cast<size_t>(c)] * ScaleAt(output_, c));
      if (multiplier * static_cast<double>(input_.range.MaxAbs()) >= 0x1p47) {
        return Fail("channel {}: its output's scale is too fine for its input", c);
      }
      params().output_requant.multiplier.push_back(std::max<int64_t>(1, std::llround(multiplier)));
    }
    return {};
  }

  Result<void> Igdn() {
    const std::vector<double> norm_scale = NormScales(kMaxIgdnNorm);
    LICHEN_TRY_VOID(Sums(norm_scale));
    params().inner_range = {1, kMaxIgdnNorm};
    std::vector<double> factors;
    for (int64_t c = 0; c < output_.channels; ++c) {
      factors.push_back(ScaleAt(input_, c) * norm_scale[static_cast<size_t>(c)] /
                        ScaleAt(output_, c));
    }
    LICHEN_TRY(params().output_requant, RequantOf(factors));
    return {};
  }

  // tanh as a table over u = A x + b in steps of 2^-10, values in Q14; the gain in Q12 or coarser.
  Result<void> Lagc() {
    constexpr double kStep = 0x1p-10;
    constexpr int64_t kLast = 6 * 1024;  // tanh(6) is 1 to 2^-16
    constexpr double kTanhOne = 1 << 14;
    const auto outputs = static_cast<size_t>(output_.channels);
    LICHEN_TRY_VOID(Sums(std::vector<double>(outputs, kStep)));
    params().inner_range = {-kLast, kLast};
    params().table_first = -kLast;
    for (int64_t u = -kLast; u <= kLast; ++u) {
      params().table.push_back(
          static_cast<int32_t>(std::llround(std::tanh(static_cast<double>(u) * kStep) * kTanhOne)));
    }
    const FloatParams& p = node_.params;
    double largest = 1;
    for (size_t c = 0; c < outputs; ++c) {
      largest = std::max<double>(largest, std::abs(p.gain[c]) + std::abs(1 + p.gain_bias[c]));
    }
    constexpr double kMaxGain = (1 << 15) - 1;
    const double gain_scale = std::exp2(std::ceil(std::log2(largest / kMaxGain)));
    params().gain_range = {-static_cast<int64_t>(kMaxGain), static_cast<int64_t>(kMaxGain)};
    std::vector<double> factors;
    std::vector<double> output_factors;
    for (size_t c = 0; c < outputs; ++c) {
      factors.push_back(p.gain[c] / kTanhOne / gain_scale);
      output_factors.push_back(gain_scale * ScaleAt(input_, static_cast<int64_t>(c)) /
                               ScaleAt(output_, static_cast<int64_t>(c)));
    }
    LICHEN_TRY(params().gain_requant, RequantOf(factors));
    params().gain_requant.bias.clear();
    for (size_t c = 0; c < outputs; ++c) {
      params().gain_requant.bias.push_back(std::llround(
          std::ldexp((1.0 + p.gain_bias[c]) / gain_scale, params().gain_requant.post_shift)));
    }
    LICHEN_TRY(params().output_requant, RequantOf(output_factors));
    return {};
  }

  // x * gain + bias.
  Result<void> Scale() {
    const FloatParams& p = node_.params;
    std::vector<double> factors;
    for (int64_t c = 0; c < output_.channels; ++c) {
      factors.push_back(p.gain[static_cast<size_t>(c)] * ScaleAt(input_, c) / ScaleAt(output_, c));
    }
    LICHEN_TRY(params().requant, RequantOf(factors));
    if (p.bias.empty()) return {};
    params().requant.bias.clear();
    for (int64_t c = 0; c < output_.channels; ++c) {
      params().requant.bias.push_back(std::llround(std::ldexp(
          p.bias[static_cast<size_t>(c)] / ScaleAt(output_, c), params().requant.post_shift)));
    }
    return {};
  }

  Result<void> Slope() {
    const double shift = -std::log2(double{node_.params.slope});
    constexpr int kMaxSlopeShift = 31;
    if (!(shift >= 0 && shift <= kMaxSlopeShift) || shift != std::floor(shift)) {
      return Fail("its slope {} is neither 0 nor 2^-n; train or import it with such a slope",
                  node_.params.slope);
    }
    params().slope_shift = static_cast<int32_t>(shift);
    return {};
  }

  const FloatNode& node_;
  const TensorInfo& input_;
  const TensorInfo& output_;
  const TensorStatistics& input_statistics_;
  const TensorStatistics& norm_statistics_;
  const NodeOptions& options_;
  IntNode result_;
};

}  // namespace

Result<IntNode> QuantiseNode(const FloatGraph& graph, size_t node_index,
                             const std::vector<TensorInfo>& tensors,
                             const GraphStatistics& statistics, const NodeOptions& options) {
  return NodeQuantiser(graph, node_index, tensors, statistics, options).Run();
}

}  // namespace lichen
