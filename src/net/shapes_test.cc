#include "net/shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/test_nets.h"
#include "net/test_util.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;

const Size2 kSizes[] = {{1, 1}, {1, 17}, {17, 1}, {33, 97}, {251, 189}};

IntGraph OneNode(OpKind kind, Geometry g, int64_t in, int64_t out) {
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = in});
  b.Output(b.Add(kind, {x}, {.name = "y", .channels = out}, g));
  return std::move(b).Build();
}

Size2 OutputOf(const IntGraph& graph, Size2 input, Size2 reference = {}) {
  const auto sizes = InferSizes(graph, {input}, reference);
  EXPECT_TRUE(sizes.has_value()) << sizes.error().message;
  return sizes ? (*sizes)[1] : Size2{};
}

Geometry Same(int32_t kernel, int32_t stride) {
  const int32_t pad = kernel / 2;
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = pad,
          .pad_bottom = pad,
          .pad_left = pad,
          .pad_right = pad};
}

TEST(Shapes, OddKernelsWithHalfPaddingGiveTheCeiling) {
  for (Size2 size : kSizes) {
    for (int32_t stride : {1, 2, 4}) {
      for (int32_t kernel : {1, 3, 5, 9}) {
        const Size2 want{(size.h + stride - 1) / stride, (size.w + stride - 1) / stride};
        EXPECT_EQ(OutputOf(OneNode(OpKind::kConv2d, Same(kernel, stride), 1, 1), size), want);
      }
    }
  }
}

TEST(Shapes, TransposedConvolutionsAreCroppedToTheReference) {
  for (Size2 size : kSizes) {
    for (int32_t divisor : {1, 2, 4, 8}) {
      Geometry g = Same(5, 2);
      g.pad_bottom = g.pad_right = 0;
      const auto ceil = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
      const Size2 input{ceil(size.h, 2 * divisor), ceil(size.w, 2 * divisor)};
      g.output_divisor = divisor;
      const IntGraph graph = OneNode(OpKind::kConvTranspose2d, g, 1, 1);
      EXPECT_EQ(OutputOf(graph, input, size),
                (Size2{ceil(size.h, divisor), ceil(size.w, divisor)}));
      EXPECT_EQ(OutputOf(graph, input), (Size2{2 * input.h, 2 * input.w}));
    }
  }
}

TEST(Shapes, TheCausalContextKeepsTheSize) {
  const Geometry g{
      .kernel_h = 3, .kernel_w = 3, .pad_top = 3, .pad_bottom = -1, .pad_left = 1, .pad_right = 1};
  for (Size2 size : kSizes) EXPECT_EQ(OutputOf(OneNode(OpKind::kConv2d, g, 1, 1), size), size);
}

