#include "train/cnn/norm_kernel.h"

#include <array>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "train/cnn/norm_kernel.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "train/cnn/float_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kRounder = 0x1.8p23F;  // adding and subtracting it leaves no fraction

template <typename D>
HWY_INLINE void StoreFloats(D d, hn::Vec<D> v, float* to) {
  hn::StoreU(v, d, to);
}
// To the nearest, halves to even.
template <typename D>
HWY_INLINE void StoreFloats(D, hn::Vec<D> v, uint16_t* to) {
  const hn::Rebind<uint16_t, D> halves;
  const hn::RebindToUnsigned<D> words;
  const hn::RebindToSigned<D> integers;
  const auto bits = hn::BitCast(words, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1));
  const auto high = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(words, 0x7fff)), odd));
  hn::StoreU(hn::DemoteTo(halves, hn::BitCast(integers, high)), halves, to);
}

template <typename D>
HWY_INLINE hn::Vec<D> Rounded(D d, hn::Vec<D> z, const QuantiserStep& s) {
  const auto scaled = hn::Mul(z, hn::Set(d, s.inverse));
  const auto clamped = hn::Min(hn::Max(scaled, hn::Set(d, s.low)), hn::Set(d, s.high));
  return hn::Sub(hn::Add(clamped, hn::Set(d, kRounder)), hn::Set(d, kRounder));
}

// Where the values of y behind a value of x lie, from the first of them.
struct Strides {
  explicit Strides(const NormShape& s)
      : row(s.width * s.channels * (s.is_pooled ? 2 : 1)),
        of{0, s.channels, row, row + s.channels} {}
  int64_t row;
  std::array<int64_t, 4> of;
};

// A block of x: z, the y that gave it, and which of the four that was.
template <typename D>
struct Values {
  hn::Vec<D> z, y, which;
};

template <int kSources, typename D, typename T>
HWY_INLINE Values<D> Largest(D d, const T* y, const Strides& strides, hn::Vec<D> scale,
                             hn::Vec<D> shift) {
  const auto first = LoadFloats(d, y);
  Values<D> v = {hn::MulAdd(first, scale, shift), first, hn::Zero(d)};
  for (int i = 1; i < kSources; ++i) {
    const auto other_y = LoadFloats(d, y + strides.of[static_cast<size_t>(i)]);
    const auto other = hn::MulAdd(other_y, scale, shift);
    const auto is_more = hn::Gt(other, v.z);
    v.z = hn::IfThenElse(is_more, other, v.z);
    v.y = hn::IfThenElse(is_more, other_y, v.y);
    v.which = hn::IfThenElse(is_more, hn::Set(d, static_cast<float>(i)), v.which);
  }
  return v;
}

// How much of a gradient passes to z.
template <typename D>
HWY_INLINE hn::Vec<D> Passing(D d, const NormQuantiser& q, hn::Vec<D> z) {
  if (q.steps.empty()) {
    return hn::IfThenElseZero(hn::Gt(z, hn::Zero(d)), hn::Set(d, q.output_scale));
  }
  auto passing = hn::Zero(d);
  for (size_t w = 0; w < q.steps.size(); ++w) {
    const QuantiserStep& s = q.steps[w];
    const auto scaled = hn::Mul(z, hn::Set(d, s.inverse));
    const auto passes =
        hn::And(hn::Gt(scaled, hn::Set(d, s.low)), hn::Lt(scaled, hn::Set(d, s.high)));
    passing =
        hn::Add(passing, hn::IfThenElseZero(passes, hn::Set(d, q.shares[w] * q.output_scale)));
  }
  return passing;
}

// Calls f(offset in x, offset in y) for every pixel of x.
template <int kSources, typename F>
HWY_INLINE void ForPixels(const NormShape& s, const Strides& strides, const F& f) {
  constexpr int64_t kBy = kSources == 4 ? 2 : 1;
  for (int64_t row = 0; row < s.rows; ++row) {
    for (int64_t pixel = 0; pixel < s.width; ++pixel) {
      f((row * s.width + pixel) * s.channels, kBy * (row * strides.row + pixel * s.channels));
    }
  }
}

