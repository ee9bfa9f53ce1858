#include "fuzz/test_codec.h"

#include "base/check.h"
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

}  // namespace

IntNet FuzzCodecNet() {
  IntNet net;
  net.graphs = {Analysis(), Synthesis()};
  net.tables = {Tables()};
  net.coding = {.latent_shift = 5, .symbol_range = {-18, 18}, .size_multiple = 2};
  return net;
}

const Codec& FuzzCodec() {
  static const Codec codec = [] {
    auto made = Codec::Create(FuzzCodecNet());
    LICHEN_CHECK(made.has_value());
    return std::move(*made);
  }();
  return codec;
}

}  // namespace lichen
