#include "kernels/float_kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace lichen {
namespace {

std::vector<float> Random(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float& v : values) v = uniform(generator);
  return values;
}

Tensor<float> RandomTensor(Shape shape, uint32_t seed) {
  Tensor<float> tensor(shape);
  const std::vector<float> values = Random(static_cast<size_t>(shape.Count()), seed);
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

std::vector<float> Values(const Tensor<float>& t) { return {t.span().begin(), t.span().end()}; }

Tensor<float> Of(Shape shape, std::vector<float> values) {
  Tensor<float> tensor(shape);
  LICHEN_CHECK(values.size() == tensor.span().size());
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

void ExpectNear(const Tensor<float>& a, const Tensor<float>& b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  for (size_t i = 0; i < a.span().size(); ++i) {
    ASSERT_NEAR(a.span()[i], b.span()[i], tolerance) << "at " << i;
  }
}

struct ConvCase {
  std::string name;
  Geometry geometry;
  Size2 in;
  int64_t in_channels;
  int64_t out_channels;
};

const std::vector<ConvCase> kConvCases = {
    {"pixel",
     {.kernel_h = 9,
      .kernel_w = 9,
      .stride_h = 4,
      .stride_w = 4,
      .pad_top = 4,
      .pad_bottom = 4,
      .pad_left = 4,
      .pad_right = 4},
     {1, 1},
     3,
     17},
    {"first layer",
     {.kernel_h = 9,
      .kernel_w = 9,
      .stride_h = 4,
      .stride_w = 4,
      .pad_top = 4,
      .pad_bottom = 4,
      .pad_left = 4,
      .pad_right = 4},
     {33, 97},
     3,
     128},
    {"even kernel", {.kernel_h = 2, .kernel_w = 4, .stride_w = 3, .pad_left = 1}, {7, 20}, 5, 6},
    {"groups",
     {.kernel_h = 3,
      .kernel_w = 3,
      .pad_top = 1,
      .pad_bottom = 1,
      .pad_left = 1,
      .pad_right = 1,
      .groups = 3},
     {9, 10},
     12,
     18},
    {"depthwise",
     {.kernel_h = 3,
      .kernel_w = 3,
      .pad_top = 1,
      .pad_bottom = 1,
      .pad_left = 1,
      .pad_right = 1,
      .groups = 16},
     {9, 10},
     16,
     16},
    {"causal rows",
     {.kernel_h = 3, .kernel_w = 3, .pad_top = 3, .pad_bottom = -1, .pad_left = 1, .pad_right = 1},
     {8, 9},
     4,
     4},
};

TEST(FloatConv2d, DnnlAgreesWithReference) {
  for (const ConvCase& c : kConvCases) {
    SCOPED_TRACE(c.name);
    const Geometry& g = c.geometry;
    const Shape out_shape = {2, (c.in.h + g.pad_top + g.pad_bottom - g.kernel_h) / g.stride_h + 1,
                             (c.in.w + g.pad_left + g.pad_right - g.kernel_w) / g.stride_w + 1,
                             c.out_channels};
    const Tensor<float> x = RandomTensor({2, c.in.h, c.in.w, c.in_channels}, 1);
    const auto weights = Random(
        static_cast<size_t>(c.out_channels * g.kernel_h * g.kernel_w * c.in_channels / g.groups),
        2);
    const auto some_bias = Random(static_cast<size_t>(c.out_channels), 3);
    for (const auto& bias : {std::vector<float>{}, some_bias}) {
      Tensor<float> expected(out_shape);
      FloatConv2dRef(x.view(), weights, bias, g, expected.view());
      for (int thread_count : {1, 2}) {
        Tensor<float> actual(out_shape);
        FloatConv2dDnnl(x.view(), weights, bias, g, thread_count, actual.view());
        ExpectNear(actual, expected, 1e-4);
      }
    }
  }
}

TEST(FloatConvTranspose2d, DnnlAgreesWithReferenceWhateverTheCrop) {
  for (const ConvCase& c : kConvCases) {
    SCOPED_TRACE(c.name);
    const Geometry& g = c.geometry;
    const Tensor<float> x = RandomTensor({1, c.in.h, c.in.w, c.in_channels}, 4);
    const auto weights = Random(
        static_cast<size_t>(c.out_channels * g.kernel_h * g.kernel_w * c.in_channels / g.groups),
        5);
    const auto bias = Random(static_cast<size_t>(c.out_channels), 6);
    for (int64_t crop = 0; crop < std::min<int64_t>(g.stride_h, g.stride_w); ++crop) {
      const Shape out_shape = {1, c.in.h * g.stride_h - crop, c.in.w * g.stride_w - crop,
                               c.out_channels};
      Tensor<float> expected(out_shape);
      Tensor<float> actual(out_shape);
      FloatConvTranspose2dRef(x.view(), weights, bias, g, expected.view());
      FloatConvTranspose2dDnnl(x.view(), weights, bias, g, 2, actual.view());
      ExpectNear(actual, expected, 1e-4);
    }
  }
}

TEST(FloatConvTranspose2d, IsTheAdjointOfConv2d) {
  const Geometry g = {.kernel_h = 5,
                      .kernel_w = 5,
                      .stride_h = 2,
                      .stride_w = 2,
                      .pad_top = 2,
                      .pad_bottom = 2,
                      .pad_left = 2,
                      .pad_right = 2};
  const Tensor<float> x = RandomTensor({1, 8, 12, 3}, 7);
  const Tensor<float> y = RandomTensor({1, 4, 6, 4}, 8);
  const auto weights = Random(4 * 25 * 3, 9);  // [4][ky][kx][3]
  std::vector<float> swapped(weights.size());  // [3][ky][kx][4]
  for (size_t o = 0; o < 4; ++o) {
    for (size_t k = 0; k < 25; ++k) {
      for (size_t i = 0; i < 3; ++i) swapped[(i * 25 + k) * 4 + o] = weights[(o * 25 + k) * 3 + i];
    }
  }
  Tensor<float> forward({1, 4, 6, 4});
  Tensor<float> back({1, 8, 12, 3});
  FloatConv2dRef(x.view(), weights, {}, g, forward.view());
  FloatConvTranspose2dRef(y.view(), swapped, {}, g, back.view());
  double a = 0;
  double b = 0;
  for (size_t i = 0; i < y.span().size(); ++i) a += double{forward.span()[i]} * y.span()[i];
  for (size_t i = 0; i < x.span().size(); ++i) b += double{back.span()[i]} * x.span()[i];
  EXPECT_NEAR(a, b, 1e-4);
}

TEST(FloatLinear, DnnlAgreesWithReference) {
  const Tensor<float> x = RandomTensor({3, 4, 5, 7}, 10);
  const auto weights = Random(11 * 140, 11);
  const auto bias = Random(11, 12);
  Tensor<float> expected({3, 1, 1, 11});
  Tensor<float> actual({3, 1, 1, 11});
  FloatLinearRef(x.view(), weights, bias, expected.view());
  FloatLinearDnnl(x.view(), weights, bias, 2, actual.view());
  ExpectNear(actual, expected, 1e-4);
}

TEST(FloatAddGram, AddsProductsOfAllPairs) {
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
  std::vector<float> matrix(9, 1.0F);
  FloatAddGram(rows, 2, 1, matrix);
  EXPECT_THAT(matrix, testing::ElementsAre(18, 23, 28, 23, 30, 37, 28, 37, 46));
}

TEST(FloatGdn, DividesAndMultipliesByTheNorm) {
  const Tensor<float> x = Of({1, 1, 1, 2}, {-2, 3});
  const std::vector<float> gamma = {1, 2, 0, 1};
  const std::vector<float> beta = {2, 1};
  Tensor<float> out({1, 1, 1, 2});
  FloatGdnRef(x.view(), gamma, beta, out.view());  // norms 2 + 2 + 6 and 1 + 3
  EXPECT_THAT(Values(out), testing::ElementsAre(-0.2F, 0.75F));
  FloatIgdnRef(x.view(), gamma, beta, out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(-20.0F, 12.0F));
}

TEST(FloatLagc, GainsByATanh) {
  const Tensor<float> x = Of({1, 1, 1, 2}, {-2, 3});
  const std::vector<float> affine = {1, 0.5F, 0, 0};
  const std::vector<float> bias = {0.5F, -0.25F};
  const std::vector<float> gain = {2, 1};
  const std::vector<float> gain_bias = {0.5F, 0};
  Tensor<float> out({1, 1, 1, 2});
  FloatLagcRef(x.view(), {affine, bias, gain, gain_bias}, out.view());
  EXPECT_NEAR(out(0, 0, 0, 0), -2 * (1.5 + 2 * std::tanh(0.0)), 1e-6);
  EXPECT_NEAR(out(0, 0, 0, 1), 3 * (1 + std::tanh(-0.25)), 1e-6);
}

TEST(FloatDepthToSpace, UndoesSpaceToDepth) {
  const Tensor<float> x = RandomTensor({1, 6, 4, 3}, 13);
  Tensor<float> deep({1, 3, 2, 12});
  Tensor<float> back({1, 6, 4, 3});
  FloatSpaceToDepth(x.view(), 2, deep.view());
  EXPECT_EQ(deep(0, 1, 1, 2 * 3 + 1), x(0, 3, 2, 1));
  FloatDepthToSpace(deep.view(), 2, 0, back.view());
  EXPECT_EQ(Values(back), Values(x));
  Tensor<float> cropped({1, 4, 2, 3});
  FloatDepthToSpace(deep.view(), 2, 1, cropped.view());
  EXPECT_EQ(cropped(0, 0, 0, 2), x(0, 1, 1, 2));
}

TEST(FloatElementwise, ComputesWhatItsNameSays) {
  const Tensor<float> x = Of({1, 1, 2, 2}, {-2, 3, 0.5F, -0.75F});
  Tensor<float> out({1, 1, 2, 2});
  FloatLeakyRelu(x.view(), 0.25F, out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(-0.5F, 3, 0.5F, -0.1875F));
  FloatAdd(x.view(), x.view(), out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(-4, 6, 1, -1.5F));
  FloatClamp(x.view(), -1, 1, out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(-1, 1, 0.5F, -0.75F));
  FloatLut(x.view(), std::vector<float>{10, 20, 30}, -1, out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(10, 30, 30, 10));
  FloatScale(x.view(), std::vector<float>{2, 4}, std::vector<float>{1}, out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(-3, 13, 2, -2));
}

TEST(FloatConcat, JoinsChannelsInOrder) {
  const Tensor<float> a = Of({1, 1, 2, 1}, {1, 2});
  const Tensor<float> b = Of({1, 1, 2, 2}, {3, 4, 5, 6});
  Tensor<float> out({1, 1, 2, 3});
  FloatConcat(std::vector<FloatView>{a.view(), b.view()}, out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(1, 3, 4, 2, 5, 6));
}

TEST(FloatMaxPool, TakesTheLargestOfAWindow) {
  const Tensor<float> x = Of({1, 2, 4, 1}, {-5, -4, 1, 2, -3, -6, 8, 0});
  Tensor<float> out({1, 1, 2, 1});
  FloatMaxPool(x.view(), {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}, out.view());
  EXPECT_THAT(Values(out), testing::ElementsAre(-3, 8));
}

}  // namespace
}  // namespace lichen
