// Small random nets and pictures for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "image/synthetic.h"
#include "net/graph_builder.h"
#include "quant/calibration.h"

namespace lichen {

inline std::vector<float> RandomValues(size_t count, uint32_t seed, double low, double high) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(uniform(generator));
  return values;
}

// Zero-mean weights of a convolution that keeps magnitudes about as they are, and a bias.
inline FloatParams RandomConv(int64_t out, int64_t per_output, uint32_t seed) {
  const double bound = std::sqrt(3.0 / static_cast<double>(per_output));
  return {.weights = RandomValues(static_cast<size_t>(out * per_output), seed, -bound, bound),
          .bias = RandomValues(static_cast<size_t>(out), seed + 1, -0.1, 0.1)};
}

inline FloatParams RandomNorm(int64_t channels, uint32_t seed) {
  const double bound = 1.0 / static_cast<double>(channels);
  return {.weights = RandomValues(static_cast<size_t>(channels * channels), seed, 0, bound),
          .bias = RandomValues(static_cast<size_t>(channels), seed + 1, 0.2, 0.4)};
}

inline Geometry Square(int32_t kernel, int32_t stride) {
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = kernel / 2,
          .pad_bottom = kernel / 2,
          .pad_left = kernel / 2,
          .pad_right = kernel / 2};
}

// 3 channels -> 4 latents at a quarter of the size, and back.
inline FloatNet TinyCodec(uint32_t seed = 1) {
  GraphBuilder<FloatParams> a("analysis");
  const TensorId x = a.Input({.name = "x", .channels = 3});
  const TensorId a0 = a.Add(OpKind::kConv2d, {x}, {.name = "a0", .channels = 8}, Square(5, 2),
                            RandomConv(8, 75, seed));
  const TensorId g0 =
      a.Add(OpKind::kGdn, {a0}, {.name = "g0", .channels = 8}, {}, RandomNorm(8, seed + 2));
  FloatParams last = RandomConv(4, 200, seed + 4);
  for (float& w : last.weights) w *= 10;
  a.Output(a.Add(OpKind::kConv2d, {g0}, {.name = "y", .channels = 4}, Square(5, 2), last));

  GraphBuilder<FloatParams> s("synthesis");
  const TensorId y_hat = s.Input({.name = "y_hat", .channels = 4});
  Geometry half = Square(5, 2);
  half.output_divisor = 2;
  const TensorId s0 = s.Add(OpKind::kConvTranspose2d, {y_hat}, {.name = "s0", .channels = 8}, half,
                            RandomConv(8, 100, seed + 6));
  const TensorId i0 =
      s.Add(OpKind::kIgdn, {s0}, {.name = "i0", .channels = 8}, {}, RandomNorm(8, seed + 8));
  FloatParams out = RandomConv(3, 200, seed + 10);
  for (float& w : out.weights) w *= 0.1F;
  for (float& b : out.bias) b += 0.5F;
  s.Output(
      s.Add(OpKind::kConvTranspose2d, {i0}, {.name = "picture", .channels = 3}, Square(5, 2), out));
  FloatNet net;
  net.graphs.push_back(std::move(a).Build());
  net.graphs.push_back(std::move(s).Build());
  return net;
}

// A `main` graph with every operator that can be quantised but Gdn, Igdn and ConvTranspose2d.
inline FloatNet TinyClassifier(uint32_t seed = 1) {
  GraphBuilder<FloatParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 3});
  const TensorId c0 = b.Add(OpKind::kConv2d, {x}, {.name = "c0", .channels = 8}, Square(3, 1),
                            RandomConv(8, 27, seed));
  const TensorId leaky =
      b.Add(OpKind::kLeakyRelu, {c0}, {.name = "leaky", .channels = 8}, {}, {.slope = 0.125F});
  const TensorId c1 = b.Add(OpKind::kConv2d, {leaky}, {.name = "c1", .channels = 8}, Square(3, 1),
                            RandomConv(8, 72, seed + 2));
  const TensorId relu = b.Add(OpKind::kLeakyRelu, {c1}, {.name = "relu", .channels = 8});
  const TensorId add = b.Add(OpKind::kAdd, {leaky, relu}, {.name = "add", .channels = 8});
  const TensorId flat =
      b.Add(OpKind::kDepthToSpace, {add}, {.name = "flat", .channels = 2}, {.block = 2});
  const TensorId deep =
      b.Add(OpKind::kSpaceToDepth, {flat}, {.name = "deep", .channels = 8}, {.block = 2});
  const TensorId both = b.Add(OpKind::kConcat, {deep, c0}, {.name = "both", .channels = 16});
  const TensorId pool = b.Add(OpKind::kMaxPool, {both}, {.name = "pool", .channels = 16},
                              {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2});
  const TensorId scaled = b.Add(
      OpKind::kRequant, {pool}, {.name = "scaled", .channels = 16}, {},
      {.bias = RandomValues(16, seed + 4, -0.1, 0.1), .gain = RandomValues(16, seed + 5, -2, 2)});
  FloatParams gain{.weights = RandomValues(256, seed + 6, -0.2, 0.2),
                   .bias = RandomValues(16, seed + 7, -0.2, 0.2),
                   .gain = RandomValues(16, seed + 8, -1, 1),
                   .gain_bias = RandomValues(16, seed + 9, -0.3, 0.3)};
  const TensorId lagc = b.Add(OpKind::kLagc, {scaled}, {.name = "lagc", .channels = 16}, {}, gain);
  const TensorId clamp =
      b.Add(OpKind::kClamp, {lagc}, {.name = "clamp", .channels = 16, .range = {0, 6}});
  b.Output(b.Add(OpKind::kLinear, {clamp}, {.name = "scores", .channels = 5},
                 {.kernel_h = 8, .kernel_w = 8}, RandomConv(5, 1024, seed + 10)));
  FloatNet net;
  net.graphs.push_back(std::move(b).Build());
  return net;
}

inline Calibration SyntheticPictures(int64_t count, int64_t side) {
  Calibration calibration;
  for (int64_t i = 0; i < count; ++i) {
    calibration.pictures.push_back(
        {fmt::format("{}.png", i), RenderTestPicture(side, side, static_cast<uint64_t>(i) + 1)});
  }
  return calibration;
}

}  // namespace lichen
