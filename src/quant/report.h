// What the quantiser did, layer by layer.
//
// Contract: plain data. Errors compare the integer net with the float net on calibration pictures,
// each graph fed with the same input. Saturated values are those at a bound of their tensor's
// range, without the zeros of a ReLU and the black and white of a picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quant/calibration.h"

namespace lichen {

struct LayerReport {
  std::string graph;
  std::string layer;  // name of its output tensor
  std::string op;
  double calibrated_min = 0;  // of the output, real, over the calibration pictures
  double calibrated_max = 0;
  int64_t range_min = 0;  // of the output, raw
  int64_t range_max = 0;
  double scale_min = 0;  // over the output's channels
  double scale_max = 0;
  // Layers with products only; else 0.
  int operand_bits = 0;
  int weight_bits = 0;
  int64_t products = 0;  // per output value
  int32_t segments = 0;  // of the 32-bit accumulator, worst channel
  double products_per_segment = 0;
  double headroom_bits = 0;  // below 2^62
  // Measured.
  double error_max = 0;  // |integer - float|, real
  double error_rms = 0;
  double signal_rms = 0;  // of the float output
  int64_t saturated_count = 0;
  int64_t value_count = 0;
};

struct QuantReport {
  int bits = 0;
  double margin = 0;
  double percentile = 0;
  int32_t latent_shift = 0;
  int64_t picture_count = 0;
  int64_t measured_picture_count = 0;
  std::vector<SkippedFile> skipped;
  std::vector<LayerReport> layers;

  int64_t SaturatedCount() const;
  int64_t ValueCount() const;
};

// One JSON object, keys as the fields above.
std::string ToJson(const QuantReport& report);
// A table for people.
std::string ToText(const QuantReport& report);

}  // namespace lichen
