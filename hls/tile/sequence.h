// The order of a COMPUTE's steps, and the addresses of each: rows and columns of groups, lane groups, taps, chunks,
// without a division but before the first step.
#pragma once

#include "instruction.h"

namespace tile_hls {

// One axis of the input buffer: where a row (or column) of the tile lies.
struct Axis {
  ap_uint<4> stride;
  ap_uint<16> pitch;  // words to the next row that is in the same bank
  ap_uint<20> step;   // stride * pitch: to the next group of banks
};
struct AxisPlace {
  ap_uint<4> phase;  // modulo the stride
  ap_uint<6> bank;   // of output pixel lane 0
  ap_uint<20> address;
};

inline Axis MakeAxis(ap_uint<4> stride, ap_uint<16> pitch) {
#pragma HLS INLINE
  Axis axis;
  axis.stride = stride;
  axis.pitch = pitch;
  axis.step = stride * pitch;
  return axis;
}

template <int Banks>
AxisPlace FirstTap(const Axis& axis, ap_uint<6> tap, ap_uint<20> base) {
#pragma HLS INLINE
  const ap_uint<6> positions = tap / axis.stride;
  AxisPlace place;
  place.phase = tap % axis.stride;
  place.bank = positions % Banks;
  place.address = base + (positions / Banks) * axis.step + place.phase * axis.pitch;
  return place;
}

template <int Banks>
AxisPlace NextTap(const Axis& axis, AxisPlace place) {
#pragma HLS INLINE
  if (place.phase + 1 != axis.stride) {
    ++place.phase;
    place.address += axis.pitch;
    return place;
  }
  place.phase = 0;
  place.address -= axis.step - axis.pitch;
  if (place.bank + 1 != Banks) {
    ++place.bank;
  } else {
    place.bank = 0;
    place.address += axis.step;
  }
  return place;
}

// Sums of a set go to the epilogue with the places of what they need and give.
struct Set {
  ap_uint<16> parameter;  // word of the lane group's records
  ap_uint<16> word;       // of the lane group, within a pixel
  ap_uint<16> source;     // of the pixel group in the middle buffer
  ap_uint<16> target;     // of the pixel group
};

// Where the sequence is. `row` and `column` are places of the step's tap, those of `first_` of the group's first tap.
struct Sequence {
  ap_uint<10> row_group, column_group, chunk;
  ap_uint<8> lane_group;
  ap_uint<4> tap_y;
  ap_uint<6> tap_x;
  Axis row_axis, column_axis;
  AxisPlace first_row, first_column, origin_column, row, column;
  ap_uint<16> weight;
  Set set;
  ap_uint<16> target_row;  // of the row of groups
};

inline Sequence FirstStep(const ComputeInstruction& i) {
#pragma HLS INLINE
  Sequence s;
  s.row_group = s.column_group = s.chunk = 0;
  s.lane_group = 0;
  s.tap_y = 0;
  s.tap_x = 0;
  s.row_axis = MakeAxis(i.stride_y, i.source_pitch);
  s.column_axis = MakeAxis(i.stride_x, i.pixel_words);
  s.first_row = s.row = FirstTap<kPoy>(s.row_axis, i.tap_row, i.source_base);
  s.origin_column = s.first_column = s.column = FirstTap<kPox>(s.column_axis, i.tap_column, 0);
  s.weight = i.weight_base;
  const ap_uint<2> words = i.kind == kConvolution ? 1 : 2;
  s.set.parameter = i.parameter_base + 1 + i.parameter_group * words;
  s.set.word = 0;
  s.set.source = i.source_base;
  s.set.target = s.target_row = i.target_base;
  return s;
}

inline bool IsFirstOfSet(const Sequence& s) { return s.chunk == 0 && s.tap_x == 0 && s.tap_y == 0; }
inline bool IsLastOfSet(const ComputeInstruction& i, const Sequence& s) {
  return s.chunk + 1 == i.chunks && s.tap_x + 1 == i.taps_x && s.tap_y + 1 == i.taps_y;
}

// Goes on to the next pixel group; false: there is none.
inline bool NextPixelGroup(const ComputeInstruction& i, Sequence& s) {
#pragma HLS INLINE
  s.set.source += i.source_pitch;
  if (s.column_group + 1 != i.column_groups) {
    ++s.column_group;
    s.first_column.address += s.column_axis.step;
    s.set.target +=
        i.target == 0 ? ap_uint<20>(i.target_pitch) : ap_uint<20>(i.target_pitch * kPox);
    return true;
  }
  s.column_group = 0;
  s.first_column = s.origin_column;
  s.first_row.address += s.row_axis.step;
  s.target_row += i.target_row_pitch * kPoy;
  s.set.target = i.target == 0 ? ap_uint<16>(s.set.target + i.target_pitch) : s.target_row;
  return ++s.row_group != i.row_groups;
}

// Goes on to the next step; false: there is none.
inline bool NextStep(const ComputeInstruction& i, Sequence& s) {
#pragma HLS INLINE
  ++s.weight;
  if (++s.chunk != i.chunks) return true;
  s.chunk = 0;
  if (++s.tap_x != i.taps_x) {
    s.column = NextTap<kPox>(s.column_axis, s.column);
    return true;
  }
  s.tap_x = 0;
  s.column = s.first_column;
  if (++s.tap_y != i.taps_y) {
    s.row = NextTap<kPoy>(s.row_axis, s.row);
    return true;
  }
  s.tap_y = 0;
  bool is_left = true;
  if (++s.lane_group != i.lane_groups) {
    s.set.parameter += i.kind == kConvolution ? 1 : 2;
    s.set.word += kPof / kEpilogueLanes;
  } else {
    s.lane_group = 0;
    s.weight = i.weight_base;
    s.set.parameter -= (i.lane_groups - 1) * (i.kind == kConvolution ? 1 : 2);
    s.set.word = 0;
    is_left = NextPixelGroup(i, s);
  }
  s.row = s.first_row;
  s.column = s.first_column;
  return is_left;
}

}  // namespace tile_hls
