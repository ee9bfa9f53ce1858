// Random networks for the tests of the fusion machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "base/tensor.h"
#include "net/graph_builder.h"
#include "net/int_net.h"

namespace lichen::fusion {

using Random = std::mt19937_64;

inline int64_t Between(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

inline ValueRange RangeOf(int64_t bits, bool is_signed) {
  return is_signed ? ValueRange{-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1}
                   : ValueRange{0, (int64_t{1} << bits) - 1};
}

inline IntParams RandomParams(Random& random, int64_t out, int64_t fan_in, int64_t output_bits) {
  IntParams p;
  const int64_t bits = Between(random, 1, 8);
  const ValueRange range = RangeOf(bits, true);
  for (int64_t i = 0; i < out * fan_in; ++i) {
    p.weights.push_back(static_cast<int16_t>(Between(random, range.min, range.max)));
  }
  p.weight_bits = static_cast<int32_t>(bits);
  p.requant = {.multiplier = {}, .pre_shift = {}, .bias = {}, .post_shift = 20};
  for (int64_t c = 0; c < out; ++c) {
    const int64_t size = (int64_t{1} << (20 + output_bits)) / (64 * fan_in + 1);
    p.requant.multiplier.push_back(Between(random, 1, std::max<int64_t>(size, 2)) *
                                   (c % 5 ? 1 : -1));
    p.requant.pre_shift.push_back(static_cast<uint8_t>(Between(random, 0, 3)));
    p.requant.bias.push_back(Between(random, -(1 << 20), 1 << 22));
  }
  return p;
}

// Convolutions with pools behind them, some in groups, and maybe a linear layer; any widths.
inline IntNet RandomNet(Random& random, Size2 size, int64_t channels, bool is_input_signed) {
  GraphBuilder<IntParams> b("main");
  TensorId x = b.Input({.name = "x",
                        .channels = channels,
                        .range = RangeOf(Between(random, 1, 8), is_input_signed)});
  const int64_t layers = Between(random, 1, 3);
  for (int64_t i = 0; i < layers; ++i) {
    const bool is_last = i + 1 == layers;
    const bool is_linear = is_last && random() % 2 == 0;
    const bool is_wide = is_last && random() % 2 == 0;
    const int64_t groups = !is_linear && channels % 2 == 0 && random() % 3 == 0
                               ? (random() % 2 == 0 ? 2 : channels)
                               : 1;
    const int64_t out = groups * Between(random, 1, groups > 2 ? 2 : 24);
    Geometry g{.groups = static_cast<int32_t>(groups)};
    if (is_linear) {
      g.kernel_h = static_cast<int32_t>(size.h);
      g.kernel_w = static_cast<int32_t>(size.w);
    } else {
      g.kernel_h = static_cast<int32_t>(Between(random, 1, 5));
      g.kernel_w = static_cast<int32_t>(Between(random, 1, 5));
      g.stride_h = static_cast<int32_t>(Between(random, 1, 2));
      g.stride_w = static_cast<int32_t>(Between(random, 1, 2));
      g.pad_top = static_cast<int32_t>(Between(random, 0, g.kernel_h / 2));
      g.pad_bottom = static_cast<int32_t>(Between(random, 0, g.kernel_h / 2));
      g.pad_left = static_cast<int32_t>(Between(random, 0, g.kernel_w / 2));
      g.pad_right = static_cast<int32_t>(Between(random, 0, g.kernel_w / 2));
    }
    const int64_t bits = is_wide ? Between(random, 9, 24) : Between(random, 1, 8);
    const int64_t fan_in = g.kernel_h * g.kernel_w * channels / groups;
    x = b.Add(is_linear ? OpKind::kLinear : OpKind::kConv2d, {x},
              {.name = fmt::format("l{}", i),
               .channels = out,
               .range = RangeOf(bits, is_wide || random() % 2 == 0)},
              g, RandomParams(random, out, fan_in, bits));
    channels = out;
    size = {(size.h + g.pad_top + g.pad_bottom - g.kernel_h) / g.stride_h + 1,
            (size.w + g.pad_left + g.pad_right - g.kernel_w) / g.stride_w + 1};
    if (!is_linear && !is_wide && random() % 2 == 0) {
      const auto pool = static_cast<int32_t>(Between(random, 2, 3));
      TensorInfo info = b.tensor(x);
      info.name = fmt::format("p{}", i);
      x = b.Add(OpKind::kMaxPool, {x}, info,
                {.kernel_h = pool, .kernel_w = pool, .stride_h = pool, .stride_w = pool});
      size = {size.h / pool, size.w / pool};
    }
  }
  b.Output(x);
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  return net;
}

}  // namespace lichen::fusion
