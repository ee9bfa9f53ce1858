// Widths, buffers and streams of the engine, derived from its design.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "design.h"

namespace tile_hls {

constexpr int Least(int a, int b) { return a < b ? a : b; }

// A beat of the AXI4 ports.
constexpr int kBeatBytes = 16;
constexpr int kBeatBits = 8 * kBeatBytes;
typedef ap_uint<kBeatBits> Beat;
typedef ap_uint<2 * kBeatBits> BeatPair;

constexpr int kElementBytes = kOperandBits / 8;
constexpr int kBeatElements = kBeatBytes / kElementBytes;
constexpr int kPixels = kPoy * kPox;
static_assert(kOperandBits == 16 || kOperandBits == 8, "operands have 16 or 8 bits");
static_assert(kEpilogueLanes % kPif == 0, "Pif divides EpilogueLanes");
static_assert(kPof % kEpilogueLanes == 0 && kEpilogueLanes >= 2, "EpilogueLanes divides Pof");
static_assert(kPif * kPof * kElementBytes % kBeatBytes == 0, "words of weights are whole beats");

// Elements of 8-bit designs may be unsigned; the array's operands have room for |-2^15|.
typedef ap_int<kOperandBits == 8 ? 9 : 16> Input;
typedef ap_int<kOperandBits == 8 ? 9 : 17> Operand;
typedef ap_int<kOperandBits> Weight;
typedef ap_int<16> Value;  // of the middle and the output buffer
typedef ap_int<kOperandBits == 8 ? 32 : 48> Sum;
typedef ap_uint<102> Record;  // of a parameter word: the bits that mean something

// A word is the last dimension.
typedef Input InputBuffer[kPixels][kInputBufferWords][kPif];
typedef Weight WeightBuffer[kWeightBufferWords][kPof * kPif];  // element i of lane l at l * Pif + i
typedef Record ParameterBuffer[kParameterBufferWords][kPof];
typedef Value OutputBuffer[kOutputBufferWords][kEpilogueLanes];

typedef ap_uint<256> InstructionWord;
typedef ap_uint<1> Token;
typedef hls::stream<InstructionWord> InstructionQueue;
typedef hls::stream<Token> TokenQueue;
typedef hls::stream<Beat> BeatQueue;

// An instruction takes one token of each queue whose bit is set in its mask, and gives likewise.
inline void TakeToken(bool is_waiting, TokenQueue& tokens) {
#pragma HLS INLINE
  if (is_waiting) tokens.read();
}
inline void GiveToken(bool is_signalling, TokenQueue& tokens) {
#pragma HLS INLINE
  if (is_signalling) tokens.write(1);
}

// Streams keep what is left in them from one run of the engine to the next. So a unit that has reached END ends what it
// gives with a 0, and takes what is left up to the 0 of its givers.
inline void EndTokens(TokenQueue& tokens) {
#pragma HLS INLINE
  tokens.write(0);
}
inline void TakeRest(TokenQueue& tokens) {
#pragma HLS INLINE
  while (tokens.read() != 0) {
#pragma HLS LOOP_TRIPCOUNT max = 4
  }
}

}  // namespace tile_hls
