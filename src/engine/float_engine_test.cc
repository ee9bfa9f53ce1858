#include "engine/float_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "net/check.h"
#include "net/graph_builder.h"
#include "net/importer.h"

namespace lichen {
namespace {

Tensor<float> RandomTensor(Shape shape, uint32_t seed, float low, float high) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  Tensor<float> tensor(shape);
  for (float& v : tensor.span()) v = uniform(generator);
  return tensor;
}

std::vector<float> RandomValues(size_t count, uint32_t seed, float low, float high) {
  const Tensor<float> tensor =
      RandomTensor({1, 1, 1, static_cast<int64_t>(count)}, seed, low, high);
  return {tensor.span().begin(), tensor.span().end()};
}

std::vector<Tensor<float>> RunAll(const FloatGraph& graph, const Tensor<float>& input,
                                  FloatRunOptions options, int thread_count = 2) {
  std::vector<Tensor<float>> inputs;
  inputs.push_back(input.Clone());
  auto tensors = RunFloatGraph(graph, std::move(inputs), options, Threads(thread_count));
  EXPECT_TRUE(tensors) << tensors.error().message;
  return tensors ? std::move(*tensors) : std::vector<Tensor<float>>{};
}

double MaxAbs(const Tensor<float>& t) {
  double largest = 0;
  for (float v : t.span()) largest = std::max(largest, std::fabs(double{v}));
  return largest;
}

// All tensors alike, within 1e-4 of the largest value.
void ExpectAlike(const FloatGraph& graph, const std::vector<Tensor<float>>& actual,
                 const std::vector<Tensor<float>>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t t = 0; t < actual.size(); ++t) {
    ASSERT_EQ(actual[t].shape(), expected[t].shape()) << graph.tensors[t].name;
    const double tolerance = 1e-4 * std::max(1e-3, MaxAbs(expected[t]));
    for (size_t i = 0; i < actual[t].span().size(); ++i) {
      ASSERT_NEAR(actual[t].span()[i], expected[t].span()[i], tolerance) << graph.tensors[t].name;
    }
  }
}

TEST(FloatEngine, AgreesWithReferenceKernelsOnXlic) {
  const auto weights = std::filesystem::path(LICHEN_SOURCE_DIR) / "../shared/weights/xlic";
  if (!std::filesystem::exists(weights)) GTEST_SKIP() << weights << " is absent";
  const auto model = Import("xlic", weights);
  ASSERT_TRUE(model) << model.error().message;
  const FloatNet& net = std::get<FloatNet>(*model);
  for (const Size2 size : {Size2{1, 1}, Size2{1, 17}, Size2{33, 97}, Size2{251, 189}}) {
    SCOPED_TRACE(fmt::format("{}x{}", size.h, size.w));
    const FloatGraph& analysis = *net.Find("analysis");
    const FloatGraph& synthesis = *net.Find("synthesis");
    const Tensor<float> picture = RandomTensor({1, size.h, size.w, 3}, 1, 0, 1);
    FloatRunOptions options{.reference = size, .keep_all = true};
    const auto fast = RunAll(analysis, picture, options);
    const auto fast_out = RunAll(synthesis, fast.back(), options);
    options.reference_kernels = true;
    const auto slow = RunAll(analysis, picture, options);
    const auto slow_out = RunAll(synthesis, fast.back(), options);
    ExpectAlike(analysis, fast, slow);
    ExpectAlike(synthesis, fast_out, slow_out);
    EXPECT_EQ(fast_out.back().shape(), (Shape{1, size.h, size.w, 3}));
  }
}

