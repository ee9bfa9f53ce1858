#include "net/import/streamlic.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "net/graph_builder.h"
#include "net/import/sources.h"
#include "net/import/weights.h"
#include "net/limits.h"
#include "net/proof.h"

namespace lichen {
namespace {

constexpr ValueRange kValue = {-2047, 2047};
constexpr int kLatentShift = 4;
constexpr int64_t kSymbolMax = 127;
constexpr int64_t kLatentMax = kSymbolMax << kLatentShift;
constexpr double kLatentScale = 0.0625;
constexpr int32_t kWeightBits = 12;
constexpr int kPostShift = 4;
constexpr int kSlopeShift = 6;
constexpr int kMaskBlock = 12;

using Builder = GraphBuilder<IntParams>;

// v = round(tanh(u / 256) * 1024) for u in [-2047, 2047].
std::vector<int32_t> TanhTable() {
  std::vector<int32_t> table;
  for (int64_t u = kValue.min; u <= kValue.max; ++u) {
    table.push_back(
        static_cast<int32_t>(std::lround(std::tanh(static_cast<double>(u) / 256) * 1024)));
  }
  return table;
}

template <class T>
std::vector<T> Shuffled(const std::vector<T>& values) {
  std::vector<T> moved(values.size());
  const auto count = static_cast<int64_t>(values.size());
  for (int64_t n = 0; n < count; ++n) {
    moved[static_cast<size_t>(StreamlicShuffledChannel(n, count))] = values[static_cast<size_t>(n)];
  }
  return moved;
}

class Importer {
 public:
  explicit Importer(const Safetensors& file) : file_(file) {}

  Result<IntNet> Run() {
    IntNet net;
    LICHEN_TRY(IntGraph analysis, Analysis());
    LICHEN_TRY(IntGraph hyper_analysis, HyperAnalysis());
    LICHEN_TRY(IntGraph hyper_synthesis, HyperSynthesis());
    LICHEN_TRY(IntGraph context, Context());
    LICHEN_TRY(IntGraph entropy_parameters, EntropyParameters());
    LICHEN_TRY(IntGraph synthesis, Synthesis());
    net.graphs = {std::move(analysis), std::move(hyper_analysis),     std::move(hyper_synthesis),
                  std::move(context),  std::move(entropy_parameters), std::move(synthesis)};
    LICHEN_TRY(net.tables, StreamlicTables(file_));
    net.coding = {.latent_shift = kLatentShift,
                  .symbol_range = {-kSymbolMax, kSymbolMax},
                  .index_max = 127,
                  .size_multiple = 64};
    net.metadata = {{"source", "streamlic"}, {"task", "codec"}, {"colour", "rgb"}};
    for (const char* key : {"name", "licence"}) {
      const auto it = file_.metadata().find(key);
      if (it != file_.metadata().end()) net.metadata.insert(*it);
    }
    return net;
  }

 private:
  Result<ChannelRequant> ReadRequant(const std::string& scale, const std::string& shift,
                                     const std::string& bias, int64_t channels) {
    ChannelRequant requant;
    LICHEN_TRY(requant.multiplier, file_.GetIntegers(scale, {channels}));
    LICHEN_TRY(const auto shifts, file_.GetIntegers(shift, {channels}));
    requant.pre_shift.clear();
    for (int64_t value : shifts) {
      if (value < 0 || value > 63) {
        return Fail("{}: tensor {} holds {}, allowed are 0 to 63", file_.place(), shift, value);
      }
      requant.pre_shift.push_back(static_cast<uint8_t>(value));
    }
    if (bias.empty()) return requant;
    LICHEN_TRY(requant.bias, file_.GetIntegers(bias, {channels}));
    requant.post_shift = kPostShift;
    return requant;
  }

  // [out][in][ky][kx] weights of a tensor; the kernel has to be kernel_h x kernel_w.
  Result<Safetensors::Integers> ReadWeights(const std::string& name, int64_t in, int64_t kernel_h,
                                            int64_t kernel_w) {
    LICHEN_TRY(Safetensors::Integers w, file_.GetIntegers(name));
    if (w.shape.size() != 4 || w.shape[0] < 1 || w.shape[0] > kMaxChannels || w.shape[1] != in ||
        w.shape[2] != kernel_h || w.shape[3] != kernel_w) {
      return Fail("{}: tensor {} is not [out][{}][{}][{}]", file_.place(), name, in, kernel_h,
                  kernel_w);
    }
    LICHEN_TRY_VOID(CheckInt16(fmt::format("{}: tensor {}", file_.place(), name), w.values));
    return w;
  }

