#include "net/proof.h"

#include <gtest/gtest.h>

#include <random>

#include "net/check.h"
#include "net/shapes.h"
#include "net/test_nets.h"

namespace lichen {
namespace {

// A graph of one node with products over an input of the given range.
IntGraph OneNode(OpKind kind, Geometry g, int64_t in, int64_t out, ValueRange range,
                 std::vector<int16_t> weights) {
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = in, .range = range});
  IntParams p;
  p.weights = std::move(weights);
  p.weight_bits = SignedBitsOf(p.weights);
  b.Output(b.Add(kind, {x}, {.name = "y", .channels = out, .range = {-32768, 32767}}, g, p));
  return std::move(b).Build();
}

// Smallest and largest accumulator over every input of the given size, every output and channel.
ValueRange BruteForce(const IntGraph& graph, Size2 input, Size2 output) {
  const IntNode& node = graph.nodes[0];
  const Geometry& g = node.geometry;
  const ValueRange range = graph.tensors[0].range;
  const int64_t in = graph.tensors[0].channels / g.groups;
  const int64_t out = graph.tensors[1].channels;
  const int64_t values = input.h * input.w * graph.tensors[0].channels;
  const int64_t levels = range.max - range.min + 1;
  int64_t combinations = 1;
  for (int64_t i = 0; i < values; ++i) combinations *= levels;
  ValueRange found;
  std::vector<int64_t> x(static_cast<size_t>(values));
  for (int64_t code = 0; code < combinations; ++code) {
    for (int64_t i = 0, rest = code; i < values; ++i, rest /= levels)
      x[i] = rest % levels + range.min;
    for (int64_t oc = 0; oc < out; ++oc) {
      const int64_t first = oc / (out / g.groups) * in;
      for (int64_t y = 0; y < output.h * output.w; ++y) {
        int64_t acc = 0;
        for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
          for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
            int64_t iy = y / output.w * g.stride_h + ky - g.pad_top;
            int64_t ix = y % output.w * g.stride_w + kx - g.pad_left;
            if (node.kind == OpKind::kConvTranspose2d) {
              iy = y / output.w + g.pad_top - ky;
              ix = y % output.w + g.pad_left - kx;
              if (iy % g.stride_h != 0 || ix % g.stride_w != 0) continue;
              iy /= g.stride_h;
              ix /= g.stride_w;
            }
            if (iy < 0 || ix < 0 || iy >= input.h || ix >= input.w) continue;
            for (int64_t ic = 0; ic < in; ++ic) {
              acc += x[(iy * input.w + ix) * graph.tensors[0].channels + first + ic] *
                     node.params.weights[((oc * g.kernel_h + ky) * g.kernel_w + kx) * in + ic];
            }
          }
        }
        found.min = std::min(found.min, acc);
        found.max = std::max(found.max, acc);
      }
    }
  }
  return found;
}

class ProofTest : public ::testing::Test {
 protected:
  std::vector<int16_t> Weights(size_t count) {
    std::uniform_int_distribution<int> weight(-9, 9);
    std::vector<int16_t> weights(count);
    for (int16_t& w : weights) w = static_cast<int16_t>(weight(random_));
    return weights;
  }
  ValueRange Range() {
    std::uniform_int_distribution<int> value(0, 2);
    return {-value(random_), value(random_)};
  }
  static void ExpectTight(const IntGraph& graph, Size2 input) {
    const auto sizes = InferSizes(graph, {input});
    ASSERT_TRUE(sizes.has_value()) << sizes.error().message;
    IntNet net;
    net.graphs = {graph};
    const auto proofs = CheckIntNet(net);
    ASSERT_TRUE(proofs.has_value()) << proofs.error().message;
    const ValueRange found = BruteForce(graph, input, (*sizes)[1]);
    EXPECT_EQ((*proofs)[0].min, found.min);
    EXPECT_EQ((*proofs)[0].max, found.max);
  }

  const uint32_t seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
};

TEST_F(ProofTest, EqualsBruteForceOnConvolutions) {
  for (int i = 0; i < 30; ++i) {
    SCOPED_TRACE(fmt::format("seed {} round {}", seed_, i));
    const Geometry g{.kernel_h = 2,
                     .kernel_w = 2,
                     .stride_w = 1 + i % 2,
                     .pad_top = 1,
                     .pad_bottom = 1,
                     .pad_left = i % 3 == 0 ? 2 : 0};
    ExpectTight(OneNode(OpKind::kConv2d, g, 1, 2, Range(), Weights(8)), {2 + i % 2, 2});
  }
}

