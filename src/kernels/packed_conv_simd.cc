#include "kernels/packed_conv_simd.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/packed_conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/packed_conv_simd.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/dot-inl.h"
#include "kernels/elements-inl.h"
#include "kernels/requant-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {

enum class Dot { kPairs, kQuads, kFlippedQuads };

// Units whose accumulators, for a number of vectors each, fit the registers.
template <int kVectors>
constexpr int UnitsInRegisters() {
#if HWY_TARGET == HWY_AVX3_DL
  return kVectors == 4 ? 6 : kVectors == 3 ? 9 : 12;
#elif HWY_TARGET == HWY_AVX3
  return kVectors == 4 ? 4 : kVectors == 3 ? 4 : 6;
#elif HWY_TARGET == HWY_AVX2
  return kVectors == 4 ? 3 : kVectors == 3 ? 4 : 6;
#else
  return kVectors == 4 ? 3 : 4;
#endif
}

int32_t LaneCount() { return static_cast<int32_t>(hn::Lanes(DI32())); }

int32_t MaxVectors() {
#if HWY_TARGET == HWY_AVX2
  return 2;
#else
  return 4;
#endif
}

template <Dot kDot>
HWY_INLINE VI32 LoadOperand(const uint8_t* p) {
  const VI32 x = BroadcastI32(p);
  if constexpr (kDot == Dot::kFlippedQuads) {
    return hn::Xor(x, hn::Set(DI32(), static_cast<int32_t>(0x80808080u)));
  }
  return x;
}

// What a step adds to: accumulators of consecutive units, `stride` int32 apart.
struct Accumulators {
  int32_t* first;
  int64_t stride;
  const int32_t* init;  // start values (same for all units), or null: go on from the stored ones
  // Where a finished segment is added as hi * 2^16 + lo instead of being stored; null: stored.
  int32_t* hi = nullptr;
  int32_t* lo = nullptr;
  bool first_segment = false;
};

// hi * 2^16 + lo += acc, or = acc.
HWY_INLINE void AddToHiLo(VI32 acc, int32_t* hi_at, int32_t* lo_at, bool first) {
  const DI32 d;
  VI32 hi = hn::ShiftRight<16>(acc);
  VI32 lo = hn::And(acc, hn::Set(d, 0xFFFF));
  if (!first) {
    hi = hn::Add(hi, hn::LoadU(d, hi_at));
    lo = hn::Add(lo, hn::LoadU(d, lo_at));
  }
  hn::StoreU(hi, d, hi_at);
  hn::StoreU(lo, d, lo_at);
}

template <Dot kDot, int kUnits, int kVectors>
HWY_INLINE void StepUnits(const uint8_t* HWY_RESTRICT x, int64_t x_stride_bytes, int64_t groups,
                          const uint8_t* HWY_RESTRICT weights, const Accumulators& acc) {
  const DI32 d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  VI32 sum[kUnits * kVectors];
#pragma GCC unroll 16
  for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sum[u * kVectors + v] =
          hn::LoadU(d, acc.init ? acc.init + v * n : acc.first + u * acc.stride + v * n);
    }
  }
  for (int64_t k = 0; k < groups; ++k) {
    VI32 w[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      w[v] = hn::LoadU(d, reinterpret_cast<const int32_t*>(weights) + v * n);
    }
    weights += kVectors * n * 4;
#pragma GCC unroll 16
    for (int u = 0; u < kUnits; ++u) {
      const VI32 operand = LoadOperand<kDot>(x + u * x_stride_bytes + 4 * k);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        VI32& s = sum[u * kVectors + v];
        s = kDot == Dot::kPairs ? DotPairs(s, w[v], operand) : DotQuads(s, operand, w[v]);
      }
    }
  }
  if (acc.hi != nullptr) {
#pragma GCC unroll 16
    for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = u * acc.stride + v * n;
        AddToHiLo(sum[u * kVectors + v], acc.hi + at, acc.lo + at, acc.first_segment);
      }
    }
    return;
  }
#pragma GCC unroll 16
  for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[u * kVectors + v], d, acc.first + u * acc.stride + v * n);
    }
  }
}

