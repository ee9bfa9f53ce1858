// Between grey and RGB, row by row, for networks that know only RGB.
//
// Contract: RgbToGrey undoes GreyToRgb exactly. Allocates nothing.
#pragma once

#include <cstdint>
#include <span>

#include "base/check.h"

namespace lichen {

// Each grey sample three times.
inline void GreyToRgb(std::span<const uint16_t> grey, std::span<uint16_t> rgb) {
  LICHEN_CHECK(rgb.size() == 3 * grey.size());
  for (size_t x = 0; x < grey.size(); ++x) {
    rgb[3 * x] = rgb[3 * x + 1] = rgb[3 * x + 2] = grey[x];
  }
}

// The mean of the three channels, rounded to nearest. Not a luma: it is meant for pictures that
// were grey and whose channels a codec has made a little unequal.
inline void RgbToGrey(std::span<const uint16_t> rgb, std::span<uint16_t> grey) {
  LICHEN_CHECK(rgb.size() == 3 * grey.size());
  for (size_t x = 0; x < grey.size(); ++x) {
    const uint32_t sum = uint32_t{rgb[3 * x]} + rgb[3 * x + 1] + rgb[3 * x + 2];
    grey[x] = static_cast<uint16_t>((sum + 1) / 3);
  }
}

}  // namespace lichen
