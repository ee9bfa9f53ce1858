// Store unit: STORE instructions, from the output buffer to memory.
#pragma once

#include "instruction.h"

namespace tile_hls {

// Executes the queue's next instruction; false: it was END.
bool StoreStep(Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_store,
               TokenQueue& store_to_compute, TokenQueue& store_to_load, const OutputBuffer output);
// All instructions up to END.
void StoreUnit(Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_store,
               TokenQueue& store_to_compute, TokenQueue& store_to_load, const OutputBuffer output);

}  // namespace tile_hls