  Result<double> ReadScale(const std::string& name) {
    LICHEN_TRY(const std::vector<double> values, file_.GetFloats(name));
    if (values.size() != 1 || !std::isfinite(values[0]) || values[0] <= 0) {
      return Fail("{}: tensor {} is not one positive number", file_.place(), name);
    }
    return values[0];
  }

  // The mask of a layer as blocks [out block][ky][kx][in block].
  Result<void> ReadMask(const std::string& name, const std::vector<int64_t>& shape,
                        IntParams& params) {
    LICHEN_TRY(const auto values, file_.GetIntegers(name, shape));
    const int64_t out = shape[0], in = shape[1], kernel_h = shape[2], kernel_w = shape[3];
    if (out % kMaskBlock != 0 || in % kMaskBlock != 0) {
      return Fail("{}: tensor {} does not divide into blocks of {}", file_.place(), name,
                  kMaskBlock);
    }
    const auto dense = OhwiFromOihw<uint8_t>(values, out, in, kernel_h, kernel_w);
    const int64_t taps = kernel_h * kernel_w;
    const int64_t in_blocks = in / kMaskBlock;
    params.mask_block = kMaskBlock;
    params.mask.assign(static_cast<size_t>(out / kMaskBlock * taps * in_blocks), 0);
    for (int64_t oc = 0; oc < out; ++oc) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        for (int64_t ic = 0; ic < in; ++ic) {
          const auto at = static_cast<size_t>((oc * taps + tap) * in + ic);
          uint8_t& block = params.mask[static_cast<size_t>(
              (oc / kMaskBlock * taps + tap) * in_blocks + ic / kMaskBlock)];
          const bool is_first = oc % kMaskBlock == 0 && ic % kMaskBlock == 0;
          if (is_first) block = dense[at];
          if (dense[at] > 1 || dense[at] != block) {
            return Fail("{}: tensor {}: a {}x{} block is neither all on nor all off", file_.place(),
                        name, kMaskBlock, kMaskBlock);
          }
          if (block == 0) params.weights[at] = 0;  // weights count times their mask
        }
      }
    }
    return {};
  }

  // A convolution whose outputs stand in the file's order, or shuffled for kDepthToSpace.
  Result<TensorId> Conv(Builder& builder, TensorId input, const std::string& layer, Geometry g,
                        bool is_masked = false, bool is_shuffled = false) {
    const std::string prefix = "param/" + layer + "/";
    const int64_t in = builder.tensor(input).channels;
    LICHEN_TRY(const auto w, ReadWeights(prefix + "weight", in, g.kernel_h, g.kernel_w));
    const int64_t out = w.shape[0];
    if (is_shuffled && out % 4 != 0) {
      return Fail("{}: layer {}: {} output channels are not a multiple of 4", file_.place(), layer,
                  out);
    }
    const auto to = [&](int64_t oc) {
      return is_shuffled ? StreamlicShuffledChannel(oc, out) : oc;
    };
    IntParams p;
    p.weights = OhwiFromOihw<int16_t>(w.values, out, in, g.kernel_h, g.kernel_w, to);
    LICHEN_TRY(p.requant,
               ReadRequant(prefix + "scale_param", prefix + "scale_shift", prefix + "bias", out));
    if (is_shuffled) {
      p.requant.multiplier = Shuffled(p.requant.multiplier);
      p.requant.pre_shift = Shuffled(p.requant.pre_shift);
      p.requant.bias = Shuffled(p.requant.bias);
    }
    if (is_masked) LICHEN_TRY_VOID(ReadMask(prefix + "mask", w.shape, p));
    p.weight_bits = std::max(kWeightBits, SignedBitsOf(p.weights));
    LICHEN_TRY(const double scale, ReadScale(prefix + "float_output_scale"));
    return builder.Add(OpKind::kConv2d, {input},
                       {.name = is_shuffled ? layer + ".conv" : layer,
                        .channels = out,
                        .range = kValue,
                        .scale = {scale}},
                       g, std::move(p));
  }

  // k4 s2 p1.
  Result<TensorId> Down(Builder& builder, TensorId input, const std::string& layer) {
    return Conv(builder, input, layer,
                {.kernel_h = 4,
                 .kernel_w = 4,
                 .stride_h = 2,
                 .stride_w = 2,
                 .pad_top = 1,
                 .pad_bottom = 1,
                 .pad_left = 1,
                 .pad_right = 1});
  }

