// Vectors of floats from floats or from bfloat16, the high halves of floats: for kernels compiled once per CPU target.
#if defined(LICHEN_TRAIN_CNN_FLOAT_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LICHEN_TRAIN_CNN_FLOAT_LANES_INL_H
#undef LICHEN_TRAIN_CNN_FLOAT_LANES_INL_H
#else
#define LICHEN_TRAIN_CNN_FLOAT_LANES_INL_H
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename D>
HWY_INLINE hn::Vec<D> LoadFloats(D d, const float* from) {
  return hn::LoadU(d, from);
}
template <typename D>
HWY_INLINE hn::Vec<D> LoadFloats(D d, const uint16_t* from) {
  const hn::Rebind<uint16_t, D> halves;
  const hn::RebindToUnsigned<D> words;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(words, hn::LoadU(halves, from))));
}

template <typename D>
HWY_INLINE void AddTo(D d, hn::Vec<D> v, double* to) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::StoreU(v, d, lanes);
  for (size_t c = 0; c < hn::Lanes(d); ++c) to[c] += lanes[c];
}

// Calls f(tag, first channel) for vectors of channels, and for single ones where no vector is left.
template <typename F>
HWY_INLINE void ForBlocks(int64_t channels, const F& f) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t first = 0;
  for (; first + lanes <= channels; first += lanes) f(d, first);
  for (; first < channels; ++first) f(hn::CappedTag<float, 1>(), first);
}

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();
#endif
