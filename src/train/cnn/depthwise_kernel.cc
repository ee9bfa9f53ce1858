#include "train/cnn/depthwise_kernel.h"

#include <algorithm>
#include <array>

#include "base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "train/cnn/depthwise_kernel.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "train/cnn/float_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One row of g against one row of x: sums[kx] += x[column + kx - pad] * g[column] wherever that pixel of x is.
template <int kKernel, typename D, typename T>
HWY_INLINE void AddRow(D d, const DepthwiseShape& s, const T* x, const T* g,
                       hn::Vec<D> (&sums)[kKernel]) {
  const auto tap = [&](const T* from, hn::Vec<D> by, hn::Vec<D>& sum)
                       HWY_ATTR { sum = hn::MulAdd(LoadFloats(d, from), by, sum); };
  const auto border = [&](int64_t begin, int64_t end) HWY_ATTR {
    for (int64_t column = begin; column < end; ++column) {
      const auto by = LoadFloats(d, g + column * s.channels);
      for (int kx = 0; kx < kKernel; ++kx) {
        const int64_t at = column + kx - s.pad;
        if (at >= 0 && at < s.width) tap(x + at * s.channels, by, sums[kx]);
      }
    }
  };
  const int64_t inner_begin = std::min(s.pad, s.out_width());
  const int64_t inner_end = std::max(inner_begin, s.width + s.pad - kKernel + 1);
  border(0, inner_begin);
  for (int64_t column = inner_begin; column < inner_end; ++column) {
    const auto by = LoadFloats(d, g + column * s.channels);
    const T* from = x + (column - s.pad) * s.channels;
    for (int kx = 0; kx < kKernel; ++kx) tap(from + kx * s.channels, by, sums[kx]);
  }
  border(inner_end, s.out_width());
}

template <int kKernel, typename T>
void WeightGradients(const DepthwiseShape& s, const T* x, const T* g, int64_t first_row,
                     int64_t end_row, double* gradients) {
  ForBlocks(s.channels, [&](auto d, int64_t first) HWY_ATTR {
    for (int64_t ky = 0; ky < kKernel; ++ky) {
      hn::Vec<decltype(d)> sums[kKernel];
      for (auto& sum : sums) sum = hn::Zero(d);
      for (int64_t row = first_row; row < end_row; ++row) {
        const int64_t of_x = row + ky - s.pad;
        if (of_x < 0 || of_x >= s.height) continue;
        AddRow<kKernel>(d, s, x + of_x * s.width * s.channels + first,
                        g + row * s.out_width() * s.channels + first, sums);
      }
      for (int kx = 0; kx < kKernel; ++kx) {
        AddTo(d, sums[kx], gradients + (ky * kKernel + kx) * s.channels + first);
      }
    }
  });
}

#define LICHEN_DEPTHWISE_KERNELS(T, SUFFIX)                                                        \
  void WeightGradients##SUFFIX(const DepthwiseShape& s, const T* x, const T* g, int64_t first_row, \
                               int64_t end_row, double* gradients) {                               \
    (s.kernel == 5 ? WeightGradients<5, T> : WeightGradients<3, T>)(s, x, g, first_row, end_row,   \
                                                                    gradients);                    \
  }
LICHEN_DEPTHWISE_KERNELS(float, Float)
LICHEN_DEPTHWISE_KERNELS(uint16_t, Half)
#undef LICHEN_DEPTHWISE_KERNELS

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lichen {

#define LICHEN_DEPTHWISE_CALLS(T, SUFFIX)                                                      \
  HWY_EXPORT(WeightGradients##SUFFIX);                                                         \
  template <>                                                                                  \
  void AddDepthwiseWeightGradients<T>(const DepthwiseShape& shape, const T* x, const T* g,     \
                                      int64_t first_row, int64_t end_row, double* gradients) { \
    LICHEN_CHECK(HasDepthwiseKernel(shape.kernel) && 2 * shape.pad < shape.kernel + 1);        \
    HWY_DYNAMIC_DISPATCH(WeightGradients##SUFFIX)(shape, x, g, first_row, end_row, gradients); \
  }
LICHEN_DEPTHWISE_CALLS(float, Float)
LICHEN_DEPTHWISE_CALLS(uint16_t, Half)
#undef LICHEN_DEPTHWISE_CALLS

}  // namespace lichen
#endif  // HWY_ONCE