TEST(Shapes, BlocksPoolsAndLinear) {
  EXPECT_EQ(OutputOf(OneNode(OpKind::kDepthToSpace, {.block = 2, .crop = 1}, 4, 1), {9, 13}),
            (Size2{16, 24}));
  EXPECT_EQ(OutputOf(OneNode(OpKind::kSpaceToDepth, {.block = 2}, 1, 4), {12, 20}), (Size2{6, 10}));
  const Geometry pool{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  EXPECT_EQ(OutputOf(OneNode(OpKind::kMaxPool, pool, 1, 1), {251, 189}), (Size2{125, 94}));
  EXPECT_EQ(OutputOf(OneNode(OpKind::kLinear, {.kernel_h = 3, .kernel_w = 4}, 1, 7), {3, 4}),
            (Size2{1, 1}));
}

TEST(Shapes, NamesTheNodeThatCannotTakeItsInput) {
  struct Case {
    IntGraph graph;
    Size2 input;
    Size2 reference;
    const char* message;
  };
  Geometry up = {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2};
  const std::vector<Case> cases = {
      {OneNode(OpKind::kConv2d, {.kernel_h = 3}, 1, 1), {2, 9}, {}, "empty (0x9)"},
      {OneNode(OpKind::kMaxPool, {.kernel_h = 2}, 1, 1), {1, 1}, {}, "empty"},
      {OneNode(OpKind::kDepthToSpace, {.block = 2, .crop = 1}, 4, 1), {1, 1}, {}, "empty"},
      {OneNode(OpKind::kSpaceToDepth, {.block = 2}, 1, 4), {3, 4}, {}, "not a multiple"},
      {OneNode(OpKind::kLinear, {.kernel_h = 3, .kernel_w = 4}, 1, 7), {4, 3}, {}, "needs"},
      {OneNode(OpKind::kConvTranspose2d, up, 1, 1), {2, 2}, {5, 4}, "gives only 4x4"},
      {OneNode(OpKind::kClamp, {}, 1, 1), {0, 4}, {}, "empty"},
      {OneNode(OpKind::kClamp, {}, 65536, 65536), {1 << 20, 1 << 20}, {}, "too large"},
      {OneNode(OpKind::kClamp, {}, 1, 1), {int64_t{1} << 62, 4}, {}, "too large"},
  };
  for (const Case& test : cases) {
    const auto sizes = InferSizes(test.graph, {test.input}, test.reference);
    ASSERT_FALSE(sizes.has_value()) << test.message;
    EXPECT_THAT(sizes.error().message, HasSubstr(test.message));
    EXPECT_THAT(sizes.error().message, HasSubstr("graph main"));
  }
  EXPECT_FALSE(InferSizes(OneNode(OpKind::kClamp, {}, 1, 1), {}).has_value());
}

TEST(Shapes, RefusesInputsOfDifferentSizes) {
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "a", .channels = 1});
  const TensorId y = b.Input({.name = "b", .channels = 1});
  b.Output(b.Add(OpKind::kAdd, {x, y}, {.name = "c", .channels = 1}));
  const IntGraph graph = std::move(b).Build();
  EXPECT_TRUE(InferSizes(graph, {{3, 4}, {3, 4}}).has_value());
  EXPECT_THAT(InferSizes(graph, {{3, 4}, {4, 3}}).error().message, HasSubstr("different sizes"));
}

// Taps counted one by one.
TEST(MacCount, EqualsACountOfTransposedTaps) {
  for (int32_t kernel : {2, 3, 5, 9}) {
    for (int32_t stride : {1, 2, 4}) {
      const int32_t pad = kernel / 2;
      const Geometry g{.kernel_h = kernel,
                       .kernel_w = kernel,
                       .stride_h = stride,
                       .stride_w = stride,
                       .pad_top = pad,
                       .pad_left = pad};
      const IntGraph graph = OneNode(OpKind::kConvTranspose2d, g, 3, 2);
      const Size2 output{7, 10};
      int64_t taps = 0;
      for (int64_t y = 0; y < output.h * output.w; ++y) {
        for (int64_t k = 0; k < kernel * kernel; ++k) {
          const int64_t dy = y / output.w + pad - k / kernel;
          const int64_t dx = y % output.w + pad - k % kernel;
          taps += dy % stride == 0 && dx % stride == 0;
        }
      }
      EXPECT_EQ(MacCount(graph, graph.nodes[0], output, {4, 5}), taps * 6);
    }
  }
}

TEST(MacCount, CountsGroupsNormsAndMasks) {
  const IntGraph depthwise =
      OneNode(OpKind::kConv2d, {.kernel_h = 3, .kernel_w = 3, .groups = 8}, 8, 8);
  EXPECT_EQ(MacCount(depthwise, depthwise.nodes[0], {5, 7}, {7, 9}), 5 * 7 * 9 * 8);
  const IntGraph analysis = SmallAnalysis();
  EXPECT_EQ(MacCount(analysis, analysis.nodes[2], {5, 7}, {5, 7}), 5 * 7 * 16);  // Gdn
  EXPECT_EQ(MacCount(analysis, analysis.nodes[3], {5, 7}, {5, 7}), 5 * 7 * 8);   // half masked
  EXPECT_EQ(MacCount(analysis, analysis.nodes[7], {5, 7}, {5, 7}), 0);           // MaxPool
}

TEST(InferModelSizes, FollowsTensorsFromGraphToGraph) {
  IntNet net;
  net.graphs = {SmallSynthesis(), SmallAnalysis()};
  net.coding.size_multiple = 8;
  const auto sizes = InferModelSizes(net, {9, 17});
  ASSERT_TRUE(sizes.has_value()) << sizes.error().message;
  EXPECT_EQ(sizes->at("input"), (Size2{16, 24}));
  EXPECT_EQ(sizes->at("y"), (Size2{8, 12}));
  EXPECT_EQ(sizes->at("up"), (Size2{16, 24}));
}

}  // namespace
}  // namespace lichen
