// Resizing as the detection networks expect it of their input.
//
// Contract of the bilinear one: half-pixel centres, no antialiasing (each output sample mixes 4 input samples, also
// when shrinking), edges repeated; computed in float, columns first, and rounded half to even. All
// channels alike. Metadata goes along.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "image/image.h"

namespace lichen {

// Error if the new size is not one that CheckImageInfo accepts.
Result<Image> ResizeBilinear(const Image& image, int64_t height, int64_t width);

// The sample at floor((i + 0.5) * from / to) in both directions, exact. The same errors.
Result<Image> ResizeNearest(const Image& image, int64_t height, int64_t width);

// The 8-bit RGB picture as three planes B, G, R, one after the other: [3][height][width].
Result<std::vector<uint8_t>> PlanarBgr(const Image& image);

}  // namespace lichen
