// Instructions of the engine: fields of 256 bits, in the order of docs/tile.md.
#pragma once

#include "types.h"

namespace tile_hls {

// Plain numbers, which go with ap_uint without a conversion.
constexpr int kEnd = 0;
constexpr int kLoad = 1;
constexpr int kWeight = 2;
constexpr int kCompute = 3;
constexpr int kStore = 4;

// Bits of the masks, named after giver and taker.
constexpr int kLoadToCompute = 0;
constexpr int kComputeToLoad = 1;
constexpr int kWeightToCompute = 2;
constexpr int kComputeToWeight = 3;
constexpr int kComputeToStore = 4;
constexpr int kStoreToCompute = 5;
constexpr int kStoreToLoad = 6;

// Kinds of COMPUTE.
constexpr int kConvolution = 0;
constexpr int kGdn = 1;
constexpr int kIgdn = 2;

inline ap_uint<4> OpcodeOf(const InstructionWord& word) { return word.range(3, 0); }

// Takes fields off a word from its lowest bits up.
class FieldReader {
 public:
  explicit FieldReader(const InstructionWord& word) : word_(word >> 4) {}
  template <int Bits>
  void Take(ap_uint<Bits>& field) {
#pragma HLS INLINE
    field = word_.range(Bits - 1, 0);
    word_ = word_ >> Bits;
  }

 private:
  InstructionWord word_;
};

struct LoadInstruction {
  ap_uint<7> wait, signal;
  ap_uint<40> address;
  ap_uint<24> row_stride;
  ap_uint<12> rows;
  ap_uint<8> top_rows;
  ap_uint<12> valid_rows;
  ap_uint<16> row_words;
  ap_uint<12> left_words;
  ap_uint<20> valid_elements;
  ap_uint<16> base, row_pitch;
  ap_uint<10> chunks;
  ap_uint<4> stride_y, stride_x;
  ap_uint<1> is_unsigned;
};

inline LoadInstruction DecodeLoad(const InstructionWord& word) {
#pragma HLS INLINE
  FieldReader fields(word);
  LoadInstruction i;
  fields.Take(i.wait);
  fields.Take(i.signal);
  fields.Take(i.address);
  fields.Take(i.row_stride);
  fields.Take(i.rows);
  fields.Take(i.top_rows);
  fields.Take(i.valid_rows);
  fields.Take(i.row_words);
  fields.Take(i.left_words);
  fields.Take(i.valid_elements);
  fields.Take(i.base);
  fields.Take(i.row_pitch);
  fields.Take(i.chunks);
  fields.Take(i.stride_y);
  fields.Take(i.stride_x);
  fields.Take(i.is_unsigned);
  return i;
}

struct WeightInstruction {
  ap_uint<7> wait, signal;
  ap_uint<40> address;
  ap_uint<20> words;
  ap_uint<1> target;  // 0 weight buffer, 1 parameter buffer
  ap_uint<16> base;
};

inline WeightInstruction DecodeWeight(const InstructionWord& word) {
#pragma HLS INLINE
  FieldReader fields(word);
  WeightInstruction i;
  fields.Take(i.wait);
  fields.Take(i.signal);
  fields.Take(i.address);
  fields.Take(i.words);
  fields.Take(i.target);
  fields.Take(i.base);
  return i;
}

struct ComputeInstruction {
  ap_uint<7> wait, signal;
  ap_uint<1> source;  // 0 input buffer, 1 middle buffer
  ap_uint<1> target;  // 0 middle buffer, 1 output buffer
  ap_uint<2> kind;
  ap_uint<10> row_groups, column_groups;
  ap_uint<8> lane_groups;
  ap_uint<4> taps_y;
  ap_uint<6> taps_x;
  ap_uint<4> tap_row;
  ap_uint<6> tap_column;
  ap_uint<10> chunks;
  ap_uint<4> stride_y, stride_x;
  ap_uint<16> source_base, source_pitch;
  ap_uint<10> pixel_words;
  ap_uint<16> weight_base;
  ap_uint<12> parameter_base;
  ap_uint<8> parameter_group;
  ap_uint<16> target_base, target_row_pitch;
  ap_uint<12> target_pitch;
};

inline ComputeInstruction DecodeCompute(const InstructionWord& word) {
#pragma HLS INLINE
  FieldReader fields(word);
  ComputeInstruction i;
  fields.Take(i.wait);
  fields.Take(i.signal);
  fields.Take(i.source);
  fields.Take(i.target);
  fields.Take(i.kind);
  fields.Take(i.row_groups);
  fields.Take(i.column_groups);
  fields.Take(i.lane_groups);
  fields.Take(i.taps_y);
  fields.Take(i.taps_x);
  fields.Take(i.tap_row);
  fields.Take(i.tap_column);
  fields.Take(i.chunks);
  fields.Take(i.stride_y);
  fields.Take(i.stride_x);
  fields.Take(i.source_base);
  fields.Take(i.source_pitch);
  fields.Take(i.pixel_words);
  fields.Take(i.weight_base);
  fields.Take(i.parameter_base);
  fields.Take(i.parameter_group);
  fields.Take(i.target_base);
  fields.Take(i.target_row_pitch);
  fields.Take(i.target_pitch);
  return i;
}

struct StoreInstruction {
  ap_uint<7> wait, signal;
  ap_uint<40> address;
  ap_uint<24> row_stride;
  ap_uint<12> rows;
  ap_uint<14> run, first;
  ap_uint<20> valid_elements;
  ap_uint<16> base, row_pitch;
  ap_uint<12> column_pitch;
  ap_uint<2> element_bytes;
  ap_uint<14> split, second;
  ap_uint<1> pools;
};

inline StoreInstruction DecodeStore(const InstructionWord& word) {
#pragma HLS INLINE
  FieldReader fields(word);
  StoreInstruction i;
  fields.Take(i.wait);
  fields.Take(i.signal);
  fields.Take(i.address);
  fields.Take(i.row_stride);
  fields.Take(i.rows);
  fields.Take(i.run);
  fields.Take(i.first);
  fields.Take(i.valid_elements);
  fields.Take(i.base);
  fields.Take(i.row_pitch);
  fields.Take(i.column_pitch);
  fields.Take(i.element_bytes);
  fields.Take(i.split);
  fields.Take(i.second);
  fields.Take(i.pools);
  return i;
}

}  // namespace tile_hls
