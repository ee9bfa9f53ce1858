#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/tensor.h"
#include "net/graph_builder.h"
#include "net/import/detector.h"
#include "net/import/safetensors.h"
#include "net/import/sources.h"
#include "net/import/weights.h"
#include "net/limits.h"
#include "net/proof.h"
#include "net/shapes.h"

namespace lichen {
namespace {

constexpr int kMaxLayers = 256;
constexpr int kBypassFrom = 3;  // its output, reordered by 2x2, ...
constexpr int kBypassTo = 7;    // ... stands before the input of this layer
constexpr int kRatioShift = 16;

struct Layer {
  bool is_linear = false;
  int32_t groups = 1;
  int32_t wbit = 0;
  int32_t abit = 0;
  int32_t obit = 0;  // 0: no requantisation
  int32_t shift = 0;
  Geometry geometry;
  int64_t rows = 0;
  int64_t columns = 0;
  double div = 0;
};

// Step of a half-wave Gaussian quantiser: the real value of 1 (1 where the width has none).
double ActivationStep(int32_t bits) {
  constexpr double kSteps[] = {1, 1, 0.538, 0.3217, 0.185, 0.104, 0.058, 0.033, 0.019};
  return bits >= 2 && bits <= 8 ? kSteps[bits] : 1.0;
}

ValueRange Unsigned(int32_t bits) { return {0, (int64_t{1} << bits) - 1}; }

// A whole number in [low, high]; null or missing gives `otherwise`, if there is one.
Result<int32_t> ReadNumber(const nlohmann::json& json, const char* key, int32_t low, int32_t high,
                           std::optional<int32_t> otherwise = {}) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) {
    if (otherwise) return *otherwise;
    return Fail("'{}' is missing", key);
  }
  if (!it->is_number_integer()) return Fail("'{}' is not a whole number", key);
  const int64_t value = it->get<int64_t>();
  if (value < low || value > high) return Fail("'{}' is {}, not {} to {}", key, value, low, high);
  return static_cast<int32_t>(value);
}

Result<Layer> ParseLayer(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail("its metadata is not a JSON object");
  Layer layer;
  const auto type = json.find("type");
  if (type == json.end() || !type->is_string()) return Fail("'type' is missing");
  layer.is_linear = type->get<std::string>() == "linear";
  if (!layer.is_linear && type->get<std::string>() != "conv") {
    return Fail("its type '{}' is neither conv nor linear", type->get<std::string>());
  }
  LICHEN_TRY(layer.groups, ReadNumber(json, "groups", 1, kMaxChannels, 1));
  if (layer.is_linear && layer.groups != 1) return Fail("a linear layer has no groups");
  LICHEN_TRY(layer.wbit, ReadNumber(json, "wbit", 1, 16));
  LICHEN_TRY(layer.abit, ReadNumber(json, "abit", 1, 15));
  LICHEN_TRY(layer.obit, ReadNumber(json, "obit", 1, 15, 0));
  LICHEN_TRY(layer.shift, ReadNumber(json, "shift", 0, 63, 0));
  LICHEN_TRY(const int32_t k, ReadNumber(json, "k", 1, kMaxKernel, 1));
  LICHEN_TRY(const int32_t s, ReadNumber(json, "s", 1, kMaxKernel, 1));
  LICHEN_TRY(const int32_t p, ReadNumber(json, "p", 0, kMaxKernel, 0));
  LICHEN_TRY(layer.rows, ReadNumber(json, "irow", 1, kMaxKernel));
  LICHEN_TRY(layer.columns, ReadNumber(json, "icol", 1, kMaxKernel));
  Geometry& g = layer.geometry;
  if (layer.is_linear) {
    g.kernel_h = static_cast<int32_t>(layer.rows);
    g.kernel_w = static_cast<int32_t>(layer.columns);
  } else {
    g = {.kernel_h = k,
         .kernel_w = k,
         .stride_h = s,
         .stride_w = s,
         .pad_top = p,
         .pad_bottom = p,
         .pad_left = p,
         .pad_right = p,
         .groups = layer.groups};
  }
  const auto div = json.find("div");
  if (div != json.end() && div->is_number()) layer.div = div->get<double>();
  return layer;
}

class Importer {
 public:
  explicit Importer(const Safetensors& file) : file_(file), builder_("main") {}

