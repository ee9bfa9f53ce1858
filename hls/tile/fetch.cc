#include "fetch.h"

namespace tile_hls {

FetchState StartFetch(ap_uint<40> program) {
  FetchState state;
  state.beat = program >> 4;
  state.next = 0;
  state.end = 0;
  return state;
}

InstructionWord FetchInstruction(const Beat* memory, FetchState& state) {
  if (state.next == state.end) {
    const ap_uint<5> count = kFetchBeats - state.beat % kFetchBeats;
  read_block:
    for (ap_uint<5> beat = 0; beat < count; ++beat) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 16
      state.block[beat] = memory[state.beat + beat];
    }
    state.beat += count;
    state.next = 0;
    state.end = count;
  }
  InstructionWord word = state.block[state.next + 1];
  word = word << kBeatBits | state.block[state.next];
  state.next += 2;
  return word;
}

void FetchUnit(const Beat* memory, ap_uint<40> program, InstructionQueue& loads,
               InstructionQueue& weights, InstructionQueue& computes, InstructionQueue& stores,
               ap_uint<32>* errors) {
  FetchState state = StartFetch(program);
  bool is_end = false;
  ap_uint<32> found = 0;
fetch_loop:
  while (!is_end) {
#pragma HLS LOOP_TRIPCOUNT max = 4096
    const InstructionWord word = FetchInstruction(memory, state);
    const ap_uint<4> opcode = OpcodeOf(word);
    is_end = opcode == kEnd || opcode > kStore;
    if (opcode > kStore) found = 1;
    const InstructionWord given = is_end ? InstructionWord(kEnd) : word;
    if (is_end || opcode == kLoad) loads.write(given);
    if (is_end || opcode == kWeight) weights.write(given);
    if (is_end || opcode == kCompute) computes.write(given);
    if (is_end || opcode == kStore) stores.write(given);
  }
  *errors = found;
}

}  // namespace tile_hls
