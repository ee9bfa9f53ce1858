// What the buffers of the original fusion machine hold, and what its sums mean.
//
// Contract: operands are unsigned: of an 8-bit number the highest bits, x >> (8 - bits).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "accel/fusion/window_job.h"
#include "base/npy.h"
#include "base/result.h"

namespace lichen::fusion {

struct Operands {
  std::vector<uint8_t> inputs;   // the padded pictures: n y x
  std::vector<uint8_t> weights;  // k ky kx
};

// The shape of an array of two or three axes of 1 to kMaxExtent elements. Error: names `place`.
Result<Shape3> ShapeOf(const NpyArray& array, const std::string& place);

// Requires arrays of the job's shapes. Error: a value is no integer of 0 to 255.
Result<Operands> MakeOperands(const WindowJob& job, const NpyArray& input, const NpyArray& weights);

// n k y x, and in mode kCompat, where a window takes several columns, their partial sums as a fifth axis.
// `sums` are those of the columns' uses, in order: job.Uses() of them.
NpyArray MakeOutput(const WindowJob& job, const std::vector<uint32_t>& sums);

}  // namespace lichen::fusion
