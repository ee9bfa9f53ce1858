// Fetch unit: reads the program in order and hands each instruction to its unit's queue; END to all.
#pragma once

#include "instruction.h"

namespace tile_hls {

// What has been read of the program: up to the next multiple of 256 bytes.
constexpr int kFetchBeats = 16;
struct FetchState {
  ap_uint<36> beat;      // of the next block
  ap_uint<5> next, end;  // in `block`
  Beat block[kFetchBeats];
};

FetchState StartFetch(ap_uint<40> program);
InstructionWord FetchInstruction(const Beat* memory, FetchState& state);

// Bit 0 of `errors`: an unknown instruction, which counts as END.
void FetchUnit(const Beat* memory, ap_uint<40> program, InstructionQueue& loads,
               InstructionQueue& weights, InstructionQueue& computes, InstructionQueue& stores,
               ap_uint<32>* errors);

}  // namespace tile_hls
