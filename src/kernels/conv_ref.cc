#include "kernels/operators_ref.h"

namespace lichen {

void Conv2dRef(ConstView x, std::span<const int16_t> weights, const Geometry& g,
               const ChannelRequant& requant, ValueRange range, MutableView out) {
  const int64_t in_per_group = x.shape.c / g.groups;
  const int64_t out_per_group = out.shape.c / g.groups;
  for (int64_t n = 0; n < out.shape.n; ++n) {
    for (int64_t y = 0; y < out.shape.h; ++y) {
      for (int64_t xo = 0; xo < out.shape.w; ++xo) {
        for (int64_t oc = 0; oc < out.shape.c; ++oc) {
          const int64_t first_ic = oc / out_per_group * in_per_group;
          int64_t acc = 0;
          for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
            const int64_t yi = y * g.stride_h - g.pad_top + ky;
            if (yi < 0 || yi >= x.shape.h) continue;
            for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
              const int64_t xi = xo * g.stride_w - g.pad_left + kx;
              if (xi < 0 || xi >= x.shape.w) continue;
              const int16_t* w = &weights[static_cast<size_t>(
                  ((oc * g.kernel_h + ky) * g.kernel_w + kx) * in_per_group)];
              const int32_t* v = &x(n, yi, xi, first_ic);
              for (int64_t ic = 0; ic < in_per_group; ++ic) acc += int64_t{w[ic]} * v[ic];
            }
          }
          out(n, y, xo, oc) =
              static_cast<int32_t>(Requantise(acc, requant.At(static_cast<size_t>(oc), range)));
        }
      }
    }
  }
}

void ConvTranspose2dRef(ConstView x, std::span<const int16_t> weights, const Geometry& g,
                        const ChannelRequant& requant, ValueRange range, MutableView out) {
  const int64_t in_per_group = x.shape.c / g.groups;
  const int64_t out_per_group = out.shape.c / g.groups;
  for (int64_t n = 0; n < out.shape.n; ++n) {
    for (int64_t y = 0; y < out.shape.h; ++y) {
      for (int64_t xo = 0; xo < out.shape.w; ++xo) {
        for (int64_t oc = 0; oc < out.shape.c; ++oc) {
          const int64_t first_ic = oc / out_per_group * in_per_group;
          int64_t acc = 0;
          for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
            const int64_t yi = y + g.pad_top - ky;  // times the stride
            if (yi < 0 || yi % g.stride_h != 0 || yi / g.stride_h >= x.shape.h) continue;
            for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
              const int64_t xi = xo + g.pad_left - kx;
              if (xi < 0 || xi % g.stride_w != 0 || xi / g.stride_w >= x.shape.w) continue;
              const int16_t* w = &weights[static_cast<size_t>(
                  ((oc * g.kernel_h + ky) * g.kernel_w + kx) * in_per_group)];
              const int32_t* v = &x(n, yi / g.stride_h, xi / g.stride_w, first_ic);
              for (int64_t ic = 0; ic < in_per_group; ++ic) acc += int64_t{w[ic]} * v[ic];
            }
          }
          out(n, y, xo, oc) =
              static_cast<int32_t>(Requantise(acc, requant.At(static_cast<size_t>(oc), range)));
        }
      }
    }
  }
}

}  // namespace lichen