template <typename T>
void Sums(const T* y, int64_t pixels, int64_t channels, double* sums, double* squares) {
  ForBlocks(channels, [&](auto d, int64_t first) HWY_ATTR {
    auto sum = hn::Zero(d), square = hn::Zero(d);
    for (int64_t p = 0; p < pixels; ++p) {
      const auto v = LoadFloats(d, y + p * channels + first);
      sum = hn::Add(sum, v);
      square = hn::MulAdd(v, v, square);
    }
    AddTo(d, sum, sums + first);
    AddTo(d, square, squares + first);
  });
}

template <int kSources, typename T>
void Forward(const NormShape& s, const T* y, const float* scales, const float* shifts,
             const NormQuantiser& q, T* x) {
  const Strides strides(s);
  ForBlocks(s.channels, [&](auto d, int64_t first) HWY_ATTR {
    const auto scale = hn::LoadU(d, scales + first), shift = hn::LoadU(d, shifts + first);
    ForPixels<kSources>(s, strides, [&](int64_t at_x, int64_t at_y) HWY_ATTR {
      const auto z = Largest<kSources>(d, y + at_y + first, strides, scale, shift).z;
      auto sum = hn::Zero(d);
      if (q.steps.empty()) sum = hn::Mul(hn::Max(z, sum), hn::Set(d, q.output_scale));
      for (size_t w = 0; w < q.steps.size(); ++w) {
        const float factor = q.steps[w].step * q.shares[w] * q.output_scale;
        sum = hn::MulAdd(Rounded(d, z, q.steps[w]), hn::Set(d, factor), sum);
      }
      StoreFloats(d, sum, x + at_x + first);
    });
  });
}

template <int kSources, typename T>
void Gradients(const NormShape& s, const T* y, const T* g, const float* scales, const float* shifts,
               const NormQuantiser& q, double* sums, double* products, double* share_gradients) {
  const Strides strides(s);
  ForBlocks(s.channels, [&](auto d, int64_t first) HWY_ATTR {
    const auto scale = hn::LoadU(d, scales + first), shift = hn::LoadU(d, shifts + first);
    auto sum = hn::Zero(d), product = hn::Zero(d);
    const size_t lanes = hn::Lanes(d);
    const size_t widths = q.steps.size() > 1 ? q.steps.size() : 0;  // the only share is 1
    HWY_ALIGN float of_width[kWidthsAtMost * HWY_MAX_BYTES / sizeof(float)] = {};
    ForPixels<kSources>(s, strides, [&](int64_t at_x, int64_t at_y) HWY_ATTR {
      const auto v = Largest<kSources>(d, y + at_y + first, strides, scale, shift);
      const auto gradient = LoadFloats(d, g + at_x + first);
      const auto gz = hn::Mul(gradient, Passing(d, q, v.z));
      sum = hn::Add(sum, gz);
      product = hn::MulAdd(gz, v.y, product);
      for (size_t w = 0; w < widths; ++w) {
        float* const of = of_width + w * lanes;
        hn::StoreU(hn::MulAdd(gradient, Rounded(d, v.z, q.steps[w]), hn::LoadU(d, of)), d, of);
      }
    });
    AddTo(d, sum, sums + first);
    AddTo(d, product, products + first);
    for (size_t w = 0; w < widths; ++w) {
      for (size_t c = 0; c < lanes; ++c) {
        share_gradients[w] += of_width[w * lanes + c] * q.steps[w].step * q.output_scale;
      }
    }
  });
}

template <int kSources, typename T>
void Backward(const NormShape& s, const T* y, const T* g, const float* scales, const float* shifts,
              const NormQuantiser& q, const NormGradient& by, T* gy) {
  const Strides strides(s);
  ForBlocks(s.channels, [&](auto d, int64_t first) HWY_ATTR {
    const auto scale = hn::LoadU(d, scales + first), shift = hn::LoadU(d, shifts + first);
    const auto of_gradient = hn::LoadU(d, by.of_gradient + first);
    const auto of_value = hn::LoadU(d, by.of_value + first);
    const auto constant = hn::LoadU(d, by.constant + first);
    ForPixels<kSources>(s, strides, [&](int64_t at_x, int64_t at_y) HWY_ATTR {
      const auto v = Largest<kSources>(d, y + at_y + first, strides, scale, shift);
      const auto gz =
          hn::Mul(LoadFloats(d, g + at_x + first), hn::Mul(Passing(d, q, v.z), of_gradient));
      for (int i = 0; i < kSources; ++i) {
        const int64_t at = at_y + first + strides.of[static_cast<size_t>(i)];
        const auto is_own = hn::Eq(v.which, hn::Set(d, static_cast<float>(i)));
        const auto rest = hn::MulAdd(LoadFloats(d, y + at), of_value, constant);
        StoreFloats(d, hn::Add(hn::IfThenElseZero(is_own, gz), rest), gy + at);
      }
    });
  });
}

