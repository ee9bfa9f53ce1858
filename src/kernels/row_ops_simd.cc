#include <algorithm>
#include <cstring>

#include "kernels/row_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/row_ops_simd.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/dot-inl.h"
#include "kernels/elements-inl.h"
#include "kernels/requant-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {

// out[i] = map(i) in whole vectors, then the rest.
template <class Map>
HWY_INLINE void ForVectors(int64_t count, MutableRow out, Map map) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(DI32()));
  const int64_t size = SizeBytes(out.type);
  int64_t i = 0;
  for (; i + n <= count; i += n) StoreElements(map(i), out.data + i * size, out.type);
  if (i < count) StoreFirst(map(i), count - i, out.data + i * size, out.type);
}

struct RangeVectors {
  explicit RangeVectors(ValueRange range)
      : min(hn::Set(DI32(), static_cast<int32_t>(range.min))),
        max(hn::Set(DI32(), static_cast<int32_t>(range.max))) {}
  HWY_INLINE VI32 Clamp(VI32 v) const { return hn::Min(hn::Max(v, min), max); }
  VI32 min;
  VI32 max;
};

void Clamp(ConstRow x, int64_t count, ValueRange range, MutableRow out) {
  const RangeVectors bounds(range);
  ForVectors(count, out, [&](int64_t i) HWY_ATTR {
    return bounds.Clamp(LoadElements(x.data + i * SizeBytes(x.type), x.type));
  });
}

void Leaky(ConstRow x, int64_t count, int slope_shift, ValueRange range, MutableRow out) {
  const DI32 d;
  const RangeVectors bounds(range);
  // Half added below 0 cannot overflow: the sum lies between a negative number and half.
  const VI32 half = hn::Set(d, slope_shift > 0 ? int32_t{1} << (slope_shift - 1) : 0);
  ForVectors(count, out, [&](int64_t i) HWY_ATTR {
    const VI32 v = LoadElements(x.data + i * SizeBytes(x.type), x.type);
    const VI32 negative = hn::Min(v, hn::Zero(d));
    const VI32 scaled = hn::ShiftRightSame(hn::Add(negative, half), slope_shift);
    return bounds.Clamp(hn::IfThenElse(hn::Lt(v, hn::Zero(d)), scaled, v));
  });
}

// Requires that the sum fits 32 bits.
void Add(ConstRow a, ConstRow b, int64_t count, ValueRange range, MutableRow out) {
  const RangeVectors bounds(range);
  ForVectors(count, out, [&](int64_t i) HWY_ATTR {
    return bounds.Clamp(hn::Add(LoadElements(a.data + i * SizeBytes(a.type), a.type),
                                LoadElements(b.data + i * SizeBytes(b.type), b.type)));
  });
}

void Max(ConstRow a, ConstRow b, int64_t count, MutableRow out) {
  ForVectors(count, out, [&](int64_t i) HWY_ATTR {
    return hn::Max(LoadElements(a.data + i * SizeBytes(a.type), a.type),
                   LoadElements(b.data + i * SizeBytes(b.type), b.type));
  });
}

// Lanes [lane, lane + N) of exactly one vector of accumulators below 2^31 in size.
HWY_INLINE VI32 RequantLanes(VI32 acc, const LaneRequant& requant, int64_t lane) {
#if HWY_TARGET != HWY_SCALAR
  if (requant.narrow) return RequantVectors(requant, lane).ApplyNarrow(acc);
#endif
  const DI32 d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN int32_t values[64];
  hn::StoreU(acc, d, values);
  for (int64_t i = 0; i < n; ++i) {
    values[i] =
        static_cast<int32_t>(Requantise(values[i], requant.exact[static_cast<size_t>(lane + i)]));
  }
  return hn::LoadU(d, values);
}

// Calls store(pixel, first channel, vector) with map(pixel, first channel) for all vectors of
// channels; the last vector of a pixel may be partly filled.
template <class Map>
HWY_INLINE void ForChannelVectors(int64_t pixels, int64_t channels, MutableRow out, Map map) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(DI32()));
  const int64_t size = SizeBytes(out.type);
  for (int64_t p = 0; p < pixels; ++p) {
    uint8_t* pixel = out.data + p * channels * size;
    int64_t c = 0;
    for (; c + n <= channels; c += n) StoreElements(map(p, c), pixel + c * size, out.type);
    if (c < channels) StoreFirst(map(p, c), channels - c, pixel + c * size, out.type);
  }
}

void RequantPixels(ConstRow x, int64_t pixels, int64_t channels, const LaneRequant& requant,
                   MutableRow out) {
  ForChannelVectors(pixels, channels, out, [&](int64_t p, int64_t c) HWY_ATTR {
    return RequantLanes(LoadElements(x.data + (p * channels + c) * SizeBytes(x.type), x.type),
                        requant, c);
  });
}

