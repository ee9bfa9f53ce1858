#include "kernels/operators_ref.h"

#include <algorithm>
#include <cstdlib>

namespace lichen {
namespace {

// Calls body(n, y, x) for every pixel.
template <class Body>
void ForPixels(const Shape& shape, Body body) {
  for (int64_t n = 0; n < shape.n; ++n) {
    for (int64_t y = 0; y < shape.h; ++y) {
      for (int64_t x = 0; x < shape.w; ++x) body(n, y, x);
    }
  }
}

// out = map(x, channel), element by element, saturated to the range.
template <class Map>
void ForElements(ConstView x, ValueRange range, MutableView out, Map map) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t xo) {
    for (int64_t c = 0; c < out.shape.c; ++c) {
      const int64_t value = map(int64_t{x(n, y, xo, c)}, static_cast<size_t>(c));
      out(n, y, xo, c) = static_cast<int32_t>(std::clamp(value, range.min, range.max));
    }
  });
}

int64_t Norm(const int32_t* pixel, int64_t channels, int64_t c, const GdnWeights& weights) {
  int64_t acc = 0;
  for (int64_t j = 0; j < channels; ++j) {
    acc +=
        int64_t{weights.gamma[static_cast<size_t>(c * channels + j)]} * std::abs(int64_t{pixel[j]});
  }
  return Requantise(acc, weights.norm.At(static_cast<size_t>(c), weights.norm_range));
}

}  // namespace

void DepthToSpaceRef(ConstView x, int block, int crop, MutableView out) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t xo) {
    const int64_t yi = y + crop;
    const int64_t xi = xo + crop;
    const int64_t phase = (yi % block) * block + xi % block;
    for (int64_t c = 0; c < out.shape.c; ++c) {
      out(n, y, xo, c) = x(n, yi / block, xi / block, phase * out.shape.c + c);
    }
  });
}

void SpaceToDepthRef(ConstView x, int block, MutableView out) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t xo) {
    for (int64_t c = 0; c < out.shape.c; ++c) {
      const int64_t phase = c / x.shape.c;
      out(n, y, xo, c) = x(n, y * block + phase / block, xo * block + phase % block, c % x.shape.c);
    }
  });
}

void GdnRef(ConstView x, const GdnWeights& weights, const ChannelRequant& output, ValueRange range,
            MutableView out) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t xo) {
    const int32_t* pixel = &x(n, y, xo, 0);
    for (int64_t c = 0; c < out.shape.c; ++c) {
      const int64_t norm = Norm(pixel, x.shape.c, c, weights);
      const int64_t multiplier = output.At(static_cast<size_t>(c), range).multiplier;
      out(n, y, xo, c) = static_cast<int32_t>(
          std::clamp(GdnQuotient(pixel[c], multiplier, norm), range.min, range.max));
    }
  });
}

void IgdnRef(ConstView x, const GdnWeights& weights, const ChannelRequant& output, ValueRange range,
             MutableView out) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t xo) {
    const int32_t* pixel = &x(n, y, xo, 0);
    for (int64_t c = 0; c < out.shape.c; ++c) {
      const int64_t norm = Norm(pixel, x.shape.c, c, weights);
      out(n, y, xo, c) = static_cast<int32_t>(
          Requantise(pixel[c] * norm, output.At(static_cast<size_t>(c), range)));
    }
  });
}

void LagcRef(ConstView x, const LagcWeights& weights, const ChannelRequant& output,
             ValueRange range, MutableView out) {
  const int64_t channels = x.shape.c;
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t xo) {
    const int32_t* pixel = &x(n, y, xo, 0);
    for (int64_t c = 0; c < channels; ++c) {
      const size_t channel = static_cast<size_t>(c);
      int64_t acc = 0;
      for (int64_t j = 0; j < channels; ++j) {
        acc += int64_t{weights.affine[static_cast<size_t>(c * channels + j)]} * pixel[j];
      }
      const int64_t u = Requantise(acc, weights.affine_requant.At(channel, weights.u_range));
      const int64_t v = weights.table[static_cast<size_t>(u - weights.table_first)];
      const int64_t gain = Requantise(v, weights.gain.At(channel, weights.gain_range));
      out(n, y, xo, c) =
          static_cast<int32_t>(Requantise(pixel[c] * gain, output.At(channel, range)));
    }
  });
}

void LeakyReluRef(ConstView x, int slope_shift, ValueRange range, MutableView out) {
  ForElements(x, range, out, [&](int64_t v, size_t) { return LeakyRelu(v, slope_shift); });
}

void AddRef(ConstView a, ConstView b, ValueRange range, MutableView out) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t x) {
    for (int64_t c = 0; c < out.shape.c; ++c) {
      const int64_t sum = int64_t{a(n, y, x, c)} + b(n, y, x, c);
      out(n, y, x, c) = static_cast<int32_t>(std::clamp(sum, range.min, range.max));
    }
  });
}

void ConcatRef(std::span<const ConstView> inputs, MutableView out) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t x) {
    int64_t first = 0;
    for (const ConstView& input : inputs) {
      for (int64_t c = 0; c < input.shape.c; ++c) out(n, y, x, first + c) = input(n, y, x, c);
      first += input.shape.c;
    }
  });
}

void MaxPoolRef(ConstView x, const Geometry& g, MutableView out) {
  ForPixels(out.shape, [&](int64_t n, int64_t y, int64_t xo) {
    for (int64_t c = 0; c < out.shape.c; ++c) {
      int32_t max = x(n, y * g.stride_h, xo * g.stride_w, c);
      for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
        for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
          max = std::max(max, x(n, y * g.stride_h + ky, xo * g.stride_w + kx, c));
        }
      }
      out(n, y, xo, c) = max;
    }
  });
}

void LutRef(ConstView x, std::span<const int32_t> table, int64_t table_first, ValueRange range,
            MutableView out) {
  ForElements(x, range, out, [&](int64_t v, size_t) {
    return int64_t{table[static_cast<size_t>(v - table_first)]};
  });
}

void ClampRef(ConstView x, ValueRange range, MutableView out) {
  ForElements(x, range, out, [](int64_t v, size_t) { return v; });
}

void RequantRef(ConstView x, const ChannelRequant& requant, ValueRange range, MutableView out) {
  ForElements(x, range, out,
              [&](int64_t v, size_t c) { return Requantise(v, requant.At(c, range)); });
}

}  // namespace lichen
