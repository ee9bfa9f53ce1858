#include <cmath>

#include "net/graph_builder.h"
#include "net/proof.h"
#include "train/cnn/cnn.h"
#include "train/cnn/quantisers.h"

namespace lichen {
namespace {

constexpr Geometry kPool = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};

ValueRange Unsigned(int bits) { return {0, (int64_t{1} << bits) - 1}; }

Geometry GeometryOf(const CnnLayer& layer, const CnnLayerShape& shape) {
  const auto pad = static_cast<int32_t>(layer.pad);
  return {.kernel_h = static_cast<int32_t>(shape.kernel_h),
          .kernel_w = static_cast<int32_t>(shape.kernel_w),
          .pad_top = pad,
          .pad_bottom = pad,
          .pad_left = pad,
          .pad_right = pad,
          .groups = static_cast<int32_t>(shape.groups)};
}

template <class To, class From>
std::vector<To> ToVector(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.contiguous();
  const From* first = flat.data_ptr<From>();
  return std::vector<To>(first, first + flat.numel());
}

OpKind KindOf(const CnnLayer& layer) { return layer.is_linear ? OpKind::kLinear : OpKind::kConv2d; }

// (out, in, ky, kx) -> (out, ky, kx, in).
torch::Tensor Ohwi(const torch::Tensor& weights) { return weights.permute({0, 2, 3, 1}); }

// Adds the nodes that carry the output of one layer to a later one.
class BypassNodes {
 public:
  BypassNodes(const CnnDefinition& net, const CnnPrecision& precision,
              GraphBuilder<IntParams>& builder)
      : net_(net), precision_(precision), builder_(builder) {}

  void Note(size_t layer, TensorId output) { outputs_.resize(layer + 1), outputs_[layer] = output; }

  // What layer `to` reads: `at`, or behind a bypass.
  TensorId Join(size_t to, TensorId at) {
    for (const CnnBypass& bypass : net_.bypasses) {
      if (bypass.to == to) at = Add(bypass, at);
    }
    return at;
  }

 private:
  TensorId Add(const CnnBypass& bypass, TensorId at) {
    const int from_bits = precision_.activation_bits[bypass.from + 1];
    const int to_bits = precision_.activation_bits[bypass.to];
    TensorInfo blocks = builder_.tensor(outputs_[bypass.from]);
    blocks.name = "bypass.blocks";
    blocks.channels *= 4;
    const TensorId reordered =
        builder_.Add(OpKind::kSpaceToDepth, {outputs_[bypass.from]}, blocks, {.block = 2});
    IntParams p;
    p.requant.multiplier = {BypassMultiplier(precision_.quantiser, from_bits, to_bits)};
    p.requant.post_shift = kBypassShift;
    TensorInfo scaled = blocks;
    scaled.name = "bypass";
    scaled.range = Unsigned(to_bits);
    scaled.scale = builder_.tensor(at).scale;
    const TensorId id = builder_.Add(OpKind::kRequant, {reordered}, scaled, {}, std::move(p));
    TensorInfo joined = builder_.tensor(at);
    joined.name = "bypass.concat";
    joined.channels += scaled.channels;
    return builder_.Add(OpKind::kConcat, {id, at}, std::move(joined));
  }

  const CnnDefinition& net_;
  const CnnPrecision& precision_;
  GraphBuilder<IntParams>& builder_;
  std::vector<TensorId> outputs_;
};

}  // namespace

std::map<std::string, std::string> Cnn::Metadata() const {
  std::map<std::string, std::string> metadata = {
      {"source", "lichen train"},
      {"model", definition_.name},
      {"colour", definition_.channels == 1 ? "grey" : "rgb"},
      {"task", definition_.task == CnnTaskKind::kClassify ? "classify" : "detect"},
      {"input_size", fmt::format("{}x{}", definition_.height, definition_.width)}};
  if (precision_.IsFloat()) return metadata;
  metadata["quantiser"] = NameOf(precision_.quantiser);
  metadata["bitw"] = BitString(precision_.weight_bits);
  metadata["bita"] = BitString(precision_.activation_bits);
  return metadata;
}

