// How a layer runs on the array: what rows, columns and time do, and its tiles.
//
// Contract: docs/fusion.md gives the meaning of groups, kind and fold. ChooseMapping() takes the
// fewest cycles that the closed formula promises.
#pragma once

#include <cstdint>
#include <vector>

#include "accel/fusion/design.h"
#include "accel/fusion/digits.h"
#include "accel/fusion/instruction.h"
#include "accel/fusion/layer.h"

namespace lichen::fusion {

// A pair of planes whose products are added up. Passes of one plane of weights share its words: a slot takes
// `Elements()` neighbouring elements of the window in one step or, where x has more digits than its least
// plane, in several.
struct Pass {
  Plane x;
  Plane w;
  int64_t least_x_digits = 0;                                               // of all planes of x
  int64_t Products() const { return kUnitDigits / (x.digits * w.digits); }  // of a unit and step
  int64_t Elements() const { return kUnitDigits / (least_x_digits * w.digits); }
  int64_t Parts() const { return x.digits / least_x_digits; }  // steps for these elements
};
// All of the first plane of weights first.
std::vector<Pass> PassesOf(const Layer& layer);

// Neighbouring elements of a tile row that a window needs: those of kernel row ky from element
// `first` (of the kernel row) on.
struct Run {
  int64_t kernel_row = 0;
  int64_t first = 0;
  int64_t length = 0;
};

// A tensor's zero border and row lengths, in pixels.
struct Border {
  int64_t top = 0;
  int64_t bottom = 0;
  int64_t left = 0;
  int64_t right = 0;
};
// What the layer's windows need around its input.
Border NeededBorder(const Layer& layer);

struct Mapping {
  int64_t groups = 1;
  GroupKind kind = GroupKind::kWindows;
  int64_t fold = 1;
  int64_t slots = 0;           // operand words of one window in a step
  int64_t lanes = 0;           // output channels in a word
  int64_t words = 0;           // of an output pixel
  int64_t block_channels = 0;  // output channels of a block
  int64_t blocks = 0;          // of a chunk: what one set of weights holds
  int64_t chunks = 0;
  int64_t steps = 0;
  int64_t block_words = 0;  // of the weight buffer
  int64_t tile_rows = 0;    // of outputs
  int64_t tiles = 0;
  int64_t pitch = 0;                // elements of a tile row
  std::vector<int64_t> plane_base;  // word of the input buffer's page at which a plane's rows begin
  int64_t tile_input_rows = 0;
  int64_t result_bytes = 1;

  int64_t WordRows(const Design& d) const {
    return kind == GroupKind::kWindows ? d.rows / groups : d.rows;
  }
  int64_t ColumnGroups(int64_t columns) const {
    return kind == GroupKind::kWindows ? (columns + groups - 1) / groups : columns;
  }
};

// Runs of a chunk's windows; a grouped convolution's depend on the chunk.
std::vector<Run> RunsOf(const Layer& layer, const Mapping& mapping, int64_t chunk);
// Rows of input that `rows` rows of output need.
int64_t InputRows(const Layer& layer, int64_t rows);
// Beats of a memory row that holds `elements` elements of a plane, its border included.
int64_t RowBeats(int64_t elements, const Plane& plane);

// Cycles of the array for `rows` rows of output, all chunks.
int64_t ArrayCycles(const Layer& layer, const Mapping& mapping, int64_t rows);
// Cycles that a COMPUTE takes beside its steps: preparation, and the way of the last results.
int64_t ComputeOverhead(const Mapping& mapping, const Design& design);
// Beats that one set of weights, steps and parameters moves.
int64_t SetBeats(const Design& design, const Mapping& mapping);

// `border` is that of the input as it is stored. Error: names the buffer that is too small, and both
// numbers.
Result<Mapping> ChooseMapping(const Layer& layer, const Border& border, const Design& design);

}  // namespace lichen::fusion
