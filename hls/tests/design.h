// The design of a test program, from macros that the build gives.
#pragma once

namespace tile_hls {

constexpr int kPif = PIF;
constexpr int kPof = POF;
constexpr int kPoy = POY;
constexpr int kPox = POX;
constexpr int kEpilogueLanes = EPILOGUE_LANES;
constexpr int kInputBufferWords = 2048;
constexpr int kWeightBufferWords = 512;
constexpr int kParameterBufferWords = 64;
constexpr int kMiddleBufferWords = 256;
constexpr int kOutputBufferWords = 700;
constexpr int kOperandBits = OPERAND_BITS;

}  // namespace tile_hls
