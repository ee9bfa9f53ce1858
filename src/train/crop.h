// Cuts crops out of pictures, scaled down by any factor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/tensor.h"

namespace lichen {

// 8 bit RGB, interleaved.
struct RgbPicture {
  Size2 size;
  std::vector<uint8_t> samples;
};

// A square of side_px * factor pixels of the picture, scaled down to side_px.
struct CropPlace {
  double y = 0;  // of its upper left corner, in pixels of the picture
  double x = 0;
  double factor = 1;  // >= 1
  int64_t side_px = 0;
  bool is_flipped_y = false;
  bool is_flipped_x = false;
};

// Each sample is the mean over the area that it covers, rounded to nearest. Requires the square to
// lie within the picture and `out` to have side_px * side_px * 3 samples.
void CutCrop(const RgbPicture& picture, const CropPlace& place, std::span<uint8_t> out);

}  // namespace lichen