TEST_F(ProofTest, EqualsBruteForceOnGroups) {
  for (int i = 0; i < 10; ++i) {
    SCOPED_TRACE(fmt::format("seed {} round {}", seed_, i));
    ExpectTight(OneNode(OpKind::kConv2d, {.kernel_h = 1, .kernel_w = 2, .groups = 2}, 4, 4, Range(),
                        Weights(16)),
                {1, 2});
  }
}

// Only the taps of one phase meet in an output pixel: the bound is tighter than the full sum.
TEST_F(ProofTest, EqualsBruteForceOnPhasesOfTransposedConvolutions) {
  for (int i = 0; i < 20; ++i) {
    SCOPED_TRACE(fmt::format("seed {} round {}", seed_, i));
    const int32_t kernel = 2 + i % 2;
    ExpectTight(OneNode(OpKind::kConvTranspose2d,
                        {.kernel_h = kernel,
                         .kernel_w = kernel,
                         .stride_h = 2,
                         .stride_w = 2,
                         .pad_top = kernel / 2,
                         .pad_left = kernel / 2},
                        1, 2, Range(), Weights(static_cast<size_t>(2 * kernel * kernel))),
                {2, 2});
  }
}

TEST_F(ProofTest, SplitsSumsBefore32BitsOverflow) {
  // 32767 * 32767 < 2^30: two fit a segment, the third opens the next.
  const std::vector<int16_t> weights(5, 32767);
  const IntGraph graph = OneNode(OpKind::kConv2d, {.kernel_w = 5}, 1, 1, {-32767, 32767}, weights);
  const SumBounds bounds = BoundSums(graph, graph.nodes[0]);
  EXPECT_EQ(bounds.channels[0].segments, 3);
  EXPECT_EQ(bounds.channels[0].max, 5ll * 32767 * 32767);
  EXPECT_EQ(bounds.channels[0].min, -5ll * 32767 * 32767);
  // (-32768)^2 = 2^30: two of them reach 2^31 and must part.
  const IntGraph edge = OneNode(OpKind::kConv2d, {.kernel_w = 2}, 1, 1, {-32768, 32767},
                                std::vector<int16_t>(2, -32768));
  EXPECT_EQ(BoundSums(edge, edge.nodes[0]).channels[0].segments, 2);
}

// Greedy segments, each summed with the largest inputs, stay below 2^31.
TEST_F(ProofTest, EverySegmentFits32Bits) {
  std::uniform_int_distribution<int> weight(-32768, 32767);
  std::vector<int16_t> weights(300);
  for (int16_t& w : weights) w = static_cast<int16_t>(weight(random_));
  const IntGraph graph = OneNode(OpKind::kConv2d, {}, 300, 1, {-32768, 32767}, weights);
  const int32_t segments = BoundSums(graph, graph.nodes[0]).channels[0].segments;
  int64_t total = 0;
  for (int16_t w : weights) total += std::abs(static_cast<int64_t>(w)) * 32768;
  EXPECT_GE(segments, total >> 31) << seed_;
  EXPECT_LE(segments, (total >> 30) + 1) << seed_;
}

// The sums of Gdn are over |x|: a negative gamma only lowers them.
TEST_F(ProofTest, NormsSumMagnitudes) {
  const IntGraph graph = OneNode(OpKind::kGdn, {}, 2, 2, {-3, 1}, {5, -2, 4, 4});
  const SumBounds bounds = BoundSums(graph, graph.nodes[0]);
  EXPECT_EQ(bounds.channels[0].max, 15);
  EXPECT_EQ(bounds.channels[0].min, -6);
  EXPECT_EQ(bounds.channels[1].min, 0);
}

TEST_F(ProofTest, CountsBits) {
  EXPECT_EQ(BitsOf({0, 255}), 8);
  EXPECT_EQ(BitsOf({0, 256}), 9);
  EXPECT_EQ(BitsOf({-128, 127}), 8);
  EXPECT_EQ(BitsOf({-129, 127}), 9);
  EXPECT_EQ(BitsOf({-2047, 2047}), 12);
  EXPECT_EQ(SignedBitsOf({-7, 7}), 4);
  EXPECT_EQ(SignedBitsOf({8}), 5);
}

}  // namespace
}  // namespace lichen
