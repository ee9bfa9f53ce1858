// The fusion machine's compiler and simulators against the reference engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "accel/fusion/machine.h"
#include "accel/fusion/plan.h"
#include "accel/fusion/simulate.h"
#include "engine/reference.h"
#include "net/check.h"
#include "net/graph_builder.h"
#include "net/proof.h"

namespace lichen::fusion {
namespace {

using testing::HasSubstr;

using Random = std::mt19937_64;

int64_t Between(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

ValueRange RangeOf(int64_t bits, bool is_signed) {
  return is_signed ? ValueRange{-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1}
                   : ValueRange{0, (int64_t{1} << bits) - 1};
}

IntParams RandomParams(Random& random, int64_t out, int64_t fan_in, int64_t output_bits) {
  IntParams p;
  const int64_t bits = Between(random, 1, 8);
  const ValueRange range = RangeOf(bits, true);
  for (int64_t i = 0; i < out * fan_in; ++i) {
    p.weights.push_back(static_cast<int16_t>(Between(random, range.min, range.max)));
  }
  p.weight_bits = static_cast<int32_t>(bits);
  p.requant = {.multiplier = {}, .pre_shift = {}, .bias = {}, .post_shift = 20};
  for (int64_t c = 0; c < out; ++c) {
    const int64_t size = (int64_t{1} << (20 + output_bits)) / (64 * fan_in + 1);
    p.requant.multiplier.push_back(Between(random, 1, std::max<int64_t>(size, 2)) *
                                   (c % 5 ? 1 : -1));
    p.requant.pre_shift.push_back(static_cast<uint8_t>(Between(random, 0, 3)));
    p.requant.bias.push_back(Between(random, -(1 << 20), 1 << 22));
  }
  return p;
}

// Convolutions with pools behind them, some in groups, and maybe a linear layer; any widths.
IntNet RandomNet(Random& random, Size2 size) {
  GraphBuilder<IntParams> b("main");
  int64_t channels = Between(random, 1, 20);
  TensorId x = b.Input({.name = "x",
                        .channels = channels,
                        .range = RangeOf(Between(random, 1, 8), random() % 2 == 0)});
  const int64_t layers = Between(random, 1, 3);
  for (int64_t i = 0; i < layers; ++i) {
    const bool is_last = i + 1 == layers;
    const bool is_linear = is_last && random() % 2 == 0;
    const bool is_wide = is_last && random() % 2 == 0;
    const int64_t groups = !is_linear && channels % 2 == 0 && random() % 3 == 0
                               ? (random() % 2 == 0 ? 2 : channels)
                               : 1;
    const int64_t out = groups * Between(random, 1, groups > 2 ? 2 : 24);
    Geometry g{.groups = static_cast<int32_t>(groups)};
    if (is_linear) {
      g.kernel_h = static_cast<int32_t>(size.h);
      g.kernel_w = static_cast<int32_t>(size.w);
    } else {
      g.kernel_h = static_cast<int32_t>(Between(random, 1, 5));
      g.kernel_w = static_cast<int32_t>(Between(random, 1, 5));
      g.stride_h = static_cast<int32_t>(Between(random, 1, 2));
      g.stride_w = static_cast<int32_t>(Between(random, 1, 2));
      g.pad_top = static_cast<int32_t>(Between(random, 0, g.kernel_h / 2));
      g.pad_bottom = static_cast<int32_t>(Between(random, 0, g.kernel_h / 2));
      g.pad_left = static_cast<int32_t>(Between(random, 0, g.kernel_w / 2));
      g.pad_right = static_cast<int32_t>(Between(random, 0, g.kernel_w / 2));
    }
    const int64_t bits = is_wide ? Between(random, 9, 24) : Between(random, 1, 8);
    const int64_t fan_in = g.kernel_h * g.kernel_w * channels / groups;
    x = b.Add(is_linear ? OpKind::kLinear : OpKind::kConv2d, {x},
              {.name = fmt::format("l{}", i),
               .channels = out,
               .range = RangeOf(bits, is_wide || random() % 2 == 0)},
              g, RandomParams(random, out, fan_in, bits));
    channels = out;
    size = {(size.h + g.pad_top + g.pad_bottom - g.kernel_h) / g.stride_h + 1,
            (size.w + g.pad_left + g.pad_right - g.kernel_w) / g.stride_w + 1};
    if (!is_linear && !is_wide && random() % 2 == 0) {
      const auto pool = static_cast<int32_t>(Between(random, 2, 3));
      TensorInfo info = b.tensor(x);
      info.name = fmt::format("p{}", i);
      x = b.Add(OpKind::kMaxPool, {x}, info,
                {.kernel_h = pool, .kernel_w = pool, .stride_h = pool, .stride_w = pool});
      size = {size.h / pool, size.w / pool};
    }
  }
  b.Output(x);
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  return net;
}

Design RandomDesign(Random& random) {
  const auto power = [&](int64_t low, int64_t high) { return int64_t{1} << Between(random, low, high); };
  Design d;
  d.rows = power(0, 4);
  d.columns = power(2, 4);
  d.column_sets = power(0, 2);
  d.input_buffer_words = power(7, 11);
  d.weight_buffer_words = power(5, 9);
  d.step_buffer_words = power(7, 9);
  d.parameter_buffer_words = power(4, 6);
  d.output_buffer_words = power(7, 11);
  return d;
}

Tensor<int32_t> RandomInput(Random& random, const Shape& shape, ValueRange range) {
  Tensor<int32_t> tensor(shape);
  for (int32_t& v : tensor.span()) v = static_cast<int32_t>(Between(random, range.min, range.max));
  return tensor;
}

Board AnyBoard() {
  const auto board = LoadBoard("zcu102");
  EXPECT_TRUE(board) << board.error().message;
  return *board;
}

TEST(FusionMachine, EveryLayerEqualsTheReference) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  int compared = 0;
  int chunked = 0;
  int tiled = 0;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const Size2 size = {Between(random, 1, 24), Between(random, 1, 24)};
    const IntNet net = RandomNet(random, size);
    if (!CheckIntNet(net)) continue;
    const Design design = RandomDesign(random);
    const auto compiled = Compile(net, "main", design, AnyBoard(), size);
    if (!compiled || !compiled->fit.ok) continue;  // a picture or buffers too small
    const Plan& plan = compiled->plan;
    const auto proof = Verify(plan);
    ASSERT_TRUE(proof) << proof.error().message;
    const TensorInfo& first = plan.net.graphs[0].tensors[0];
    const Tensor<int32_t> input =
        RandomInput(random, {1, size.h, size.w, first.channels}, first.range);
    std::vector<Tensor<int32_t>> inputs;
    inputs.push_back(input.Clone());
    const auto expected = RunReference(net.graphs[0], std::move(inputs), size);
    ASSERT_TRUE(expected) << expected.error().message;
    const auto check = [&](const PlannedLayer& layer, const Tensor<int32_t>& output) {
      const auto& tensor = (*expected)[static_cast<size_t>(layer.layer.output.index)];
      ASSERT_EQ(tensor.shape(), output.shape());
      EXPECT_TRUE(std::ranges::equal(tensor.span(), output.span())) << layer.layer.name;
      ++compared;
    };
    for (const auto simulate : {SimulateBricks, SimulateFast}) {
      const auto output = simulate(plan, input, check);
      ASSERT_TRUE(output) << output.error().message;
    }
    for (const PlannedLayer& layer : plan.layers) {
      chunked += layer.mapping.chunks > 2;
      tiled += layer.mapping.tiles > 2;
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(compared, 100);
  EXPECT_GT(chunked, 5);
  EXPECT_GT(tiled, 5);
}

}  // namespace
}  // namespace lichen::fusion
