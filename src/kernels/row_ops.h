// Operators without products, on rows as the engine stores them: bit-equal to operators_ref.h.
//
// Contract: rows are `count` elements of a type; element 0 first. Results are saturated to the range,
// which fits the output type. Nothing is allocated; nothing is written behind `count` elements.
// May read up to PackedConv::kSlackBytes behind a row.
#pragma once

#include <cstdint>
#include <span>

#include "base/element_type.h"
#include "base/geometry.h"
#include "base/requantise.h"
#include "kernels/packed_conv.h"

namespace lichen {

struct ConstRow {
  const uint8_t* data = nullptr;
  ElementType type = ElementType::kI16;
};

struct MutableRow {
  uint8_t* data = nullptr;
  ElementType type = ElementType::kI16;
};

// out = clamp(x). Also copies, widens and narrows.
void ClampRow(ConstRow x, int64_t count, ValueRange range, MutableRow out);
void LeakyReluRow(ConstRow x, int64_t count, int slope_shift, ValueRange range, MutableRow out);
void AddRows(ConstRow a, ConstRow b, int64_t count, ValueRange range, MutableRow out);
// out = max(a, b).
void MaxRows(ConstRow a, ConstRow b, int64_t count, MutableRow out);
// out = table[x - table_first], element by element: memory bound, so not vectorised.
void LutRow(ConstRow x, int64_t count, std::span<const int32_t> table, int64_t table_first,
            ValueRange range, MutableRow out);
// `requant` holds one lane per channel (LaneRequant::Finish with the lane count of the active target).
void RequantRow(ConstRow x, int64_t pixels, int64_t channels, const LaneRequant& requant,
                MutableRow out);
// LaneRequant for RequantRow: of inputs within `input_range`.
LaneRequant PackRowRequant(const ChannelRequant& requant, int64_t channels, ValueRange input_range,
                           ValueRange range);

// A convolution with as many groups as input and output channels: one filter per channel.
struct DepthwiseConv {
  int64_t channels = 0;
  Geometry geometry;
  int32_t lane_count = 0;
  AlignedArray<int32_t> weights;  // [ky][kx][channel], padded to whole vectors
  LaneRequant requant;
};

// Requires that every sum fits 32 bits (PackDepthwise checks; false: it does not).
bool PackDepthwise(const PackedConvSpec& spec, DepthwiseConv& packed);

// One row of outputs. `rows` are the kernel_h rows of the window; element 0 is the first element of
// the window of output 0, so that columns outside the picture are zeros beside the row.
void RunDepthwise(const DepthwiseConv& conv, const uint8_t* const* rows, ElementType type,
                  int64_t out_pixels, MutableRow out);

}  // namespace lichen