  Result<Model> Run() {
    LICHEN_TRY_VOID(ReadLayers());
    TensorId at = AddInput();
    for (size_t i = 0; i < layers_.size(); ++i) {
      LICHEN_TRY(at, InPlace(fmt::format("{}: layer{}", file_.place(), i), AddLayer(i, at)));
    }
    builder_.Output(at);
    const Layer& first = layers_.front();
    LICHEN_TRY([[maybe_unused]] const auto sizes,
               InPlace(file_.place(), InferSizes(builder_.graph(), {{first.rows, first.columns}})));
    IntNet net;
    net.graphs.push_back(std::move(builder_).Build());
    net.metadata = Metadata();
    return net;
  }

 private:
  Result<void> ReadLayers() {
    for (int i = 0; i < kMaxLayers; ++i) {
      const auto it = file_.metadata().find(fmt::format("layer{}", i));
      if (it == file_.metadata().end()) break;
      LICHEN_TRY(Layer layer,
                 InPlace(fmt::format("{}: layer{}", file_.place(), i), ParseLayer(it->second)));
      layers_.push_back(layer);
    }
    if (layers_.empty()) return Fail("{}: no 'layer0' in its metadata", file_.place());
    const auto ratio = file_.metadata().find("bypass_ratio");
    if (ratio == file_.metadata().end()) return {};
    const auto value = nlohmann::json::parse(ratio->second, nullptr, false);
    if (!value.is_number() || value.get<double>() <= 0 || value.get<double>() >= 0x1p15 ||
        layers_.size() <= kBypassTo) {
      return Fail("{}: bypass_ratio '{}' is not a positive number, or there is no layer{}",
                  file_.place(), ratio->second, kBypassTo);
    }
    bypass_ratio_ = value.get<double>();
    return {};
  }

  TensorId AddInput() {
    const Layer& first = layers_.front();
    size_ = {first.rows, first.columns};
    TensorId at =
        builder_.Input({.name = "input", .channels = 3, .range = {0, 255}, .scale = {1.0 / 256}});
    if (first.abit >= 8) return at;
    IntParams p;  // floor(v / 2^(8 - abit))
    p.requant.pre_shift = {static_cast<uint8_t>(8 - first.abit)};
    return builder_.Add(OpKind::kRequant, {at},
                        {.name = "x",
                         .channels = 3,
                         .range = Unsigned(first.abit),
                         .scale = {std::ldexp(1.0, -first.abit)}},
                        {}, std::move(p));
  }

  // A 2x2 max-pool where a layer reads half of the size that is there.
  Result<TensorId> Pool(size_t index, TensorId at) {
    const Layer& layer = layers_[index];
    const Size2 wanted = {layer.rows, layer.columns};
    if (wanted == size_) return at;
    if (wanted != Size2{size_.h / 2, size_.w / 2} || index == 0) {
      return Fail("its input is {}x{}, but {}x{} is there", wanted.h, wanted.w, size_.h, size_.w);
    }
    size_ = wanted;
    return AddPool2x2(builder_, at, fmt::format("pool{}", index - 1));
  }

  // Layer 3 reordered by 2x2, times bypass_ratio, in front of `at`. The ratio is rounded to a
  // multiple of 2^-16 and products are rounded half up.
  TensorId Bypass(TensorId at) {
    const TensorInfo source = builder_.tensor(bypass_source_);
    TensorInfo blocks = source;
    blocks.name = "bypass.blocks";
    blocks.channels *= 4;
    const TensorId reordered =
        builder_.Add(OpKind::kSpaceToDepth, {bypass_source_}, blocks, {.block = 2});
    IntParams p;
    p.requant.multiplier = {std::llround(std::ldexp(bypass_ratio_, kRatioShift))};
    p.requant.post_shift = kRatioShift;
    TensorInfo scaled = blocks;
    scaled.name = "bypass";
    scaled.range = Unsigned(layers_[kBypassTo].abit);
    scaled.scale = builder_.tensor(at).scale;
    const TensorId bypass = builder_.Add(OpKind::kRequant, {reordered}, scaled, {}, std::move(p));
    TensorInfo joined = builder_.tensor(at);
    joined.name = "bypass.concat";
    joined.channels += scaled.channels;
    joined.range.max = std::max(joined.range.max, scaled.range.max);
    return builder_.Add(OpKind::kConcat, {bypass, at}, std::move(joined));
  }

