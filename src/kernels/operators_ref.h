// Reference operators of the integer network: each is the definition of its operator's bits.
//
// Contract: obvious loops on NHWC views of int32 values; nothing is allocated. Views have the
// shapes that InferSizes() gives; parameters are those that CheckIntNet() accepted. `range` is the
// output tensor's range, to which every result is saturated.
#pragma once

#include <cstdint>
#include <span>

#include "base/geometry.h"
#include "base/requantise.h"
#include "base/tensor.h"

namespace lichen {

using ConstView = TensorView<const int32_t>;
using MutableView = TensorView<int32_t>;

// Weights of Gdn and Igdn: the norm of channel c is
// Requantise(sum_j gamma[c][j] * |x_j|, norm) in norm_range.
struct GdnWeights {
  std::span<const int16_t> gamma;
  const ChannelRequant& norm;
  ValueRange norm_range;
};

// Lagc: u = A x requantised into u_range, v = table[u - table_first], g = v requantised by `gain`.
struct LagcWeights {
  std::span<const int16_t> affine;
  const ChannelRequant& affine_requant;
  ValueRange u_range;
  std::span<const int32_t> table;
  int64_t table_first;
  const ChannelRequant& gain;
  ValueRange gain_range;
};

// Weights OHWI. Also Linear, whose kernel is the whole input.
void Conv2dRef(ConstView x, std::span<const int16_t> weights, const Geometry& geometry,
               const ChannelRequant& requant, ValueRange range, MutableView out);
void ConvTranspose2dRef(ConstView x, std::span<const int16_t> weights, const Geometry& geometry,
                        const ChannelRequant& requant, ValueRange range, MutableView out);
void DepthToSpaceRef(ConstView x, int block, int crop, MutableView out);
void SpaceToDepthRef(ConstView x, int block, MutableView out);
// q = clamp(GdnQuotient(x, multiplier[c], norm)).
void GdnRef(ConstView x, const GdnWeights& weights, const ChannelRequant& output, ValueRange range,
            MutableView out);
// q = Requantise(x * norm, output).
void IgdnRef(ConstView x, const GdnWeights& weights, const ChannelRequant& output, ValueRange range,
             MutableView out);
// q = Requantise(x * g, output).
void LagcRef(ConstView x, const LagcWeights& weights, const ChannelRequant& output,
             ValueRange range, MutableView out);
void LeakyReluRef(ConstView x, int slope_shift, ValueRange range, MutableView out);
void AddRef(ConstView a, ConstView b, ValueRange range, MutableView out);
void ConcatRef(std::span<const ConstView> inputs, MutableView out);
void MaxPoolRef(ConstView x, const Geometry& geometry, MutableView out);
void LutRef(ConstView x, std::span<const int32_t> table, int64_t table_first, ValueRange range,
            MutableView out);
void ClampRef(ConstView x, ValueRange range, MutableView out);
void RequantRef(ConstView x, const ChannelRequant& requant, ValueRange range, MutableView out);

}  // namespace lichen