// One of each for float and bfloat16.
#define LICHEN_NORM_KERNELS(T, SUFFIX)                                                             \
  void Sums##SUFFIX(const T* y, int64_t pixels, int64_t channels, double* sums, double* squares) { \
    Sums(y, pixels, channels, sums, squares);                                                      \
  }                                                                                                \
  void Forward##SUFFIX(const NormShape& s, const T* y, const float* scale, const float* shift,     \
                       const NormQuantiser& q, T* x) {                                             \
    (s.is_pooled ? Forward<4, T> : Forward<1, T>)(s, y, scale, shift, q, x);                       \
  }                                                                                                \
  void Gradients##SUFFIX(const NormShape& s, const T* y, const T* g, const float* scale,           \
                         const float* shift, const NormQuantiser& q, double* sums,                 \
                         double* products, double* shares) {                                       \
    (s.is_pooled ? Gradients<4, T> : Gradients<1, T>)(s, y, g, scale, shift, q, sums, products,    \
                                                      shares);                                     \
  }                                                                                                \
  void Backward##SUFFIX(const NormShape& s, const T* y, const T* g, const float* scale,            \
                        const float* shift, const NormQuantiser& q, const NormGradient& by,        \
                        T* gy) {                                                                   \
    (s.is_pooled ? Backward<4, T> : Backward<1, T>)(s, y, g, scale, shift, q, by, gy);             \
  }
LICHEN_NORM_KERNELS(float, Float)
LICHEN_NORM_KERNELS(uint16_t, Half)
#undef LICHEN_NORM_KERNELS

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lichen {

#define LICHEN_NORM_CALLS(T, SUFFIX)                                                               \
  HWY_EXPORT(Sums##SUFFIX);                                                                        \
  HWY_EXPORT(Forward##SUFFIX);                                                                     \
  HWY_EXPORT(Gradients##SUFFIX);                                                                   \
  HWY_EXPORT(Backward##SUFFIX);                                                                    \
  template <>                                                                                      \
  void AddChannelSums<T>(const T* y, int64_t pixels, int64_t channels, double* sums,               \
                         double* squares) {                                                        \
    HWY_DYNAMIC_DISPATCH(Sums##SUFFIX)(y, pixels, channels, sums, squares);                        \
  }                                                                                                \
  template <>                                                                                      \
  void NormQuantise<T>(const NormShape& shape, const T* y, const float* scale, const float* shift, \
                       const NormQuantiser& quantiser, T* x) {                                     \
    HWY_DYNAMIC_DISPATCH(Forward##SUFFIX)(shape, y, scale, shift, quantiser, x);                   \
  }                                                                                                \
  template <>                                                                                      \
  void AddNormGradients<T>(const NormShape& shape, const T* y, const T* g, const float* scale,     \
                           const float* shift, const NormQuantiser& quantiser, double* sums,       \
                           double* products, double* share_gradients) {                            \
    HWY_DYNAMIC_DISPATCH(Gradients##SUFFIX)                                                        \
    (shape, y, g, scale, shift, quantiser, sums, products, share_gradients);                       \
  }                                                                                                \
  template <>                                                                                      \
  void NormQuantiseBackward<T>(const NormShape& shape, const T* y, const T* g, const float* scale, \
                               const float* shift, const NormQuantiser& quantiser,                 \
                               const NormGradient& gradient, T* gy) {                              \
    HWY_DYNAMIC_DISPATCH(Backward##SUFFIX)(shape, y, g, scale, shift, quantiser, gradient, gy);    \
  }
LICHEN_NORM_CALLS(float, Float)
LICHEN_NORM_CALLS(uint16_t, Half)
#undef LICHEN_NORM_CALLS

}  // namespace lichen
#endif  // HWY_ONCE