void Depthwise(const DepthwiseConv& conv, const uint8_t* const* rows, ElementType type,
               int64_t out_pixels, MutableRow out) {
  const DI32 d;
  const Geometry& g = conv.geometry;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = (conv.channels + n - 1) / n * n;
  const int64_t size = SizeBytes(type);
  ForChannelVectors(out_pixels, conv.channels, out, [&](int64_t p, int64_t c) HWY_ATTR {
    VI32 acc = hn::Zero(d);
    for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
      const uint8_t* x = rows[ky] + (p * g.stride_w * conv.channels + c) * size;
      const int32_t* w = conv.weights.data() + ky * g.kernel_w * padded + c;
      for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
        acc = hn::Add(acc, hn::Mul(LoadElements(x + kx * conv.channels * size, type),
                                   hn::LoadU(d, w + kx * padded)));
      }
    }
    return RequantLanes(acc, conv.requant, c);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/packed_conv_simd.h"

namespace lichen {

HWY_EXPORT(Clamp);
HWY_EXPORT(Leaky);
HWY_EXPORT(Add);
HWY_EXPORT(Max);
HWY_EXPORT(RequantPixels);
HWY_EXPORT(Depthwise);

void ClampRow(ConstRow x, int64_t count, ValueRange range, MutableRow out) {
  HWY_DYNAMIC_DISPATCH(Clamp)(x, count, range, out);
}

void LeakyReluRow(ConstRow x, int64_t count, int slope_shift, ValueRange range, MutableRow out) {
  HWY_DYNAMIC_DISPATCH(Leaky)(x, count, slope_shift, range, out);
}

void AddRows(ConstRow a, ConstRow b, int64_t count, ValueRange range, MutableRow out) {
  HWY_DYNAMIC_DISPATCH(Add)(a, b, count, range, out);
}

void MaxRows(ConstRow a, ConstRow b, int64_t count, MutableRow out) {
  HWY_DYNAMIC_DISPATCH(Max)(a, b, count, out);
}

void LutRow(ConstRow x, int64_t count, std::span<const int32_t> table, int64_t table_first,
            ValueRange range, MutableRow out) {
  constexpr int64_t kChunk = 256;
  int32_t values[kChunk + 64];  // whole vectors are read below
  for (int64_t at = 0; at < count; at += kChunk) {
    const int64_t n = std::min(kChunk, count - at);
    ClampRow({x.data + at * SizeBytes(x.type), x.type}, n, {INT32_MIN, INT32_MAX},
             {reinterpret_cast<uint8_t*>(values), ElementType::kI32});
    for (int64_t i = 0; i < n; ++i) {
      values[i] = table[static_cast<size_t>(values[i] - table_first)];
    }
    ClampRow({reinterpret_cast<const uint8_t*>(values), ElementType::kI32}, n, range,
             {out.data + at * SizeBytes(out.type), out.type});
  }
}

LaneRequant PackRowRequant(const ChannelRequant& requant, int64_t channels, ValueRange input_range,
                           ValueRange range) {
  LaneRequant lanes;
  const int64_t n = PackedLaneCount();
  lanes.Reserve((channels + n - 1) / n * n);
  lanes.range = range;
  for (int64_t c = 0; c < channels; ++c) {
    lanes.Set(c, requant.At(static_cast<size_t>(c), range));
  }
  const int64_t bound = std::max(-input_range.min, input_range.max);
  lanes.Finish(static_cast<int>(n), std::span(&bound, 1));
  return lanes;
}

void RequantRow(ConstRow x, int64_t pixels, int64_t channels, const LaneRequant& requant,
                MutableRow out) {
  HWY_DYNAMIC_DISPATCH(RequantPixels)(x, pixels, channels, requant, out);
}

bool PackDepthwise(const PackedConvSpec& spec, DepthwiseConv& packed) {
  const Geometry& g = spec.geometry;
  const int64_t taps = int64_t{g.kernel_h} * g.kernel_w;
  const int64_t n = PackedLaneCount();
  const int64_t padded = (spec.out_channels + n - 1) / n * n;
  packed.channels = spec.out_channels;
  packed.geometry = g;
  packed.lane_count = static_cast<int32_t>(n);
  packed.weights = AlignedArray<int32_t>(static_cast<size_t>(taps * padded));
  packed.requant.Reserve(padded);
  packed.requant.range = spec.range;
  const int64_t x_max = std::max(-spec.input_range.min, spec.input_range.max);
  std::vector<int64_t> bounds(static_cast<size_t>(padded), 0);
  for (int64_t c = 0; c < spec.out_channels; ++c) {
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t w = spec.weights[static_cast<size_t>(c * taps + t)];
      packed.weights[static_cast<size_t>(t * padded + c)] = static_cast<int32_t>(w);
      bounds[static_cast<size_t>(c)] += (w < 0 ? -w : w) * x_max;
    }
    if (bounds[static_cast<size_t>(c)] > INT32_MAX) return false;
    packed.requant.Set(c, spec.requant->At(static_cast<size_t>(c), spec.range));
  }
  packed.requant.Finish(packed.lane_count, bounds);
  return true;
}

void RunDepthwise(const DepthwiseConv& conv, const uint8_t* const* rows, ElementType type,
                  int64_t out_pixels, MutableRow out) {
  HWY_DYNAMIC_DISPATCH(Depthwise)(conv, rows, type, out_pixels, out);
}

}  // namespace lichen
#endif  // HWY_ONCE
