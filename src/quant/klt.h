// A small codec network without training: a block transform fitted to pictures.
//
// Contract: analysis and synthesis are one block convolution each. Their basis is the
// Karhunen-Loeve transform (principal components) of block x block RGB blocks, orthonormal, so that
// one quantiser step for all channels is right at high rate. Quality is that of classic transform
// coding without spatial prediction: well below a trained network. Deterministic.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "net/float_net.h"
#include "quant/calibration.h"

namespace lichen {

struct KltOptions {
  int32_t block = 8;       // side of the blocks in pixels, 2 to 16
  int64_t channels = 192;  // components that are kept, of 3 * block^2
  double step = 16;        // quantiser step in units of an 8-bit sample
};

// Latents are components / step; a codec rounds them.
Result<FloatNet> FitKlt(const Calibration& calibration, const KltOptions& options);

}  // namespace lichen
