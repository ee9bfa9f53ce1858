// A test picture that the project draws itself: sky and textured ground, shaded discs, boxes with
// hard edges, fine stripes and a little grain, so that a codec has to do something everywhere.
//
// Contract: integer arithmetic only; the same (height, width, seed, channels, bit_depth) gives the
// same samples on every machine. Any row can be drawn alone, so pictures larger than
// memory can be streamed out. O(width) per row, times a small constant.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "image/image.h"

namespace lichen {

class TestPicture {
 public:
  // channels 1..4 (alpha is a smooth blend with a hole), bit_depth 8 or 16.
  TestPicture(int64_t height, int64_t width, uint64_t seed, int channels = 3, int bit_depth = 8);

  const ImageInfo& info() const { return info_; }
  // Requires 0 <= y < height and info().RowSamples() samples.
  void RenderRow(int64_t y, std::span<uint16_t> samples) const;

 private:
  struct Colour {
    int32_t r = 0, g = 0, b = 0;  // 0..65535
  };
  struct Shape {
    enum class Kind { kDisc, kBox, kStripes } kind = Kind::kDisc;
    int64_t y = 0, x = 0;            // centre, in pixels
    int64_t half_y = 0, half_x = 0;  // radius, or half the sides
    int64_t period = 1;              // of stripes, in pixels
    Colour colour;
  };
  void PaintShape(const Shape& shape, int64_t y, std::vector<Colour>& row) const;
  int32_t Alpha(int64_t y, int64_t x) const;

  ImageInfo info_;
  uint64_t seed_;
  Colour sky_top_, sky_bottom_, ground_near_, ground_far_;
  std::vector<Shape> shapes_;
};

Image RenderTestPicture(int64_t height, int64_t width, uint64_t seed, int channels = 3,
                        int bit_depth = 8);

// One row of that picture. For many rows keep a TestPicture instead.
void RenderTestRow(int64_t height, int64_t width, uint64_t seed, int64_t y,
                   std::span<uint16_t> samples);

}  // namespace lichen
