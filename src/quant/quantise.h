// Turns a FloatNet into an IntNet: scales, widths and requantisers from calibration pictures.
//
// Contract: the result has passed CheckIntNet(), and computes no float. The same whatever the
// threads. Supported are codec nets (`analysis` + `synthesis`) and a plain `main` graph, whose
// single input is a picture of 1 or 3 channels (0..1), of every operator but Lut.
//   picture in    at 16 bits 0..4080, scale 1/4080 (an 8-bit value v enters as 16 * v);
//                 at 8 bits 0..255, scale 1/255
//   latents       scale 2^-F, F = coding.latent_shift, as large as their width allows with a margin
//                 of 2; the input of `synthesis` has the same range and scale
//   picture out   0..65535, scale 1/65535, saturating
//   outputs of main  one scale for all channels, at most 16 bits
// Activations get a scale per channel where their readers allow it, else per tensor. Weights are as
// wide as leaves a segment of the 32-bit accumulator products_per_segment products. At 8 bits they
// are rounded together, against the second moments of their inputs (quant/gram.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "net/float_net.h"
#include "net/int_net.h"
#include "quant/calibration.h"
#include "quant/report.h"

namespace lichen {

// Widths of one layer, named by its output tensor; 0 leaves one at its default.
struct LayerBits {
  std::string layer;
  int operand_bits = 0;  // of its input; at the first layer of `synthesis`: of the latents
  int weight_bits = 0;   // at most; including the sign
};

struct QuantOptions {
  int bits = 16;                  // default width of operands and weights at most: 16 or 8
  std::vector<LayerBits> layers;  // exceptions
  // Ranges are margin times what `percentile` percent of a channel's magnitudes do not exceed.
  // 0 is the default: at 16 bits margin 2 and 100 (the largest); at 8 bits margin 1 and for each
  // channel the magnitude that gives the least error.
  double margin = 0;
  double percentile = 0;
  int64_t products_per_segment = 512;
  int64_t measured_pictures = 4;  // calibration pictures that the report's errors are measured on
};

struct QuantResult {
  IntNet net;
  QuantReport report;
};

Result<QuantResult> Quantise(const FloatNet& net, const Calibration& calibration,
                             const QuantOptions& options, const Threads& threads);

}  // namespace lichen
