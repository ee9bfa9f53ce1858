// Weights, step records and parameters of a chunk, as the machine reads them (docs/fusion.md).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "accel/fusion/plan.h"

namespace lichen::fusion {

// A record of the step buffer, decoded.
struct Step {
  int64_t x_digits = 1;  // u
  int64_t w_digits = 1;  // v
  bool is_x_signed = false;
  bool is_w_signed = false;
  int64_t shift_digits = 0;
  int64_t weight_part = 0;
  int64_t weight_word = 0;
  std::vector<int64_t> offsets;  // [set * rows + row], digits
};
std::vector<uint8_t> ToBytes(const Step& step, const Design& design);
Step ReadStep(std::span<const uint8_t> bytes, const Design& design);

std::vector<uint8_t> WeightBytes(const Layer& layer, const Mapping& mapping, const Design& design,
                                 int64_t chunk);
// `border` is that of the input as it is stored.
std::vector<uint8_t> StepBytes(const Layer& layer, const Mapping& mapping, const Border& border,
                               const Design& design, int64_t chunk);
std::vector<uint8_t> ParameterBytes(const Layer& layer, const Mapping& mapping,
                                    const Design& design, ValueRange output, int64_t chunk);

}  // namespace lichen::fusion
