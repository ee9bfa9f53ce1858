#include <cmath>

#include "kernels/float_kernels.h"

namespace lichen {
namespace {

double At(std::span<const float> v, int64_t channel, double none) {
  if (v.empty()) return none;
  return v[v.size() == 1 ? 0 : static_cast<size_t>(channel)];
}

// sum_j weights[c][j] * f(x_j) + bias[c] at one pixel.
template <class F>
double Affine(const float* x, int64_t channels, std::span<const float> weights,
              std::span<const float> bias, int64_t c, F f) {
  double sum = At(bias, c, 0);
  const float* w = weights.data() + c * channels;
  for (int64_t j = 0; j < channels; ++j) sum += double{w[j]} * f(x[j]);
  return sum;
}

template <class F>
void ForEachPixel(FloatView x, FloatOut out, F f) {
  const int64_t pixels = x.shape.n * x.shape.h * x.shape.w;
  for (int64_t i = 0; i < pixels; ++i) f(x.data + i * x.shape.c, out.data + i * out.shape.c);
}

template <class F>
void ForEachValue(FloatView x, FloatOut out, F f) {
  for (int64_t i = 0; i < x.shape.Count(); ++i) out.data[i] = f(x.data[i]);
}

}  // namespace

void FloatConv2dRef(FloatView x, std::span<const float> weights, std::span<const float> bias,
                    const Geometry& g, FloatOut out) {
  const int64_t in_per_group = x.shape.c / g.groups;
  const int64_t out_per_group = out.shape.c / g.groups;
  for (int64_t n = 0; n < out.shape.n; ++n) {
    for (int64_t y = 0; y < out.shape.h; ++y) {
      for (int64_t xo = 0; xo < out.shape.w; ++xo) {
        for (int64_t oc = 0; oc < out.shape.c; ++oc) {
          const int64_t first_ic = oc / out_per_group * in_per_group;
          double sum = At(bias, oc, 0);
          for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
            const int64_t yi = y * g.stride_h - g.pad_top + ky;
            if (yi < 0 || yi >= x.shape.h) continue;
            for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
              const int64_t xi = xo * g.stride_w - g.pad_left + kx;
              if (xi < 0 || xi >= x.shape.w) continue;
              const float* w =
                  weights.data() + ((oc * g.kernel_h + ky) * g.kernel_w + kx) * in_per_group;
              const float* v = &x(n, yi, xi, first_ic);
              for (int64_t ic = 0; ic < in_per_group; ++ic) sum += double{w[ic]} * v[ic];
            }
          }
          out(n, y, xo, oc) = static_cast<float>(sum);
        }
      }
    }
  }
}

void FloatConvTranspose2dRef(FloatView x, std::span<const float> weights,
                             std::span<const float> bias, const Geometry& g, FloatOut out) {
  const int64_t in_per_group = x.shape.c / g.groups;
  const int64_t out_per_group = out.shape.c / g.groups;
  for (int64_t n = 0; n < out.shape.n; ++n) {
    for (int64_t y = 0; y < out.shape.h; ++y) {
      for (int64_t xo = 0; xo < out.shape.w; ++xo) {
        for (int64_t oc = 0; oc < out.shape.c; ++oc) {
          const int64_t first_ic = oc / out_per_group * in_per_group;
          double sum = At(bias, oc, 0);
          for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
            const int64_t yi = y + g.pad_top - ky;  // times the stride
            if (yi < 0 || yi % g.stride_h != 0 || yi / g.stride_h >= x.shape.h) continue;
            for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
              const int64_t xi = xo + g.pad_left - kx;
              if (xi < 0 || xi % g.stride_w != 0 || xi / g.stride_w >= x.shape.w) continue;
              const float* w =
                  weights.data() + ((oc * g.kernel_h + ky) * g.kernel_w + kx) * in_per_group;
              const float* v = &x(n, yi / g.stride_h, xi / g.stride_w, first_ic);
              for (int64_t ic = 0; ic < in_per_group; ++ic) sum += double{w[ic]} * v[ic];
            }
          }
          out(n, y, xo, oc) = static_cast<float>(sum);
        }
      }
    }
  }
}

void FloatLinearRef(FloatView x, std::span<const float> weights, std::span<const float> bias,
                    FloatOut out) {
  const int64_t count = x.shape.h * x.shape.w * x.shape.c;
  for (int64_t n = 0; n < x.shape.n; ++n) {
    for (int64_t oc = 0; oc < out.shape.c; ++oc) {
      double sum = At(bias, oc, 0);
      const float* w = weights.data() + oc * count;
      const float* v = x.Row(n, 0);
      for (int64_t i = 0; i < count; ++i) sum += double{w[i]} * v[i];
      out(n, 0, 0, oc) = static_cast<float>(sum);
    }
  }
}

void FloatGdnRef(FloatView x, std::span<const float> gamma, std::span<const float> beta,
                 FloatOut out) {
  const int64_t channels = x.shape.c;
  ForEachPixel(x, out, [&](const float* from, float* to) {
    for (int64_t c = 0; c < channels; ++c) {
      const double norm =
          Affine(from, channels, gamma, beta, c, [](float v) { return std::fabs(double{v}); });
      to[c] = static_cast<float>(from[c] / norm);
    }
  });
}

