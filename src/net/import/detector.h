// What the importers of detection networks share.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/geometry.h"
#include "net/graph_builder.h"
#include "net/int_net.h"

namespace lichen {

// UltraNet and UltraNet_Bypass: channels of the picture and of every layer's output; a 2x2 maximum follows each of the first layers.
inline constexpr size_t kUltranetLayers = 9;
inline constexpr std::array<int64_t, kUltranetLayers + 1> kUltranetChannels = {3,  16, 32, 64, 64,
                                                                               64, 64, 64, 64, 36};
inline constexpr size_t kUltranetPools = 4;

// UltraNet's head in words, for metadata["head"].
inline constexpr std::string_view kUltranetHead =
    "channel = anchor*6 + field; 6 anchors; fields x y w h conf cls; cell = argmax of "
    "the sum over anchors of conf; xy = mean of sigmoid(v), wh = mean of exp(v); "
    "centre = (xy + cell)*16 px, size = wh*20 px of the 160x320 input";

// The geometry of a square convolution with stride 1 that keeps the size.
inline Geometry SameConv(int32_t kernel, int32_t groups = 1) {
  const int32_t pad = kernel / 2;
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .pad_top = pad,
          .pad_bottom = pad,
          .pad_left = pad,
          .pad_right = pad,
          .groups = groups};
}

inline TensorId AddPool2x2(GraphBuilder<IntParams>& builder, TensorId at, std::string name) {
  TensorInfo output = builder.tensor(at);
  output.name = std::move(name);
  return builder.Add(OpKind::kMaxPool, {at}, std::move(output),
                     {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2});
}

// `source` reordered by 2x2 (channel (dy*2 + dx)*C + c), in front of `at`. Both have the same range and scale.
inline TensorId AddBypass(GraphBuilder<IntParams>& builder, TensorId source, TensorId at) {
  TensorInfo blocks = builder.tensor(source);
  blocks.name = "bypass";
  blocks.channels *= 4;
  TensorInfo joined = builder.tensor(at);
  joined.name = "bypass.concat";
  joined.channels += blocks.channels;
  const TensorId reordered =
      builder.Add(OpKind::kSpaceToDepth, {source}, std::move(blocks), {.block = 2});
  return builder.Add(OpKind::kConcat, {reordered, at}, std::move(joined));
}

}  // namespace lichen
