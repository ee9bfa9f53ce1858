#include "fuzz/test_codec.h"

#include "base/check.h"
#include "entropy/table_fit.h"
#include "net/graph_builder.h"

namespace lichen {
namespace {

constexpr int64_t kLatents = 5;
constexpr ValueRange kLatentRange = {-600, 600};

IntParams Weights(size_t count, int step, uint8_t post_shift) {
  IntParams p;
  for (size_t i = 0; i < count; ++i) {
    p.weights.push_back(static_cast<int16_t>(static_cast<int>(i) * step % 23 - 11));
  }
  p.weight_bits = 5;
  p.requant.post_shift = post_shift;
  return p;
}

IntGraph Analysis() {
  GraphBuilder<IntParams> b("analysis");
  const TensorId x = b.Input({.name = "x", .channels = 3, .range = {0, 255}});
  const Geometry down{.kernel_h = 3,
                      .kernel_w = 3,
                      .stride_h = 2,
                      .stride_w = 2,
                      .pad_top = 1,
                      .pad_bottom = 1,
                      .pad_left = 1,
                      .pad_right = 1};
  b.Output(b.Add(OpKind::kConv2d, {x}, {.name = "y", .channels = kLatents, .range = kLatentRange},
                 down, Weights(kLatents * 9 * 3, 7, 4)));
  return std::move(b).Build();
}

IntGraph Synthesis() {
  GraphBuilder<IntParams> b("synthesis");
  const TensorId y = b.Input({.name = "y_hat", .channels = kLatents, .range = kLatentRange});
  const Geometry up{
      .kernel_h = 5, .kernel_w = 5, .stride_h = 2, .stride_w = 2, .pad_top = 2, .pad_left = 2};
  IntParams p = Weights(3 * 25 * kLatents, 5, 7);
  p.requant.bias = {100, 128, 90};
  b.Output(b.Add(OpKind::kConvTranspose2d, {y}, {.name = "x_hat", .channels = 3, .range = {0, 255}},
                 up, p));
  return std::move(b).Build();
}

TableSet Tables() {
  TableSet set{.name = "latent", .prob_bits = 12};
  for (uint32_t c = 0; c < kLatents; ++c) {
    // Symbols -2 to 2 and an escape; the wider the higher the channel.
    const uint32_t tail = 40 * (c + 1);
    set.tables.push_back({.min_symbol = -2,
                          .frequencies = {tail, 2 * tail, 4096 - 7 * tail, 2 * tail, tail, tail},
                          .has_escape = true});
  }
  return set;
}

using Builder = GraphBuilder<IntParams>;

constexpr ValueRange kValue = {-511, 511};
constexpr int64_t kContextLatents = 4;
constexpr int64_t kHyperLatents = 2;
constexpr ValueRange kContextY = {-255, 255};
constexpr ValueRange kHyperZ = {-15, 15};
constexpr int32_t kContextShift = 4;
constexpr int32_t kIndexMax = 7;
constexpr Geometry kDown{.kernel_h = 4,
                         .kernel_w = 4,
                         .stride_h = 2,
                         .stride_w = 2,
                         .pad_top = 1,
                         .pad_bottom = 1,
                         .pad_left = 1,
                         .pad_right = 1};
constexpr Geometry kRow{.kernel_h = 1, .kernel_w = 3, .pad_left = 1, .pad_right = 1};

TensorId Conv(Builder& b, TensorId input, TensorInfo output, const Geometry& g, int step,
              uint8_t post_shift) {
  const int64_t count = output.channels * g.kernel_h * g.kernel_w * b.tensor(input).channels;
  return b.Add(OpKind::kConv2d, {input}, std::move(output), g,
               Weights(static_cast<size_t>(count), step, post_shift));
}

TensorId Leaky(Builder& b, TensorId input, std::string name) {
  TensorInfo output = b.tensor(input);
  output.name = std::move(name);
  IntParams p;
  p.slope_shift = 2;
  return b.Add(OpKind::kLeakyRelu, {input}, std::move(output), {}, std::move(p));
}

TensorId Up(Builder& b, TensorId input, TensorInfo output, int step, uint8_t post_shift) {
  const Geometry g{
      .kernel_h = 2, .kernel_w = 2, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  const TensorId conv =
      Conv(b, input,
           {.name = output.name + ".conv", .channels = 4 * output.channels, .range = output.range},
           g, step, post_shift);
  return b.Add(OpKind::kDepthToSpace, {conv}, std::move(output), {.block = 2, .crop = 1});
}

IntGraph ContextAnalysis() {
  Builder b("analysis");
  const TensorId x = b.Input({.name = "x", .channels = 3, .range = {0, 255}});
  const TensorId first = Conv(b, x, {.name = "a_0", .channels = 4, .range = kValue}, kDown, 7, 3);
  b.Output(Conv(b, Leaky(b, first, "a_1"),
                {.name = "y", .channels = kContextLatents, .range = kContextY}, kDown, 5, 5));
  return std::move(b).Build();
}

IntGraph HyperAnalysis() {
  Builder b("hyper_analysis");
  const TensorId y = b.Input({.name = "y", .channels = kContextLatents, .range = kContextY});
  const TensorId first = Conv(b, y, {.name = "ha_0", .channels = 3, .range = kValue}, kDown, 3, 4);
  b.Output(
      Conv(b, first, {.name = "z_hat", .channels = kHyperLatents, .range = kHyperZ}, kDown, 9, 10));
  return std::move(b).Build();
}

IntGraph HyperSynthesis() {
  Builder b("hyper_synthesis");
  const TensorId z = b.Input({.name = "z_hat", .channels = kHyperLatents, .range = kHyperZ});
  const TensorId first = Up(b, z, {.name = "hs_0", .channels = 3, .range = kValue}, 5, 1);
  b.Output(Up(b, Leaky(b, first, "hs_1"),
              {.name = "hs_2", .channels = 2 * kContextLatents, .range = kValue}, 7, 4));
  return std::move(b).Build();
}

// A block-sparse convolution would not say more here: the kernels' tests have it.
IntGraph Context() {
  Builder b("context");
  const TensorId y = b.Input({.name = "y_hat", .channels = kContextLatents, .range = kValue});
  const Geometry rows{
      .kernel_h = 3, .kernel_w = 3, .pad_top = 3, .pad_bottom = -1, .pad_left = 1, .pad_right = 1};
  const TensorId first =
      Conv(b, y, {.name = "c_0", .channels = 2 * kContextLatents, .range = kValue}, rows, 4, 5);
  b.Output(Conv(b, Leaky(b, first, "c_1"),
                {.name = "c_2", .channels = 2 * kContextLatents, .range = kValue}, kRow, 6, 4));
  return std::move(b).Build();
}

IntGraph EntropyParameters() {
  Builder b("entropy_parameters");
  const TensorInfo info{.name = "c_2", .channels = 2 * kContextLatents, .range = kValue};
  const TensorId context = b.Input(info);
  TensorInfo hyper = info;
  hyper.name = "hs_2";
  const TensorId global = b.Input(hyper);
  TensorInfo sum = info;
  sum.name = "p_0";
  const TensorId added = b.Add(OpKind::kAdd, {context, global}, sum);
  const TensorId last =
      Conv(b, Leaky(b, added, "p_1"),
           {.name = "p_2", .channels = 2 * kContextLatents, .range = kValue}, kRow, 8, 6);
  // Indices around the middle of the tables.
  IntParams p;
  p.requant.bias.clear();
  for (int64_t c = 0; c < 2 * kContextLatents; ++c) p.requant.bias.push_back(c % 2 * 16);
  p.requant.post_shift = 2;
  b.Output(b.Add(OpKind::kRequant, {last},
                 {.name = "p_3", .channels = 2 * kContextLatents, .range = kValue}, {}, p));
  return std::move(b).Build();
}

IntGraph ContextSynthesis() {
  Builder b("synthesis");
  const TensorId y = b.Input({.name = "y_hat", .channels = kContextLatents, .range = kValue});
  const TensorId first = Up(b, y, {.name = "s_0", .channels = 3, .range = kValue}, 6, 4);
  const TensorId last =
      Up(b, Leaky(b, first, "s_1"), {.name = "s_2", .channels = 3, .range = kValue}, 5, 5);
  IntParams p;
  p.requant.bias = {128};
  b.Output(
      b.Add(OpKind::kRequant, {last}, {.name = "x_hat", .channels = 3, .range = {0, 255}}, {}, p));
  return std::move(b).Build();
}

TableSet HyperTables() {
  TableSet set{.name = "hyper_latent", .prob_bits = 12};
  // One with an escape, one that holds all symbols.
  set.tables.push_back(
      {.min_symbol = -2, .frequencies = {96, 512, 2048, 1024, 256, 160}, .has_escape = true});
  set.tables.push_back({.min_symbol = -15, .frequencies = std::vector<uint32_t>(31, 32)});
  set.tables.back().frequencies[15] = 4096 - 30 * 32;
  return set;
}

Codec MakeCodec(const IntNet& net) {
  auto made = Codec::Create(net);
  LICHEN_CHECK(made.has_value());
  return std::move(*made);
}

}  // namespace

IntNet FuzzCodecNet() {
  IntNet net;
  net.graphs = {Analysis(), Synthesis()};
  net.tables = {Tables()};
  net.coding = {.latent_shift = 5, .symbol_range = {-18, 18}, .size_multiple = 2};
  return net;
}

const Codec& FuzzCodec() {
  static const Codec codec = MakeCodec(FuzzCodecNet());
  return codec;
}

IntNet FuzzContextNet() {
  IntNet net;
  net.graphs = {ContextAnalysis(), HyperAnalysis(),     HyperSynthesis(),
                Context(),         EntropyParameters(), ContextSynthesis()};
  TableSet latents = GaussianTables({.table_count = kIndexMax + 1,
                                     .log2_first_scale = -2,
                                     .log2_scale_step = 0.8,
                                     .max_symbol = 15,
                                     .prob_bits = 14});
  latents.name = "latent";
  net.tables = {std::move(latents), HyperTables()};
  net.coding = {.latent_shift = kContextShift,
                .symbol_range = {-15, 15},
                .index_max = kIndexMax,
                .size_multiple = 16};
  return net;
}

const Codec& FuzzContextCodec() {
  static const Codec codec = MakeCodec(FuzzContextNet());
  return codec;
}

}  // namespace lichen