// A graph with every operator.
FloatGraph EveryOperator() {
  GraphBuilder<FloatParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 3});
  const TensorId conv = b.Add(
      OpKind::kConv2d, {x}, {.name = "conv", .channels = 8},
      {.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1},
      {.weights = RandomValues(8 * 27, 2, -1, 1), .bias = RandomValues(8, 3, -1, 1)});
  const TensorId relu =
      b.Add(OpKind::kLeakyRelu, {conv}, {.name = "relu", .channels = 8}, {}, {.slope = 0.25F});
  const FloatParams norm{.weights = RandomValues(64, 4, 0, 1), .bias = RandomValues(8, 5, 0.5F, 1)};
  const TensorId gdn = b.Add(OpKind::kGdn, {relu}, {.name = "gdn", .channels = 8}, {}, norm);
  const TensorId igdn = b.Add(OpKind::kIgdn, {gdn}, {.name = "igdn", .channels = 8}, {}, norm);
  FloatParams gain = norm;
  gain.gain = RandomValues(8, 6, -1, 1);
  gain.gain_bias = RandomValues(8, 7, -1, 1);
  const TensorId lagc = b.Add(OpKind::kLagc, {igdn}, {.name = "lagc", .channels = 8}, {}, gain);
  const TensorId add = b.Add(OpKind::kAdd, {lagc, relu}, {.name = "add", .channels = 8});
  const TensorId flat =
      b.Add(OpKind::kDepthToSpace, {add}, {.name = "flat", .channels = 2}, {.block = 2});
  const TensorId deep =
      b.Add(OpKind::kSpaceToDepth, {flat}, {.name = "deep", .channels = 8}, {.block = 2});
  const TensorId both = b.Add(OpKind::kConcat, {deep, conv}, {.name = "both", .channels = 16});
  const TensorId pool = b.Add(OpKind::kMaxPool, {both}, {.name = "pool", .channels = 16},
                              {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2});
  const TensorId scaled =
      b.Add(OpKind::kRequant, {pool}, {.name = "scaled", .channels = 16}, {},
            {.bias = RandomValues(16, 8, -1, 1), .gain = RandomValues(16, 9, 1, 2)});
  const TensorId up = b.Add(
      OpKind::kConvTranspose2d, {scaled}, {.name = "up", .channels = 4},
      {.kernel_h = 4, .kernel_w = 4, .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1},
      {.weights = RandomValues(4 * 16 * 16, 10, -1, 1)});
  const TensorId clamped =
      b.Add(OpKind::kClamp, {up}, {.name = "clamped", .channels = 4, .range = {-2, 6}});
  const TensorId linear =
      b.Add(OpKind::kLinear, {clamped}, {.name = "linear", .channels = 5},
            {.kernel_h = 6, .kernel_w = 8}, {.weights = RandomValues(5 * 192, 11, -1, 1)});
  b.Output(b.Add(OpKind::kLut, {linear}, {.name = "lut", .channels = 5}, {},
                 {.table = {1, 2, 3}, .table_first = -1}));
  return std::move(b).Build();
}

TEST(FloatEngine, RunsEveryOperatorLikeTheReferenceKernels) {
  const FloatGraph graph = EveryOperator();
  FloatNet net;
  net.graphs.push_back(graph);
  const auto check = CheckFloatNet(net);
  ASSERT_TRUE(check) << check.error().message;
  const Tensor<float> x = RandomTensor({2, 6, 8, 3}, 12, -1, 1);
  const auto slow = RunAll(graph, x, {.reference_kernels = true, .keep_all = true});
  for (int thread_count : {1, 2, 3}) {
    ExpectAlike(graph, RunAll(graph, x, {.keep_all = true}, thread_count), slow);
  }
}

TEST(FloatEngine, ClampsToTheRangeOfItsOutput) {
  const auto tensors =
      RunAll(EveryOperator(), RandomTensor({1, 6, 8, 3}, 13, -9, 9), {.keep_all = true});
  const auto values = tensors[13].span();
  EXPECT_EQ(*std::min_element(values.begin(), values.end()), -2);
  EXPECT_EQ(*std::max_element(values.begin(), values.end()), 6);
}

TEST(FloatEngine, FreesWhatNobodyReadsAnyMore) {
  const FloatGraph graph = EveryOperator();
  std::vector<std::string> seen;
  FloatRunOptions options;
  options.observer = [&](const FloatNode& node, const Tensor<float>& output, double seconds) {
    seen.push_back(graph.tensor(node.output).name);
    EXPECT_GT(output.shape().Count(), 0);
    EXPECT_GE(seconds, 0);
  };
  const auto tensors = RunAll(graph, RandomTensor({1, 6, 8, 3}, 14, -1, 1), options);
  EXPECT_EQ(seen.size(), graph.nodes.size());
  for (size_t i = 0; i + 1 < tensors.size(); ++i) EXPECT_EQ(tensors[i].shape().Count(), 0);
  EXPECT_EQ(tensors.back().shape(), (Shape{1, 1, 1, 5}));
}

TEST(FloatEngine, RefusesInputThatDoesNotFit) {
  const FloatGraph graph = EveryOperator();
  for (const Shape shape : {Shape{1, 6, 8, 4}, Shape{1, 5, 8, 3}}) {
    std::vector<Tensor<float>> inputs;
    inputs.emplace_back(shape);
    const auto result = RunFloatGraph(graph, std::move(inputs), {}, Threads(1));
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, testing::HasSubstr("graph main"));
  }
}

}  // namespace
}  // namespace lichen
