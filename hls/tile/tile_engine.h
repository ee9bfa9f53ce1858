// The tile engine as one function for Vitis HLS.
//
// Contract: runs the program at byte address `program` (a multiple of 32) of memory up to its END. All four pointers are
// the same memory, one for each unit that reaches it; addresses count from its first byte. `errors`: bit 0, an unknown
// instruction, which counts as END. What lies between END and the next multiple of 256 bytes is read, not executed.
#pragma once

#include "types.h"

void tile_engine(const tile_hls::Beat* load_memory, const tile_hls::Beat* weight_memory,
                 const tile_hls::Beat* fetch_memory, tile_hls::Beat* store_memory,
                 ap_uint<40> program, ap_uint<32>* errors);
