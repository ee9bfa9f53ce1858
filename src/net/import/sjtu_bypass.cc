// READ ME FIRST: the file holds the float network; its own rule makes the integers (docs/imported.md). What the file
// does not tell (order of the bypass, widths, colours) is the authors' own and was confirmed by the boxes it finds.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "base/npz.h"
#include "net/graph_builder.h"
#include "net/import/detector.h"
#include "net/import/sources.h"
#include "net/import/weights.h"
#include "net/proof.h"

namespace lichen {
namespace {

constexpr size_t kBypassFrom = 3;
constexpr size_t kBypassTo = 7;
constexpr size_t kArraysPerLayer = 6;  // w, gamma, beta, mean, variance, epsilon
constexpr uint64_t kMaxBytes = uint64_t{64} << 20;

constexpr int kWeightBits = 4;
constexpr double kWeightMax = 7;
constexpr int kActivationBits = 4;
constexpr int64_t kActivationMax = 15;
constexpr int kInputBits = 8;
constexpr int64_t kInputMax = 255;
constexpr int kMoreShift = 8;

// Bounds within which the integers of a layer stay far below 2^62.
constexpr double kMaxFolded = 0x1p40;

class Importer {
 public:
  explicit Importer(const std::map<std::string, NpyArray>& arrays)
      : arrays_(arrays), builder_("main") {}

  Result<Model> Run() {
    TensorId at = builder_.Input({.name = "input",
                                  .channels = kUltranetChannels[0],
                                  .range = {0, kInputMax},
                                  .scale = {1.0 / static_cast<double>(kInputMax)}});
    TensorId bypass;
    for (size_t i = 0; i + 1 < kUltranetLayers; ++i) {
      if (i == kBypassTo) at = AddBypass(builder_, bypass, at);
      LICHEN_TRY(at, InPlace(fmt::format("conv_{}", i), AddLayer(i, at)));
      if (i == kBypassFrom) bypass = at;
      if (i < kUltranetPools) at = AddPool2x2(builder_, at, fmt::format("pool_{}", i));
    }
    LICHEN_TRY(at, InPlace("conv_8", AddLast(at)));
    builder_.Output(at);
    IntNet net;
    net.graphs.push_back(std::move(builder_).Build());
    net.metadata = {{"source", "sjtu-bypass"},
                    {"model", "ultranet_bypass"},
                    {"task", "detect"},
                    {"colour", "bgr"},
                    {"input_size", "160x320"},
                    {"div", fmt::format("{}", Div())},
                    {"head", kUltranetHead.data()}};
    return net;
  }

 private:
  // The real value of the last layer's 1.
  static int64_t Div() { return static_cast<int64_t>(kWeightMax) * kActivationMax; }

  Result<const std::vector<float>*> Take(size_t number, const std::vector<int64_t>& shape) const {
    const std::string name = fmt::format("arr_{}", number);
    const auto it = arrays_.find(name);
    if (it == arrays_.end()) return Fail("array {} is missing", name);
    if (!it->second.is_float || it->second.shape != shape) {
      return Fail("array {} is not of real numbers and of the shape {}", name,
                  fmt::join(shape, "x"));
    }
    if (!std::all_of(it->second.floats.begin(), it->second.floats.end(),
                     [](float v) { return std::isfinite(v); })) {
      return Fail("array {} holds a number that is not finite", name);
    }
    return &it->second.floats;
  }

  // w4 = round(7 * tanh(w) / max |tanh(w)|).
  Result<std::vector<int16_t>> Weights(size_t number, int64_t out, int64_t in,
                                       int32_t kernel) const {
    LICHEN_TRY(const std::vector<float>* values, Take(number, {out, in, kernel, kernel}));
    double largest = 0;
    for (const float w : *values) largest = std::max(largest, std::abs(std::tanh(double{w})));
    if (largest == 0) return Fail("its weights are all 0");
    std::vector<int64_t> integers;
    for (const float w : *values) {
      integers.push_back(std::lround(kWeightMax * std::tanh(double{w}) / largest));
    }
    return OhwiFromOihw<int16_t>(integers, out, in, kernel, kernel);
  }