void FloatIgdnRef(FloatView x, std::span<const float> gamma, std::span<const float> beta,
                  FloatOut out) {
  const int64_t channels = x.shape.c;
  ForEachPixel(x, out, [&](const float* from, float* to) {
    for (int64_t c = 0; c < channels; ++c) {
      const double norm =
          Affine(from, channels, gamma, beta, c, [](float v) { return std::fabs(double{v}); });
      to[c] = static_cast<float>(from[c] * norm);
    }
  });
}

void FloatLagcRef(FloatView x, const FloatLagcWeights& weights, FloatOut out) {
  const int64_t channels = x.shape.c;
  ForEachPixel(x, out, [&](const float* from, float* to) {
    for (int64_t c = 0; c < channels; ++c) {
      const double u = Affine(from, channels, weights.affine, weights.bias, c,
                              [](float v) { return double{v}; });
      to[c] = static_cast<float>(
          from[c] * (1 + At(weights.gain, c, 1) * std::tanh(u) + At(weights.gain_bias, c, 0)));
    }
  });
}

void FloatDivide(FloatView x, FloatView norm, FloatOut out) {
  for (int64_t i = 0; i < x.shape.Count(); ++i) out.data[i] = x.data[i] / norm.data[i];
}

void FloatMultiply(FloatView x, FloatView norm, FloatOut out) {
  for (int64_t i = 0; i < x.shape.Count(); ++i) out.data[i] = x.data[i] * norm.data[i];
}

void FloatGainTanh(FloatView x, FloatView affine, const FloatLagcWeights& weights, FloatOut out) {
  for (int64_t i = 0; i < x.shape.Count(); ++i) {
    const int64_t c = i % x.shape.c;
    const double gain = 1 + At(weights.gain, c, 1) * std::tanh(double{affine.data[i]}) +
                        At(weights.gain_bias, c, 0);
    out.data[i] = static_cast<float>(x.data[i] * gain);
  }
}

void FloatDepthToSpace(FloatView x, int block, int crop, FloatOut out) {
  for (int64_t n = 0; n < out.shape.n; ++n) {
    for (int64_t y = 0; y < out.shape.h; ++y) {
      for (int64_t xo = 0; xo < out.shape.w; ++xo) {
        const int64_t fine_y = y + crop;
        const int64_t fine_x = xo + crop;
        const int64_t phase = fine_y % block * block + fine_x % block;
        for (int64_t c = 0; c < out.shape.c; ++c) {
          out(n, y, xo, c) = x(n, fine_y / block, fine_x / block, phase * out.shape.c + c);
        }
      }
    }
  }
}

void FloatSpaceToDepth(FloatView x, int block, FloatOut out) {
  for (int64_t n = 0; n < x.shape.n; ++n) {
    for (int64_t y = 0; y < x.shape.h; ++y) {
      for (int64_t xi = 0; xi < x.shape.w; ++xi) {
        const int64_t phase = y % block * block + xi % block;
        for (int64_t c = 0; c < x.shape.c; ++c) {
          out(n, y / block, xi / block, phase * x.shape.c + c) = x(n, y, xi, c);
        }
      }
    }
  }
}

void FloatAbs(FloatView x, FloatOut out) {
  ForEachValue(x, out, [](float v) { return std::fabs(v); });
}

void FloatLeakyRelu(FloatView x, float slope, FloatOut out) {
  ForEachValue(x, out, [slope](float v) { return v < 0 ? v * slope : v; });
}

void FloatAdd(FloatView a, FloatView b, FloatOut out) {
  for (int64_t i = 0; i < a.shape.Count(); ++i) out.data[i] = a.data[i] + b.data[i];
}

void FloatConcat(std::span<const FloatView> inputs, FloatOut out) {
  const int64_t pixels = out.shape.n * out.shape.h * out.shape.w;
  for (int64_t i = 0; i < pixels; ++i) {
    float* to = out.data + i * out.shape.c;
    for (const FloatView& x : inputs) to = std::copy_n(x.data + i * x.shape.c, x.shape.c, to);
  }
}

void FloatMaxPool(FloatView x, const Geometry& g, FloatOut out) {
  for (int64_t n = 0; n < out.shape.n; ++n) {
    for (int64_t y = 0; y < out.shape.h; ++y) {
      for (int64_t xo = 0; xo < out.shape.w; ++xo) {
        for (int64_t c = 0; c < out.shape.c; ++c) {
          float largest = x(n, y * g.stride_h, xo * g.stride_w, c);
          for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
            for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
              largest = std::max(largest, x(n, y * g.stride_h + ky, xo * g.stride_w + kx, c));
            }
          }
          out(n, y, xo, c) = largest;
        }
      }
    }
  }
}

void FloatLut(FloatView x, std::span<const float> table, int64_t table_first, FloatOut out) {
  const double last = static_cast<double>(table.size()) - 1;
  ForEachValue(x, out, [&](float v) {
    const double index = std::floor(double{v} + 0.5) - static_cast<double>(table_first);
    return table[static_cast<size_t>(std::clamp(index, 0.0, last))];
  });
}

void FloatClamp(FloatView x, float min, float max, FloatOut out) {
  ForEachValue(x, out, [=](float v) { return std::clamp(v, min, max); });
}

void FloatScale(FloatView x, std::span<const float> gain, std::span<const float> bias,
                FloatOut out) {
  ForEachPixel(x, out, [&](const float* from, float* to) {
    for (int64_t c = 0; c < x.shape.c; ++c) {
      to[c] = static_cast<float>(from[c] * At(gain, c, 1) + At(bias, c, 0));
    }
  });
}

}  // namespace lichen