template <Dot kDot, int kUnits, int kVectors>
void Step(const uint8_t* x, int64_t x_stride_bytes, int64_t groups, const uint8_t* weights,
          Accumulators acc, int64_t units) {
  while (units >= kUnits) {
    StepUnits<kDot, kUnits, kVectors>(x, x_stride_bytes, groups, weights, acc);
    x += kUnits * x_stride_bytes;
    acc.first += kUnits * acc.stride;
    if (acc.hi != nullptr) {
      acc.hi += kUnits * acc.stride;
      acc.lo += kUnits * acc.stride;
    }
    units -= kUnits;
  }
  if constexpr (kUnits > 1) {
    if (units > 0) {
      Step<kDot, kUnits / 2, kVectors>(x, x_stride_bytes, groups, weights, acc, units);
    }
  }
}

template <Dot kDot>
void StepOfVectors(int vectors, const uint8_t* x, int64_t x_stride_bytes, int64_t groups,
                   const uint8_t* weights, const Accumulators& acc, int64_t units) {
  switch (vectors) {
    case 1:
      return Step<kDot, UnitsInRegisters<1>(), 1>(x, x_stride_bytes, groups, weights, acc, units);
    case 2:
      return Step<kDot, UnitsInRegisters<2>(), 2>(x, x_stride_bytes, groups, weights, acc, units);
    case 3:
      return Step<kDot, UnitsInRegisters<3>(), 3>(x, x_stride_bytes, groups, weights, acc, units);
    default:
      return Step<kDot, UnitsInRegisters<4>(), 4>(x, x_stride_bytes, groups, weights, acc, units);
  }
}

// Scratch of one call: sums of the current segment and, for blocks of several segments, hi and lo.
struct Sums {
  int32_t* acc;
  int32_t* hi;
  int32_t* lo;
  bool wide = false;
};

void AddSegment(const Sums& sums, int64_t count, bool first) {
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(DI32()))) {
    AddToHiLo(hn::LoadU(DI32(), sums.acc + i), sums.hi + i, sums.lo + i, first);
  }
}

void Accumulate(const PackedConv& conv, const PackedConvCall& call, const PackedBlock& block,
                Sums& sums) {
  const int64_t units = call.unit_end - call.unit_begin;
  const int64_t n = conv.lane_count;
  const int64_t pixel_bytes = conv.in_channels * SizeBytes(conv.input);
  const int64_t unit_bytes = conv.unit_step_w * pixel_bytes;
  const int64_t stride = block.vectors * n;
  sums.wide = block.segments_end - block.segments_begin > 1;
  for (int32_t s = block.segments_begin; s < block.segments_end; ++s) {
    const PackedSegment& segment = conv.segments[static_cast<size_t>(s)];
    const int32_t* init = conv.init.data() + segment.init;
    // A first step that leaves vectors out would leave their accumulators unset.
    const bool whole =
        segment.steps_end > segment.steps_begin &&
        conv.steps[static_cast<size_t>(segment.steps_begin)].vectors == block.vectors;
    if (!whole) {
      for (int64_t u = 0; u < units; ++u) {
        std::memcpy(sums.acc + u * stride, init, static_cast<size_t>(stride) * 4);
      }
    }
    const bool first_segment = s == block.segments_begin;
    // A last step of all vectors adds its sums to hi and lo itself.
    const bool adds =
        sums.wide && segment.steps_end > segment.steps_begin &&
        conv.steps[static_cast<size_t>(segment.steps_end - 1)].vectors == block.vectors;
    for (int32_t i = segment.steps_begin; i < segment.steps_end; ++i) {
      const PackedStep& step = conv.steps[static_cast<size_t>(i)];
      const bool adds_here = adds && i + 1 == segment.steps_end;
      const uint8_t* x =
          call.rows[step.row] + call.unit_begin * unit_bytes + step.element * SizeBytes(conv.input);
      const uint8_t* w = conv.weights.data() + step.weights_bytes;
      const Accumulators acc{sums.acc + step.first_vector * n,
                             stride,
                             whole && i == segment.steps_begin ? init : nullptr,
                             adds_here ? sums.hi : nullptr,
                             adds_here ? sums.lo : nullptr,
                             first_segment};
      if (!conv.quads) {
        StepOfVectors<Dot::kPairs>(step.vectors, x, unit_bytes, step.groups, w, acc, units);
      } else if (conv.flip_sign) {
        StepOfVectors<Dot::kFlippedQuads>(step.vectors, x, unit_bytes, step.groups, w, acc, units);
      } else {
        StepOfVectors<Dot::kQuads>(step.vectors, x, unit_bytes, step.groups, w, acc, units);
      }
    }
    if (sums.wide && !adds) AddSegment(sums, units * stride, first_segment);
  }
}