  Result<IntParams> ReadParams(const Layer& layer, size_t index, int64_t in, int64_t& out) {
    const std::string prefix = fmt::format("layer{}/", index);
    LICHEN_TRY(const Safetensors::Integers w, file_.GetIntegers(prefix + "weight"));
    const Geometry& g = layer.geometry;
    const int64_t per_group = in / layer.groups;
    const std::vector<int64_t> expected =
        layer.is_linear ? std::vector<int64_t>{in * g.kernel_h * g.kernel_w}
                        : std::vector<int64_t>{per_group, g.kernel_h, g.kernel_w};
    if (w.shape.size() != expected.size() + 1 || in % layer.groups != 0 || w.shape[0] < 1 ||
        w.shape[0] > kMaxChannels ||
        !std::equal(expected.begin(), expected.end(), w.shape.begin() + 1)) {
      return Fail("its weights do not have the shape that {} input channels and its kernel give",
                  in);
    }
    out = w.shape[0];
    LICHEN_TRY_VOID(CheckInt16("its weights", w.values));
    IntParams p;
    p.weights = OhwiFromOihw<int16_t>(w.values, out, per_group, g.kernel_h, g.kernel_w);
    p.weight_bits = layer.wbit;
    if (layer.obit > 0) {
      LICHEN_TRY(p.requant.multiplier, file_.GetIntegers(prefix + "inc", {out}));
      p.requant.post_shift = static_cast<uint8_t>(layer.shift);
    }
    if (file_.Has(prefix + "bias")) {
      LICHEN_TRY(p.requant.bias, file_.GetIntegers(prefix + "bias", {out}));
    }
    return p;
  }

  Result<TensorId> AddLayer(size_t index, TensorId at) {
    const Layer& layer = layers_[index];
    LICHEN_TRY(at, Pool(index, at));
    if (bypass_ratio_ > 0 && index == kBypassTo) at = Bypass(at);
    int64_t out = 0;
    LICHEN_TRY(IntParams p, ReadParams(layer, index, builder_.tensor(at).channels, out));
    const bool is_last = layer.obit == 0;
    if (is_last && index + 1 != layers_.size()) return Fail("it has no obit, but is not the last");
    TensorInfo output = {.name = fmt::format("layer{}", index), .channels = out};
    if (is_last) {
      if (std::isfinite(layer.div) && layer.div > 0) output.scale = {1 / layer.div};
    } else {
      output.range = Unsigned(layer.obit);
      output.scale = {ActivationStep(layer.obit)};
    }
    at = builder_.Add(layer.is_linear ? OpKind::kLinear : OpKind::kConv2d, {at}, std::move(output),
                      layer.geometry, std::move(p));
    if (is_last) {
      builder_.tensor(at).range = PlainSumRange(builder_.graph(), builder_.graph().nodes.back());
    }
    if (index == kBypassFrom) bypass_source_ = at;
    const Geometry& g = layer.geometry;
    size_ = layer.is_linear ? Size2{1, 1}
                            : Size2{(size_.h + 2 * g.pad_top - g.kernel_h) / g.stride_h + 1,
                                    (size_.w + 2 * g.pad_left - g.kernel_w) / g.stride_w + 1};
    return at;
  }

  std::map<std::string, std::string> Metadata() const {
    std::map<std::string, std::string> metadata = {{"source", "mixq"}, {"colour", "rgb"}};
    for (const char* key : {"bitw", "bita", "model", "bypass_ratio"}) {
      const auto it = file_.metadata().find(key);
      if (it != file_.metadata().end()) metadata[key] = it->second;
    }
    const std::string& model = metadata["model"];
    metadata["task"] = model.starts_with("vgg") ? "classify" : "detect";
    metadata["input_size"] = fmt::format("{}x{}", layers_.front().rows, layers_.front().columns);
    if (layers_.back().div > 0) metadata["div"] = fmt::format("{}", layers_.back().div);
    return metadata;
  }

  const Safetensors& file_;
  GraphBuilder<IntParams> builder_;
  std::vector<Layer> layers_;
  double bypass_ratio_ = 0;  // 0: no bypass
  TensorId bypass_source_;
  Size2 size_;
};

}  // namespace

Result<Model> ImportMixq(const std::filesystem::path& path, const ImportOptions&) {
  LICHEN_TRY(const Safetensors file, Safetensors::Read(path));
  return Importer(file).Run();
}

}  // namespace lichen
