// How an operator of a network reads pixels: kernel, stride, padding, groups.
#pragma once

#include <cstdint>

namespace lichen {

// How a node reads pixels. Fields that an operator does not use keep their defaults.
struct Geometry {
  int32_t kernel_h = 1;
  int32_t kernel_w = 1;
  int32_t stride_h = 1;
  int32_t stride_w = 1;
  // Zero rows and columns around the input. pad_bottom and pad_right may be negative (rows that are
  // not read): kernel_h 3, pad_top 3, pad_bottom -1 is the causal row context of StreamLIC.
  // For kConvTranspose2d, pad_top and pad_left are the `pad` of the adjoint convolution.
  int32_t pad_top = 0;
  int32_t pad_bottom = 0;
  int32_t pad_left = 0;
  int32_t pad_right = 0;
  int32_t groups = 1;
  int32_t block = 1;  // kDepthToSpace, kSpaceToDepth
  int32_t crop = 0;   // kDepthToSpace: pixels cut off on every side of the output
  // kConvTranspose2d: the output has ceil(reference size / output_divisor) rows and columns, where
  // the reference is the picture's size. The full size is then only an upper bound.
  int32_t output_divisor = 1;
  bool operator==(const Geometry&) const = default;
};

}  // namespace lichen