// One vector of finished sums -> requantised lanes, for parameters that the SIMD path cannot take.
VI32 RequantSumsExactly(const LaneRequant& requant, int64_t lane, const Sums& sums, int64_t at) {
  const DI32 d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN int32_t out[64];
  for (int64_t i = 0; i < n; ++i) {
    const int64_t acc =
        sums.wide ? int64_t{sums.hi[at + i]} * 65536 + sums.lo[at + i] : int64_t{sums.acc[at + i]};
    out[i] = static_cast<int32_t>(Requantise(acc, requant.exact[static_cast<size_t>(lane + i)]));
  }
  return hn::LoadU(d, out);
}

void StoreElement(int32_t v, uint8_t* row, int64_t index, ElementType type) {
  switch (type) {
    case ElementType::kU8:
      row[index] = static_cast<uint8_t>(v);
      return;
    case ElementType::kI8:
      reinterpret_cast<int8_t*>(row)[index] = static_cast<int8_t>(v);
      return;
    case ElementType::kI16:
      reinterpret_cast<int16_t*>(row)[index] = static_cast<int16_t>(v);
      return;
    case ElementType::kI32:
      reinterpret_cast<int32_t*>(row)[index] = v;
      return;
  }
}

// Norms (or u) of one vector and x -> output lanes, one by one.
VI32 ApplyTailExactly(const PackedConvCall& call, VI32 inner, int64_t lane, VI32 x) {
  const DI32 d;
  const LaneRequant& output = *call.output_requant;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN int32_t xs[64];
  HWY_ALIGN int32_t inners[64];
  hn::StoreU(x, d, xs);
  hn::StoreU(inner, d, inners);
  for (int64_t i = 0; i < n; ++i) {
    const size_t at = static_cast<size_t>(lane + i);
    const Requant& requant = output.exact[at];
    int64_t q = 0;
    if (call.tail == PackedTail::kGdn) {
      q = std::clamp(GdnQuotient(xs[i], requant.multiplier, std::max(inners[i], 1)), requant.min,
                     requant.max);
    } else if (call.tail == PackedTail::kIgdn) {
      q = Requantise(int64_t{xs[i]} * inners[i], requant);
    } else {
      const int64_t gain = Requantise(call.table[inners[i]], call.gain_requant->exact[at]);
      q = Requantise(xs[i] * gain, requant);
    }
    xs[i] = static_cast<int32_t>(q);
  }
  return hn::LoadU(d, xs);
}