  // Batch norm, the steps of weights, input and output, as one multiplier and bias.
  Result<ChannelRequant> Fold(size_t layer, int64_t out) const {
    const size_t first = layer * kArraysPerLayer + 1;
    LICHEN_TRY(const std::vector<float>* gamma, Take(first, {out}));
    LICHEN_TRY(const std::vector<float>* beta, Take(first + 1, {out}));
    LICHEN_TRY(const std::vector<float>* mean, Take(first + 2, {out}));
    LICHEN_TRY(const std::vector<float>* variance, Take(first + 3, {out}));
    LICHEN_TRY(const std::vector<float>* epsilon, Take(first + 4, {}));
    const int input_bits = layer == 0 ? kInputBits : kActivationBits;
    const double input_max = layer == 0 ? kInputMax : kActivationMax;
    ChannelRequant requant{.multiplier = {}, .bias = {}};
    requant.post_shift = static_cast<uint8_t>(kWeightBits - 1 + input_bits + kMoreShift);
    const double unit = kActivationMax * std::ldexp(1.0, requant.post_shift);
    for (size_t c = 0; c < static_cast<size_t>(out); ++c) {
      const double spread = double{(*variance)[c]} + (*epsilon)[0];
      if (spread <= 0) return Fail("the variance of channel {} is not positive", c);
      const double scale = (*gamma)[c] / std::sqrt(spread);
      const double multiplier = scale / (kWeightMax * input_max) * unit;
      const double bias = ((*beta)[c] - (*mean)[c] * scale) * unit;
      if (std::max(std::abs(multiplier), std::abs(bias)) > kMaxFolded) {
        return Fail("the batch norm of channel {} scales too much", c);
      }
      requant.multiplier.push_back(std::llround(multiplier));
      requant.bias.push_back(std::llround(bias));
    }
    return requant;
  }

  Result<TensorId> AddLayer(size_t layer, TensorId at) {
    const int64_t out = kUltranetChannels[layer + 1];
    IntParams p;
    LICHEN_TRY(p.weights, Weights(layer * kArraysPerLayer, out, builder_.tensor(at).channels, 3));
    p.weight_bits = kWeightBits;
    LICHEN_TRY(p.requant, Fold(layer, out));
    return builder_.Add(OpKind::kConv2d, {at},
                        {.name = fmt::format("conv_{}", layer),
                         .channels = out,
                         .range = {0, kActivationMax},
                         .scale = {1.0 / static_cast<double>(kActivationMax)}},
                        SameConv(3), std::move(p));
  }

  Result<TensorId> AddLast(TensorId at) {
    constexpr size_t kFirst = (kUltranetLayers - 1) * kArraysPerLayer;
    const int64_t out = kUltranetChannels.back();
    IntParams p;
    LICHEN_TRY(p.weights, Weights(kFirst, out, builder_.tensor(at).channels, 1));
    p.weight_bits = kWeightBits;
    LICHEN_TRY(const std::vector<float>* bias, Take(kFirst + 1, {out}));
    p.requant.bias.clear();
    for (const float b : *bias) {
      if (std::abs(b) > kInputMax) return Fail("its bias {} is too large", b);
      p.requant.bias.push_back(std::llround(double{b} * static_cast<double>(Div())));
    }
    const TensorId id = builder_.Add(OpKind::kConv2d, {at}, {.name = "conv_8", .channels = out},
                                     SameConv(1), std::move(p));
    builder_.tensor(id).range = PlainSumRange(builder_.graph(), builder_.graph().nodes.back());
    builder_.tensor(id).scale = {1.0 / static_cast<double>(Div())};
    return id;
  }

  const std::map<std::string, NpyArray>& arrays_;
  GraphBuilder<IntParams> builder_;
};

}  // namespace

Result<Model> ImportSjtuBypass(const std::filesystem::path& path, const ImportOptions&) {
  LICHEN_TRY(const auto arrays, ReadNpz(path, kMaxBytes));
  return InPlace(path.string(), Importer(arrays).Run());
}

}  // namespace lichen
