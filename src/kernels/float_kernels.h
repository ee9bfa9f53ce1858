// Operators of the float network: obvious loops (Float*Ref), and oneDNN for sums (Float*Dnnl).
//
// Contract: float32 NHWC views with the shapes that InferSizes() gives, weights OHWI. An empty bias
// is 0. The reference kernels define the operators and accumulate in double. The oneDNN ones give
// the same but for the order of a float sum; they run on `thread_count` OpenMP threads, allocate
// scratch for packed weights, and leave what oneDNN refuses to the reference.
#pragma once

#include <cstdint>
#include <span>

#include "base/geometry.h"
#include "base/tensor.h"

namespace lichen {

using FloatView = TensorView<const float>;
using FloatOut = TensorView<float>;

void FloatConv2dRef(FloatView x, std::span<const float> weights, std::span<const float> bias,
                    const Geometry& geometry, FloatOut out);
void FloatConvTranspose2dRef(FloatView x, std::span<const float> weights,
                             std::span<const float> bias, const Geometry& geometry, FloatOut out);
// A convolution whose kernel is the whole input.
void FloatLinearRef(FloatView x, std::span<const float> weights, std::span<const float> bias,
                    FloatOut out);
// x / (beta + sum gamma * |x|), gamma [c][j].
void FloatGdnRef(FloatView x, std::span<const float> gamma, std::span<const float> beta,
                 FloatOut out);
// x * (beta + sum gamma * |x|).
void FloatIgdnRef(FloatView x, std::span<const float> gamma, std::span<const float> beta,
                  FloatOut out);

// x * (1 + gain * tanh(A x + bias) + gain_bias).
struct FloatLagcWeights {
  std::span<const float> affine;  // A [c][j]
  std::span<const float> bias;
  std::span<const float> gain;
  std::span<const float> gain_bias;
};
void FloatLagcRef(FloatView x, const FloatLagcWeights& weights, FloatOut out);

// The same with a given norm = beta + sum gamma * |x|, or affine = A x + bias; `out` may be `x`.
void FloatDivide(FloatView x, FloatView norm, FloatOut out);
void FloatMultiply(FloatView x, FloatView norm, FloatOut out);
void FloatGainTanh(FloatView x, FloatView affine, const FloatLagcWeights& weights, FloatOut out);

void FloatDepthToSpace(FloatView x, int block, int crop, FloatOut out);
void FloatSpaceToDepth(FloatView x, int block, FloatOut out);
void FloatAbs(FloatView x, FloatOut out);
void FloatLeakyRelu(FloatView x, float slope, FloatOut out);
void FloatAdd(FloatView a, FloatView b, FloatOut out);
void FloatConcat(std::span<const FloatView> inputs, FloatOut out);
void FloatMaxPool(FloatView x, const Geometry& geometry, FloatOut out);
// table[round(x) - table_first], saturating at both ends; rounds half up.
void FloatLut(FloatView x, std::span<const float> table, int64_t table_first, FloatOut out);
void FloatClamp(FloatView x, float min, float max, FloatOut out);
// x * gain[c] + bias[c]; each with one value, one per channel, or none (1 and 0).
void FloatScale(FloatView x, std::span<const float> gain, std::span<const float> bias,
                FloatOut out);

void FloatConv2dDnnl(FloatView x, std::span<const float> weights, std::span<const float> bias,
                     const Geometry& geometry, int thread_count, FloatOut out);
void FloatConvTranspose2dDnnl(FloatView x, std::span<const float> weights,
                              std::span<const float> bias, const Geometry& geometry,
                              int thread_count, FloatOut out);
void FloatLinearDnnl(FloatView x, std::span<const float> weights, std::span<const float> bias,
                     int thread_count, FloatOut out);
// matrix += rows' * rows, for `count` rows of width floats each; matrix is width x width.
void FloatAddGram(std::span<const float> rows, int64_t count, int thread_count,
                  std::span<float> matrix);

}  // namespace lichen