void StoreRuns(const PackedConv& conv, const PackedConvCall& call, const PackedBlock& block,
               int64_t unit, const int32_t* lanes) {
  const int64_t first = unit * conv.out_columns * conv.out_channels;
  const int64_t end = call.out_width * conv.out_channels;
  for (int32_t r = block.runs_begin; r < block.runs_end; ++r) {
    const LaneRun& run = conv.runs[static_cast<size_t>(r)];
    uint8_t* row = call.out_rows[run.out_row];
    if (row == nullptr) continue;
    const int64_t at = first + run.out_element;
    const int64_t count = std::min<int64_t>(run.count, end - at);
    if (call.output == ElementType::kI16) {
      int16_t* out = reinterpret_cast<int16_t*>(row) + at;
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<int16_t>(lanes[run.lane + i]);
    } else {
      for (int64_t i = 0; i < count; ++i) {
        StoreElement(lanes[run.lane + i], row, at + i, call.output);
      }
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
// Whether the vector path takes the tail's parameters.
bool TailIsNarrow(const PackedConvCall& call) {
  return call.output_requant->narrow &&
         (call.tail != PackedTail::kLagc || call.gain_requant->narrow);
}

// Vector v of a block whose lanes are stored directly, for all units: parameters stay in registers.
template <PackedTail kTail, bool kWide, ElementType kOutput>
void FinishVector(const PackedConv& conv, const PackedConvCall& call, int64_t lane,
                  const Sums& sums, int64_t at, int64_t stride, int64_t units, int64_t out_element,
                  uint8_t* out_row) {
  const DI32 d;
  const RequantVectors requant(conv.requant, lane);
  const TailVectors<kTail> tail(call, lane);
  const int64_t out_stride = conv.out_columns * conv.out_channels;
  for (int64_t u = 0; u < units; ++u, at += stride, out_element += out_stride) {
    VI32 q;
    if constexpr (kWide) {
      q = requant.ApplyHiLo(hn::LoadU(d, sums.hi + at), hn::LoadU(d, sums.lo + at));
    } else {
      q = requant.ApplyNarrow(hn::LoadU(d, sums.acc + at));
    }
    if constexpr (kTail != PackedTail::kNone) {
      q = tail.Apply(LoadElements(call.x_row + out_element * SizeBytes(call.x_type), call.x_type),
                     q);
    }
    StoreElements(q, out_row + out_element * SizeBytes(kOutput), kOutput);
  }
}

template <PackedTail kTail, ElementType kOutput>
void FinishDirect(const PackedConv& conv, const PackedConvCall& call, const PackedBlock& block,
                  const Sums& sums) {
  const int64_t n = conv.lane_count;
  const LaneRun& run = conv.runs[static_cast<size_t>(block.runs_begin)];
  const int64_t column = run.out_element / conv.out_channels;
  // Units whose column lies within the picture.
  const int64_t last = (call.out_width - column + conv.out_columns - 1) / conv.out_columns;
  const int64_t units = std::min(call.unit_end, last) - call.unit_begin;
  const int64_t out = call.unit_begin * conv.out_columns * conv.out_channels + run.out_element;
  for (int32_t v = 0; v < block.vectors; ++v) {
    const auto finish =
        sums.wide ? FinishVector<kTail, true, kOutput> : FinishVector<kTail, false, kOutput>;
    finish(conv, call, block.first_lane + v * n, sums, v * n, block.vectors * n, units, out + v * n,
           call.out_rows[run.out_row]);
  }
}

// Whether the vector path takes this block; if so, it is finished.
bool TryFinishDirect(const PackedConv& conv, const PackedConvCall& call, const PackedBlock& block,
                     const Sums& sums) {
  const LaneRun& run = conv.runs[static_cast<size_t>(block.runs_begin)];
  if (!block.contiguous || !conv.requant.narrow) return false;
  if (call.output != ElementType::kI16 && call.tail != PackedTail::kNone) return false;
  if (call.tail != PackedTail::kNone && !TailIsNarrow(call)) return false;
  if (call.out_rows[run.out_row] == nullptr) return true;
  if (call.tail == PackedTail::kGdn) {
    FinishDirect<PackedTail::kGdn, ElementType::kI16>(conv, call, block, sums);
  } else if (call.tail == PackedTail::kIgdn) {
    FinishDirect<PackedTail::kIgdn, ElementType::kI16>(conv, call, block, sums);
  } else if (call.tail == PackedTail::kLagc) {
    FinishDirect<PackedTail::kLagc, ElementType::kI16>(conv, call, block, sums);
  } else if (call.output == ElementType::kI16) {
    FinishDirect<PackedTail::kNone, ElementType::kI16>(conv, call, block, sums);
  } else if (call.output == ElementType::kI32) {
    FinishDirect<PackedTail::kNone, ElementType::kI32>(conv, call, block, sums);
  } else if (call.output == ElementType::kU8) {
    FinishDirect<PackedTail::kNone, ElementType::kU8>(conv, call, block, sums);
  } else {
    FinishDirect<PackedTail::kNone, ElementType::kI8>(conv, call, block, sums);
  }
  return true;
}
#endif

HWY_INLINE VI32 RequantSums(const LaneRequant& requant, int64_t lane, const Sums& sums,
                            int64_t at) {
#if HWY_TARGET != HWY_SCALAR
  if (requant.narrow) {
    const DI32 d;
    const RequantVectors vectors(requant, lane);
    return sums.wide ? vectors.ApplyHiLo(hn::LoadU(d, sums.hi + at), hn::LoadU(d, sums.lo + at))
                     : vectors.ApplyNarrow(hn::LoadU(d, sums.acc + at));
  }
#endif
  return RequantSumsExactly(requant, lane, sums, at);
}

HWY_INLINE VI32 ApplyTail(const PackedConvCall& call, VI32 inner, int64_t lane, VI32 x) {
#if HWY_TARGET != HWY_SCALAR
  if (TailIsNarrow(call)) {
    switch (call.tail) {
      case PackedTail::kGdn:
        return TailVectors<PackedTail::kGdn>(call, lane).Apply(x, inner);
      case PackedTail::kIgdn:
        return TailVectors<PackedTail::kIgdn>(call, lane).Apply(x, inner);
      case PackedTail::kLagc:
        return TailVectors<PackedTail::kLagc>(call, lane).Apply(x, inner);
      case PackedTail::kNone:
        break;
    }
  }
#endif
  return ApplyTailExactly(call, inner, lane, x);
}

// Any block: lanes go through a buffer to their places.
void FinishBlock(const PackedConv& conv, const PackedConvCall& call, const PackedBlock& block,
                 const Sums& sums) {
#if HWY_TARGET != HWY_SCALAR
  if (TryFinishDirect(conv, call, block, sums)) return;
#endif
  const DI32 d;
  const int64_t n = conv.lane_count;
  const int64_t first_element = conv.runs[static_cast<size_t>(block.runs_begin)].out_element;
  HWY_ALIGN int32_t lanes[4 * 64];
  for (int64_t unit = call.unit_begin; unit < call.unit_end; ++unit) {
    const int64_t at = (unit - call.unit_begin) * block.vectors * n;
    const int64_t out = unit * conv.out_columns * conv.out_channels + first_element;
    for (int32_t v = 0; v < block.vectors; ++v) {
      const int64_t lane = block.first_lane + v * n;
      VI32 q = RequantSums(conv.requant, lane, sums, at + v * n);
      if (call.tail != PackedTail::kNone) {
        q = ApplyTail(
            call, q, lane,
            LoadElements(call.x_row + (out + v * n) * SizeBytes(call.x_type), call.x_type));
      }
      hn::StoreU(q, d, lanes + v * n);
    }
    StoreRuns(conv, call, block, unit, lanes);
  }
}

void RunPacked(const PackedConv& conv, const PackedConvCall& call) {
  const int64_t count = kMaxUnitsPerCall * 4 * conv.lane_count;
  Sums sums{static_cast<int32_t*>(call.scratch), nullptr, nullptr};
  sums.hi = sums.acc + count;
  sums.lo = sums.hi + count;
  for (int32_t b = call.block_begin; b < call.block_end; ++b) {
    const PackedBlock& block = conv.blocks[static_cast<size_t>(b)];
    Accumulate(conv, call, block, sums);
    FinishBlock(conv, call, block, sums);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lichen {

HWY_EXPORT(RunPacked);
HWY_EXPORT(LaneCount);
HWY_EXPORT(MaxVectors);

int32_t PackedLaneCount() { return HWY_DYNAMIC_DISPATCH(LaneCount)(); }
int32_t PackedMaxVectors() { return HWY_DYNAMIC_DISPATCH(MaxVectors)(); }

int64_t ScratchBytes(const PackedConv& conv) {
  return kMaxUnitsPerCall * 4 * conv.lane_count * 3 * 4;
}

void RunPackedConv(const PackedConv& conv, const PackedConvCall& call) {
  LICHEN_DCHECK(conv.lane_count == PackedLaneCount());
  LICHEN_DCHECK(call.unit_end - call.unit_begin <= kMaxUnitsPerCall);
  HWY_DYNAMIC_DISPATCH(RunPacked)(conv, call);
}

void AbsRow(const uint8_t* x, ElementType type, int64_t count, uint8_t* out) {
  if (type == ElementType::kI16) {
    const int16_t* in = reinterpret_cast<const int16_t*>(x);
    int16_t* to = reinterpret_cast<int16_t*>(out);
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<int16_t>(in[i] < 0 ? -in[i] : in[i]);
  } else if (type == ElementType::kI8) {
    const int8_t* in = reinterpret_cast<const int8_t*>(x);
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(in[i] < 0 ? -in[i] : in[i]);
  } else {
    std::memcpy(out, x, static_cast<size_t>(count));
  }
}

}  // namespace lichen
#endif  // HWY_ONCE