  // Padding 1, k2 s1, pixel shuffle 2, crop 1.
  Result<TensorId> Up(Builder& builder, TensorId input, const std::string& layer) {
    const Geometry g{
        .kernel_h = 2, .kernel_w = 2, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
    LICHEN_TRY(const TensorId conv, Conv(builder, input, layer, g, false, true));
    TensorInfo output = builder.tensor(conv);
    output.name = layer;
    output.channels /= 4;
    return builder.Add(OpKind::kDepthToSpace, {conv}, std::move(output), {.block = 2, .crop = 1});
  }

  Result<TensorId> Lagc(Builder& builder, TensorId input, const std::string& layer) {
    const std::string prefix = "param/" + layer + "/";
    const int64_t channels = builder.tensor(input).channels;
    LICHEN_TRY(const auto w, ReadWeights(prefix + "affine_weight", channels, 1, 1));
    if (w.shape[0] != channels) {
      return Fail("{}: layer {}: affine_weight is not square", file_.place(), layer);
    }
    IntParams p;
    p.weights = OhwiFromOihw<int16_t>(w.values, channels, channels, 1, 1);
    p.weight_bits = std::max(kWeightBits, SignedBitsOf(p.weights));
    LICHEN_TRY(p.requant, ReadRequant(prefix + "affine_scale_param", prefix + "affine_scale_shift",
                                      prefix + "affine_bias", channels));
    p.inner_range = kValue;
    p.table = TanhTable();
    p.table_first = kValue.min;
    LICHEN_TRY(p.gain_requant,
               ReadRequant(prefix + "score_scale_param", prefix + "score_scale_shift",
                           prefix + "score_bias", channels));
    p.gain_range = kValue;
    LICHEN_TRY(p.output_requant, ReadRequant(prefix + "output_scale_param",
                                             prefix + "output_scale_shift", "", channels));
    // StreamLIC's own files do not say what the output's scale is; 1 stands for "unknown".
    double scale = 1;
    if (file_.Has(prefix + "float_output_scale")) {
      LICHEN_TRY(scale, ReadScale(prefix + "float_output_scale"));
    }
    return builder.Add(OpKind::kLagc, {input},
                       {.name = layer, .channels = channels, .range = kValue, .scale = {scale}}, {},
                       std::move(p));
  }

  static TensorId Leaky(Builder& builder, TensorId input, std::string name) {
    TensorInfo output = builder.tensor(input);
    output.name = std::move(name);
    IntParams p;
    p.slope_shift = kSlopeShift;
    return builder.Add(OpKind::kLeakyRelu, {input}, std::move(output), {}, std::move(p));
  }

  // Conv or upsampling layers 0, 2, 4, ... with Lagc between them.
  Result<TensorId> Chain(Builder& builder, TensorId at, const std::string& prefix, int layers,
                         bool is_up) {
    for (int i = 0; i < layers; ++i) {
      const std::string layer = fmt::format("{}.{}", prefix, i);
      if (i % 2 == 1) {
        LICHEN_TRY(at, Lagc(builder, at, layer));
      } else {
        LICHEN_TRY(at, is_up ? Up(builder, at, layer) : Down(builder, at, layer));
      }
    }
    return at;
  }

  Result<IntGraph> Analysis() {
    Builder builder("analysis");
    const TensorId input =
        builder.Input({.name = "input", .channels = 3, .range = {0, 255}, .scale = {1.0 / 255}});
    IntParams centre;
    centre.requant.multiplier = {2};
    centre.requant.bias = {-255};
    // The decoder adds 0.5 to its output, so a picture spans 1: half a code is 1/510.
    const TensorId x = builder.Add(
        OpKind::kRequant, {input},
        {.name = "x", .channels = 3, .range = {-255, 255}, .scale = {1.0 / 510}}, {}, centre);
    LICHEN_TRY(const TensorId last, Chain(builder, x, "g_a", 7, false));
    latent_channels_ = builder.tensor(last).channels;
    builder.Output(builder.Add(OpKind::kClamp, {last}, Latent("y", kLatentMax)));
    return std::move(builder).Build();
  }

  TensorInfo Latent(std::string name, int64_t max_abs) const {
    return {.name = std::move(name),
            .channels = latent_channels_,
            .range = {-max_abs, max_abs},
            .scale = {kLatentScale}};
  }

  TensorInfo HyperLatent() const {
    return {.name = "z_hat", .channels = hyper_channels_, .range = {-kSymbolMax, kSymbolMax}};
  }

  Result<IntGraph> HyperAnalysis() {
    Builder builder("hyper_analysis");
    const TensorId y = builder.Input(Latent("y", kLatentMax));
    LICHEN_TRY(const TensorId last, Chain(builder, y, "h_a", 3, false));
    hyper_channels_ = builder.tensor(last).channels;
    IntParams round;
    round.requant.post_shift = kLatentShift;
    builder.Output(builder.Add(OpKind::kRequant, {last}, HyperLatent(), {}, std::move(round)));
    return std::move(builder).Build();
  }

  Result<IntGraph> HyperSynthesis() {
    Builder builder("hyper_synthesis");
    const TensorId z_hat = builder.Input(HyperLatent());
    LICHEN_TRY(const TensorId first, Up(builder, z_hat, "h_s.0"));
    const TensorId leaky = Leaky(builder, first, "h_s.1");
    LICHEN_TRY(const TensorId last, Up(builder, leaky, "h_s.2"));
    hyper_parameters_ = builder.tensor(last);
    builder.Output(last);
    return std::move(builder).Build();
  }

  // y_hat = (symbol << 4) + mean.
  TensorInfo Decoded() const { return Latent("y_hat", kLatentMax + kValue.max); }

  Result<IntGraph> Context() {
    Builder builder("context");
    const TensorId y_hat = builder.Input(Decoded());
    const Geometry rows{.kernel_h = 3,
                        .kernel_w = 3,
                        .pad_top = 3,
                        .pad_bottom = -1,
                        .pad_left = 1,
                        .pad_right = 1};
    LICHEN_TRY(const TensorId first, Conv(builder, y_hat, "context_prediction.1", rows, true));
    const TensorId leaky = Leaky(builder, first, "context_prediction.2");
    LICHEN_TRY(const TensorId last, Conv(builder, leaky, "context_prediction.3", kRow, true));
    context_ = builder.tensor(last);
    builder.Output(last);
    return std::move(builder).Build();
  }

  Result<IntGraph> EntropyParameters() {
    Builder builder("entropy_parameters");
    const TensorId context = builder.Input(context_);
    const TensorId global = builder.Input(hyper_parameters_);
    TensorInfo sum = context_;
    sum.name = "entropy_parameters.0";
    const TensorId added = builder.Add(OpKind::kAdd, {context, global}, std::move(sum));
    const TensorId leaky = Leaky(builder, added, "entropy_parameters.1");
    LICHEN_TRY(const TensorId last, Conv(builder, leaky, "entropy_parameters.2", kRow, true));
    if (builder.tensor(last).channels != 2 * latent_channels_) {
      return Fail("{}: entropy_parameters.2 has {} channels, expected a mean and an index for {}",
                  file_.place(), builder.tensor(last).channels, latent_channels_);
    }
    builder.Output(last);
    return std::move(builder).Build();
  }

  Result<IntGraph> Synthesis() {
    Builder builder("synthesis");
    const TensorId y_hat = builder.Input(Decoded());
    LICHEN_TRY(const TensorId last, Chain(builder, y_hat, "g_s", 7, true));
    if (builder.tensor(last).channels != 3) {
      return Fail("{}: g_s.6 gives {} channels, expected 3", file_.place(),
                  builder.tensor(last).channels);
    }
    LICHEN_TRY(const double final_scale, ReadScale("final_scale"));
    IntParams final_requant;
    LICHEN_TRY(final_requant.requant, InPlace(file_.place(), StreamlicFinalRequant(final_scale)));
    builder.Output(
        builder.Add(OpKind::kRequant, {last},
                    {.name = "output", .channels = 3, .range = {0, 255}, .scale = {1.0 / 255}}, {},
                    std::move(final_requant)));
    return std::move(builder).Build();
  }

  static constexpr Geometry kRow{.kernel_h = 1, .kernel_w = 3, .pad_left = 1, .pad_right = 1};

  const Safetensors& file_;
  int64_t latent_channels_ = 0;
  int64_t hyper_channels_ = 0;
  TensorInfo hyper_parameters_;
  TensorInfo context_;
};

}  // namespace

Result<ChannelRequant> StreamlicFinalRequant(double final_scale) {
  const double factor = final_scale * 255;
  if (!(factor <= 0x1p15) || factor < 0x1p-30) {
    return Fail("final_scale {} is out of range", final_scale);
  }
  const int shift = 15 - static_cast<int>(std::floor(std::log2(factor)));
  const int post_shift = std::clamp(shift, 1, 45);
  ChannelRequant requant;
  requant.multiplier = {std::llround(std::ldexp(factor, post_shift))};
  requant.post_shift = static_cast<uint8_t>(post_shift);
  requant.bias = {int64_t{127} << post_shift};  // and half: 127.5
  return requant;
}

Result<IntNet> StreamlicNet(const Safetensors& file) { return Importer(file).Run(); }

Result<Model> ImportStreamlic(const std::filesystem::path& path, const ImportOptions&) {
  LICHEN_TRY(const Safetensors file, Safetensors::Read(path));
  LICHEN_TRY(IntNet net, StreamlicNet(file));
  return net;
}

}  // namespace lichen
