// Small networks that use every operator, for this room's tests.
#pragma once

#include "net/float_net.h"
#include "net/graph_builder.h"
#include "net/int_net.h"

namespace lichen {

inline ChannelRequant Shift(uint8_t post_shift) {
  ChannelRequant requant;
  requant.post_shift = post_shift;
  return requant;
}

inline IntParams Weighted(size_t count, int seed) {
  IntParams p;
  for (size_t i = 0; i < count; ++i) {
    p.weights.push_back(
        static_cast<int16_t>(static_cast<int>((i * 7 + static_cast<size_t>(seed)) % 15) - 7));
  }
  p.weight_bits = 4;
  p.requant = Shift(4);
  return p;
}

// analysis: every operator that keeps or halves the size, Gdn, Lagc, a masked convolution.
inline IntGraph SmallAnalysis() {
  GraphBuilder<IntParams> b("analysis");
  const ValueRange bytes = {-128, 127};
  const TensorId input = b.Input({.name = "input", .channels = 3, .range = {0, 255}});
  IntParams centre;
  centre.requant = {.multiplier = {1}, .pre_shift = {1}, .bias = {-64, -63, -62}};
  const TensorId x =
      b.Add(OpKind::kRequant, {input}, {.name = "x", .channels = 3, .range = bytes}, {}, centre);
  const Geometry k3{
      .kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  const TensorId conv = b.Add(OpKind::kConv2d, {x}, {.name = "conv", .channels = 4, .range = bytes},
                              k3, Weighted(4 * 9 * 3, 1));
  IntParams gdn = Weighted(16, 7);
  for (int16_t& w : gdn.weights) w = static_cast<int16_t>(w + 7);
  gdn.weight_bits = 5;
  gdn.requant.bias = {40, 41, 42, 43};
  gdn.inner_range = {1, 1 << 20};
  gdn.output_requant.multiplier = {300, 200, 100, 50};
  const TensorId norm =
      b.Add(OpKind::kGdn, {conv}, {.name = "gdn", .channels = 4, .range = bytes}, {}, gdn);
  IntParams masked = Weighted(16, 3);
  masked.mask_block = 2;
  masked.mask = {1, 0, 0, 1};
  for (size_t oc = 0; oc < 4; ++oc) {
    for (size_t ic = 0; ic < 4; ++ic) {
      if (oc / 2 != ic / 2) masked.weights[oc * 4 + ic] = 0;
    }
  }
  const TensorId sparse =
      b.Add(OpKind::kConv2d, {norm}, {.name = "sparse", .channels = 4, .range = bytes}, {}, masked);
  IntParams lagc = Weighted(16, 5);
  lagc.inner_range = {-8, 7};
  lagc.table_first = -8;
  for (int i = 0; i < 16; ++i) lagc.table.push_back(i * 3 - 24);
  lagc.gain_range = {-100, 100};
  lagc.output_requant = Shift(5);
  const TensorId gain =
      b.Add(OpKind::kLagc, {sparse}, {.name = "lagc", .channels = 4, .range = bytes}, {}, lagc);
  IntParams slope;
  slope.slope_shift = 3;
  const TensorId leaky = b.Add(OpKind::kLeakyRelu, {gain},
                               {.name = "leaky", .channels = 4, .range = bytes}, {}, slope);
  const TensorId sum =
      b.Add(OpKind::kAdd, {leaky, norm}, {.name = "sum", .channels = 4, .range = bytes});
  const TensorId pool =
      b.Add(OpKind::kMaxPool, {sum}, {.name = "pool", .channels = 4, .range = bytes},
            {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2});
  b.Output(b.Add(OpKind::kClamp, {pool}, {.name = "y", .channels = 4, .range = {-16, 15}}));
  return std::move(b).Build();
}

// synthesis: the operators that raise the size.
inline IntGraph SmallSynthesis() {
  GraphBuilder<IntParams> b("synthesis");
  const ValueRange bytes = {-128, 127};
  const TensorId y = b.Input({.name = "y", .channels = 4, .range = {-16, 15}});
  const Geometry up{
      .kernel_h = 5, .kernel_w = 5, .stride_h = 2, .stride_w = 2, .pad_top = 2, .pad_left = 2};
  const TensorId conv =
      b.Add(OpKind::kConvTranspose2d, {y}, {.name = "up", .channels = 8, .range = bytes}, up,
            Weighted(8 * 25 * 4, 2));
  IntParams igdn = Weighted(64, 7);
  igdn.requant.bias = {40};
  igdn.inner_range = {1, 4096};
  igdn.output_requant = Shift(6);
  const TensorId norm =
      b.Add(OpKind::kIgdn, {conv}, {.name = "igdn", .channels = 8, .range = bytes}, {}, igdn);
  IntParams lut;
  lut.table_first = -128;
  for (int i = 0; i < 256; ++i) lut.table.push_back((i - 128) / 2);
  const TensorId table =
      b.Add(OpKind::kLut, {norm}, {.name = "lut", .channels = 8, .range = bytes}, {}, lut);
  const TensorId joined =
      b.Add(OpKind::kConcat, {norm, table}, {.name = "joined", .channels = 16, .range = bytes});
  const TensorId shuffled =
      b.Add(OpKind::kDepthToSpace, {joined}, {.name = "shuffled", .channels = 4, .range = bytes},
            {.block = 2, .crop = 1});
  const TensorId blocks = b.Add(OpKind::kSpaceToDepth, {shuffled},
                                {.name = "blocks", .channels = 16, .range = bytes}, {.block = 2});
  b.Output(blocks);
  return std::move(b).Build();
}

inline IntGraph SmallMain() {
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "pixels", .channels = 2, .range = {0, 15}});
  IntParams p = Weighted(3 * 12 * 2, 4);
  b.Output(b.Add(OpKind::kLinear, {x}, {.name = "scores", .channels = 3, .range = {-5000, 5000}},
                 {.kernel_h = 3, .kernel_w = 4}, p));
  return std::move(b).Build();
}

inline IntNet SmallNet() {
  IntNet net;
  net.graphs = {SmallAnalysis(), SmallSynthesis(), SmallMain()};
  net.tables = {{.name = "latent",
                 .prob_bits = 12,
                 .tables = {{.min_symbol = -1, .frequencies = {1000, 2000, 1096}},
                            {.min_symbol = 0, .frequencies = {4095, 1}, .has_escape = true}}}};
  net.coding = {.latent_shift = 1, .symbol_range = {-8, 7}, .index_max = 1, .size_multiple = 2};
  net.metadata = {{"source", "test"}, {"note", "small"}};
  return net;
}

inline FloatNet SmallFloatNet() {
  FloatNet net;
  GraphBuilder<FloatParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 2});
  FloatParams conv;
  conv.weights = {0.5f, -1.0f, 2.0f, 0.25f};
  conv.bias = {0.1f, 0.2f};
  const TensorId y = b.Add(OpKind::kConv2d, {x}, {.name = "conv", .channels = 2}, {}, conv);
  FloatParams gdn;
  gdn.weights = {1, 2, 3, 4};
  gdn.bias = {1, 1};
  const TensorId z = b.Add(OpKind::kGdn, {y}, {.name = "gdn", .channels = 2}, {}, gdn);
  FloatParams slope;
  slope.slope = 0.01f;
  b.Output(b.Add(OpKind::kLeakyRelu, {z}, {.name = "leaky", .channels = 2}, {}, slope));
  net.graphs.push_back(std::move(b).Build());
  return net;
}

}  // namespace lichen
