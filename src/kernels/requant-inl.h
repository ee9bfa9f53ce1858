// The requantiser, GDN and IGDN on vectors: bit-equal to base/requantise.h.
//
// Contract: even and odd lanes are widened to 64 bits apart; parameters lie so (LaneRequant).
// Requires LaneRequant::narrow. Included once per target (Highway's foreach_target).

#if defined(LICHEN_KERNELS_REQUANT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LICHEN_KERNELS_REQUANT_INL_H_
#undef LICHEN_KERNELS_REQUANT_INL_H_
#else
#define LICHEN_KERNELS_REQUANT_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/dot-inl.h"
#include "kernels/packed_conv.h"

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {

using DI64 = hn::Repartition<int64_t, DI32>;
using VI64 = hn::Vec<DI64>;

struct EvenOdd {
  VI64 even;
  VI64 odd;
};

HWY_INLINE VI32 AsI32(VI64 v) { return hn::BitCast(DI32(), v); }

// Odd 32-bit lanes moved to the even places.
HWY_INLINE VI32 OddLanes(VI32 v) {
  const hn::Repartition<uint64_t, DI32> du64;
  return hn::BitCast(DI32(), hn::ShiftRight<32>(hn::BitCast(du64, v)));
}

HWY_INLINE EvenOdd LoadParameters(const AlignedArray<int64_t>& array, int64_t lane) {
  const DI64 d;
  return {hn::LoadU(d, array.data() + lane),
          hn::LoadU(d, array.data() + lane + static_cast<int64_t>(hn::Lanes(d)))};
}

// (hi * 2^16 + lo) * m for 32-bit hi, lo and m in the even lanes.
HWY_INLINE VI64 MulHiLo(VI32 hi, VI32 lo, VI32 m) {
  return hn::Add(hn::ShiftLeft<16>(hn::MulEven(hi, m)), hn::MulEven(lo, m));
}

// The requantiser of one vector of lanes, its parameters loaded once.
class RequantVectors {
 public:
  HWY_INLINE RequantVectors(const LaneRequant& requant, int64_t lane)
      : requant_(requant),
        lane_(lane),
        multiplier_(LoadParameters(requant.multiplier, lane)),
        bias_(LoadParameters(requant.bias, lane)),
        post_shift_(requant.post_shift),
        has_pre_shift_(requant.has_pre_shift),
        fits_32_bits_(requant.fits_32_bits) {}

  HWY_INLINE VI32 ApplyNarrow(VI32 acc) const {
    return Finish({hn::MulEven(acc, AsI32(multiplier_.even)),
                   hn::MulEven(OddLanes(acc), AsI32(multiplier_.odd))});
  }

  // The accumulator hi * 2^16 + lo.
  HWY_INLINE VI32 ApplyHiLo(VI32 hi, VI32 lo) const {
    return Finish({MulHiLo(hi, lo, AsI32(multiplier_.even)),
                   MulHiLo(OddLanes(hi), OddLanes(lo), AsI32(multiplier_.odd))});
  }

  // 64-bit accumulators below 2^47 in size.
  HWY_INLINE VI32 ApplyWide(EvenOdd acc) const {
    const VI64 mask = hn::Set(DI64(), int64_t{0xFFFF});
    const auto scale = [&](VI64 a, VI64 m) {
      return MulHiLo(AsI32(hn::ShiftRight<16>(a)), AsI32(hn::And(a, mask)), AsI32(m));
    };
    return Finish({scale(acc.even, multiplier_.even), scale(acc.odd, multiplier_.odd)});
  }

 private:
  // pre_shift, bias, post_shift, saturation; back to 32-bit lanes in order.
  HWY_INLINE VI32 Finish(EvenOdd product) const {
    const DI32 d;
    const DI64 d64;
    if (has_pre_shift_) {
      const EvenOdd shift = LoadParameters(requant_.pre_shift, lane_);
      product.even = hn::Shr(product.even, shift.even);
      product.odd = hn::Shr(product.odd, shift.odd);
    }
    VI64 even = hn::ShiftRightSame(hn::Add(product.even, bias_.even), post_shift_);
    VI64 odd = hn::ShiftRightSame(hn::Add(product.odd, bias_.odd), post_shift_);
    if (!fits_32_bits_) {
      const VI64 min = hn::Set(d64, requant_.range.min);
      const VI64 max = hn::Set(d64, requant_.range.max);
      even = hn::Min(hn::Max(even, min), max);
      odd = hn::Min(hn::Max(odd, min), max);
    }
    const VI32 q = hn::OddEven(AsI32(hn::ShiftLeft<32>(odd)), AsI32(even));
    const VI32 min = hn::Set(d, static_cast<int32_t>(requant_.range.min));
    const VI32 max = hn::Set(d, static_cast<int32_t>(requant_.range.max));
    return hn::Min(hn::Max(q, min), max);
  }

  const LaneRequant& requant_;
  int64_t lane_;
  EvenOdd multiplier_;
  EvenOdd bias_;
  int post_shift_;
  bool has_pre_shift_;
  bool fits_32_bits_;
};

template <PackedTail kTail>
class TailVectors {
 public:
  TailVectors(const PackedConvCall&, int64_t) {}
};

// Requantise(x * norm): |x * norm| < 2^47, so its upper part fits 32 bits.
template <>
class TailVectors<PackedTail::kIgdn> {
 public:
  HWY_INLINE TailVectors(const PackedConvCall& call, int64_t lane)
      : requant_(*call.output_requant, lane) {}
  HWY_INLINE VI32 Apply(VI32 x, VI32 norm) const {
    return requant_.ApplyWide({hn::MulEven(x, norm), hn::MulEven(OddLanes(x), OddLanes(norm))});
  }

 private:
  RequantVectors requant_;
};

// Requantise(x * g) with g = Requantise(table[u]): |x * g| < 2^47.
template <>
class TailVectors<PackedTail::kLagc> {
 public:
  HWY_INLINE TailVectors(const PackedConvCall& call, int64_t lane)
      : table_(call.table), gain_(*call.gain_requant, lane), output_(*call.output_requant, lane) {}
  HWY_INLINE VI32 Apply(VI32 x, VI32 u) const {
    const VI32 gain = gain_.ApplyNarrow(hn::GatherIndex(DI32(), table_, u));
    return output_.ApplyWide({hn::MulEven(x, gain), hn::MulEven(OddLanes(x), OddLanes(gain))});
  }

 private:
  const int32_t* table_;
  RequantVectors gain_;
  RequantVectors output_;
};

// clamp(GdnQuotient(x, m, norm)). The quotient is estimated in float: reciprocal with one Newton
// step (relative error below 2^-21), so for |q| < 2^17 the rounded estimate is off by at most 1 from the
// wanted floor(num / den), num = 2 x m + norm, den = 2 norm <= 2^25. Then |num - q den| < 2^27, so
// it is exact modulo 2^32 and tells which way to correct. Larger quotients are first cut to 2^17,
// beyond the 16-bit output range, where an error of 1 does not matter.
template <>
class TailVectors<PackedTail::kGdn> {
 public:
  HWY_INLINE TailVectors(const PackedConvCall& call, int64_t lane)
      : m_(hn::LoadU(DI32(), call.output_requant->natural_multiplier.data() + lane)),
        min_(hn::Set(DI32(), static_cast<int32_t>(call.output_requant->range.min))),
        max_(hn::Set(DI32(), static_cast<int32_t>(call.output_requant->range.max))) {}

  HWY_INLINE VI32 Apply(VI32 x, VI32 norm) const {
    const DI32 d;
    const hn::Repartition<float, DI32> df;
    const VI32 one = hn::Set(d, 1);
    norm = hn::Max(norm, one);
    const auto norm_f = hn::ConvertTo(df, norm);
    auto reciprocal = hn::ApproximateReciprocal(norm_f);
    reciprocal = hn::Mul(reciprocal, hn::NegMulAdd(norm_f, reciprocal, hn::Set(df, 2.0F)));
    auto estimate = hn::Mul(hn::Mul(hn::ConvertTo(df, x), hn::ConvertTo(df, m_)), reciprocal);
    estimate = hn::Min(hn::Max(estimate, hn::Set(df, -131072.0F)), hn::Set(df, 131072.0F));
    VI32 q = hn::NearestInt(estimate);
    const VI32 den = hn::ShiftLeft<1>(norm);
    const VI32 num = hn::Add(hn::ShiftLeft<1>(hn::Mul(x, m_)), norm);
    const VI32 rest = hn::Sub(num, hn::Mul(q, den));
    q = hn::Sub(q, hn::IfThenElseZero(hn::Lt(rest, hn::Zero(d)), one));
    q = hn::Add(q, hn::IfThenElseZero(hn::Gt(rest, hn::Sub(den, one)), one));
    return hn::Min(hn::Max(q, min_), max_);
  }

 private:
  VI32 m_;
  VI32 min_;
  VI32 max_;
};

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#endif