IntNet Cnn::ToIntNet() const {
  GraphBuilder<IntParams> builder("main");
  BypassNodes bypasses(definition_, precision_, builder);
  TensorId at = builder.Input({.name = "input",
                               .channels = definition_.channels,
                               .range = Unsigned(kMaxBits),
                               .scale = {PictureStep(precision_.quantiser, kMaxBits)}});
  if (const int bits = precision_.activation_bits[0]; bits < kMaxBits) {
    IntParams p;
    p.requant.pre_shift = {static_cast<uint8_t>(kMaxBits - bits)};
    at = builder.Add(OpKind::kRequant, {at},
                     {.name = "x",
                      .channels = definition_.channels,
                      .range = Unsigned(bits),
                      .scale = {PictureStep(precision_.quantiser, bits)}},
                     {}, std::move(p));
  }
  double div = 1;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const IntegerLayer layer = ToIntegers(i);
    at = bypasses.Join(i, at);
    IntParams p;
    p.weights = ToVector<int16_t, double>(Ohwi(layer.weights));
    p.weight_bits = layer.weight_bits;
    p.requant.bias = ToVector<int64_t, int64_t>(layer.bias);
    const bool is_last = layer.output_bits == 0;
    TensorInfo output = {.name = fmt::format("layer{}", i),
                         .channels = shapes_[i].out_channels,
                         .scale = {layer.output_step}};
    if (is_last) {
      div = 1 / layer.output_step;
    } else {
      p.requant.multiplier = ToVector<int64_t, int64_t>(layer.multiplier);
      p.requant.post_shift = static_cast<uint8_t>(layer.shift);
      output.range = Unsigned(layer.output_bits);
    }
    at = builder.Add(KindOf(definition_.layers[i]), {at}, std::move(output),
                     GeometryOf(definition_.layers[i], shapes_[i]), std::move(p));
    if (is_last) {
      builder.tensor(at).range = PlainSumRange(builder.graph(), builder.graph().nodes.back());
    }
    bypasses.Note(i, at);
    if (definition_.layers[i].is_pooled) {
      TensorInfo pooled = builder.tensor(at);
      pooled.name = fmt::format("pool{}", i);
      at = builder.Add(OpKind::kMaxPool, {at}, std::move(pooled), kPool);
    }
  }
  builder.Output(at);
  IntNet net;
  net.graphs.push_back(std::move(builder).Build());
  net.metadata = Metadata();
  net.metadata["div"] = fmt::format("{}", div);
  return net;
}

FloatNet Cnn::ToFloatNet() const {
  const torch::NoGradGuard no_grad;
  GraphBuilder<FloatParams> builder("main");
  TensorId at = builder.Input({.name = "input", .channels = definition_.channels});
  std::vector<TensorId> outputs;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const bool is_last = i + 1 == layers_.size();
    const std::string name = fmt::format("layer{}", i);
    for (const CnnBypass& bypass : definition_.bypasses) {
      if (bypass.to != i) continue;
      const int64_t channels = 4 * builder.tensor(outputs[bypass.from]).channels;
      const TensorId blocks =
          builder.Add(OpKind::kSpaceToDepth, {outputs[bypass.from]},
                      {.name = "bypass.blocks", .channels = channels}, {.block = 2});
      at = builder.Add(
          OpKind::kConcat, {blocks, at},
          {.name = "bypass.concat", .channels = channels + builder.tensor(at).channels});
    }
    torch::Tensor w = layers_[i].weight.to(torch::kCPU).to(torch::kFloat64);
    torch::Tensor b = layers_[i].shift.to(torch::kCPU).to(torch::kFloat64);
    if (!is_last) {
      const auto [scale, shift] = FoldedNorm(i);
      w = w * scale.to(torch::kCPU).view({-1, 1, 1, 1});
      b = shift.to(torch::kCPU);
    }
    // Pictures come in as v / 255.
    if (i == 0) w = w * (255.0 / 256.0);
    FloatParams p;
    p.weights = ToVector<float, double>(Ohwi(w));
    p.bias = ToVector<float, double>(b);
    const TensorInfo info = {.name = is_last ? name : name + ".sum",
                             .channels = shapes_[i].out_channels};
    at = builder.Add(KindOf(definition_.layers[i]), {at}, info,
                     GeometryOf(definition_.layers[i], shapes_[i]), std::move(p));
    if (is_last) break;
    at = builder.Add(OpKind::kLeakyRelu, {at}, {.name = name, .channels = info.channels});
    outputs.resize(i + 1);
    outputs[i] = at;
    if (definition_.layers[i].is_pooled) {
      at = builder.Add(OpKind::kMaxPool, {at},
                       {.name = fmt::format("pool{}", i), .channels = info.channels}, kPool);
    }
  }
  builder.Output(at);
  FloatNet net;
  net.graphs.push_back(std::move(builder).Build());
  net.metadata = Metadata();
  return net;
}

Model Cnn::ToModel() const {
  if (precision_.IsFloat()) return ToFloatNet();
  return ToIntNet();
}

}  // namespace lichen
