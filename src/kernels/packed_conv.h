// Convolutions on rows, with weights packed for the CPU: the engine's inner loop.
//
// READ ME FIRST: one "unit" is one position of the input at which all outputs that belong to it are
// computed: for a convolution one output pixel, for a transposed convolution with stride s the s x s
// output pixels of one input pixel (its phases), so that no inserted zero is ever multiplied.
//
// Outputs of a unit are "lanes" of 32-bit accumulators. A block is up to 4 vectors of lanes; a step
// adds a run of consecutive input elements times packed weights to some vectors of a block. Where
// the sum of a lane may exceed 32 bits it is split into segments, each proved to fit, which are
// added as hi * 2^16 + lo. Work: one multiply-add per weight and unit (zero blocks are skipped).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/element_type.h"
#include "base/geometry.h"
#include "base/requantise.h"
#include "base/tensor.h"

namespace lichen {

// Consecutive lanes that are stored as consecutive elements of an output row.
struct LaneRun {
  int32_t lane = 0;  // within the block
  int32_t count = 0;
  int32_t out_row = 0;      // which of the unit's output rows
  int64_t out_element = 0;  // from the unit's first output element in that row
};

struct PackedStep {
  int32_t row = 0;  // of the unit's input window
  int32_t first_vector = 0;
  int32_t vectors = 0;  // 1 to 4, from first_vector
  int32_t groups = 0;   // pairs of 16-bit or quads of 8-bit input elements
  int64_t element = 0;  // of the first input element, from the unit's first window element
  int64_t weights_bytes = 0;
};

struct PackedSegment {
  int32_t steps_begin = 0;
  int32_t steps_end = 0;
  int64_t init = 0;  // into PackedConv::init: accumulator start values of the block's lanes
};

struct PackedBlock {
  int32_t vectors = 0;
  int32_t segments_begin = 0;
  int32_t segments_end = 0;
  int64_t first_lane = 0;   // into LaneRequant
  bool contiguous = false;  // whole vectors, stored as one run
  int32_t runs_begin = 0;
  int32_t runs_end = 0;
};

// Requant parameters in lane order, as the kernels load them.
struct LaneRequant {
  void Reserve(int64_t lanes);
  void Set(int64_t lane, const Requant& requant);
  // Must be called after the last Set(). max_abs_acc bounds what will be requantised, per lane; one
  // value stands for all lanes.
  void Finish(int lane_count, std::span<const int64_t> max_abs_acc);

  std::vector<Requant> exact;  // per lane
  // Even and odd lanes of each vector apart, as 64-bit numbers.
  AlignedArray<int64_t> multiplier;
  AlignedArray<int64_t> pre_shift;
  AlignedArray<int64_t> bias;                // plus half
  AlignedArray<int32_t> natural_multiplier;  // in lane order; valid where `narrow`
  int post_shift = 0;
  bool has_pre_shift = false;
  bool narrow = true;         // every multiplier fits 32 bits, so the SIMD path applies
  bool fits_32_bits = false;  // so does every result before saturation
  ValueRange range;
};

struct PackedConv {
  ElementType input = ElementType::kI16;
  bool quads = false;      // 8-bit operands, else 16-bit pairs
  bool flip_sign = false;  // input is signed 8-bit: read as x + 128, made good by `init`
  int32_t lane_count = 0;  // lanes per vector of the CPU target it is packed for
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  // Window of a unit: rows [first_row, first_row + window_rows) and columns from first_column,
  // relative to (unit row * unit_step_h, unit * unit_step_w).
  int32_t unit_step_h = 1;
  int32_t unit_step_w = 1;
  int32_t first_row = 0;
  int32_t window_rows = 1;
  int32_t first_column = 0;
  int32_t window_columns = 1;
  int32_t out_rows = 1;     // output rows per unit row
  int32_t out_columns = 1;  // output columns per unit
  std::vector<PackedBlock> blocks;
  std::vector<PackedSegment> segments;
  std::vector<PackedStep> steps;
  std::vector<LaneRun> runs;
  AlignedArray<uint8_t> weights;
  AlignedArray<int32_t> init;
  LaneRequant requant;

  // Elements that a unit may read behind its window: rows need that much slack.
  static constexpr int64_t kSlackBytes = 64;
};

// How GDN, IGDN and LAGC go on from the requantised sum.
enum class PackedTail : uint8_t { kNone, kGdn, kIgdn, kLagc };

struct PackedConvSpec {
  bool transposed = false;
  Geometry geometry;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  ValueRange input_range;
  ElementType input = ElementType::kI16;  // how the input rows are stored; not kI32
  std::span<const int16_t> weights;       // OHWI
  const ChannelRequant* requant = nullptr;
  ValueRange range;
};

// Packs for the active CPU target.
PackedConv PackConv(const PackedConvSpec& spec);

// One call of the kernel: units [unit_begin, unit_end) of one unit row, blocks [block_begin,
// block_end).
struct PackedConvCall {
  // The window's rows; element 0 is the window's first element for unit 0. Rows outside the picture
  // are zeros, and so are columns outside.
  const uint8_t* const* rows = nullptr;
  int64_t unit_begin = 0;
  int64_t unit_end = 0;
  int32_t block_begin = 0;
  int32_t block_end = 0;
  uint8_t* const* out_rows = nullptr;  // element 0 of each output row; null: row is not wanted
  int64_t out_width = 0;               // columns behind it are not stored
  ElementType output = ElementType::kI16;
  void* scratch = nullptr;  // ScratchBytes(), 64-byte aligned
  // Tails (1 x 1 convolutions): q from x and the norm, or x and u.
  PackedTail tail = PackedTail::kNone;
  const uint8_t* x_row = nullptr;  // element 0 of the row that the tail multiplies or divides
  ElementType x_type = ElementType::kI16;
  const LaneRequant* output_requant = nullptr;  // Igdn, Lagc; Gdn: its multiplier and range
  const LaneRequant* gain_requant = nullptr;    // Lagc
  const int32_t* table = nullptr;               // Lagc: for u = 0 at table[0]
};

// Units that one call may have at most.
inline constexpr int64_t kMaxUnitsPerCall = 54;
int64_t ScratchBytes(const PackedConv& conv);

void RunPackedConv(const PackedConv& conv, const PackedConvCall& call);

// |x| of int16 or 8-bit elements, stored as int16 or uint8. Requires no int16 minimum.
void AbsRow(const uint8_t* x, ElementType type, int64_t count, uint8_t* out);

}  // namespace lichen
