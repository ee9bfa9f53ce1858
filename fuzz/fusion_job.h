// The small job of the original fusion machine that a fuzzer's two bytes choose.
#pragma once

#include "accel/fusion/window_job.h"

namespace lichen {

inline fusion::WindowJob FuzzFusionJob(uint8_t widths, uint8_t shape) {
  fusion::WindowJob job{.mode = shape & 0x80 ? fusion::Mode::kCompat : fusion::Mode::kFixed,
                        .input = {1 + (shape & 1), 3, 4},
                        .kernel = {1 + (shape >> 1 & 1), 2, 1 + (shape >> 2 & 1)},
                        .padding = shape >> 3 & 1,
                        .array = {2 + (shape >> 4 & 3), 3}};
  job.pair = {2 + 2 * (widths & 3), 2 + 2 * (widths >> 2 & 3)};
  return job;
}

}  // namespace lichen
