// Load unit: LOAD instructions, from memory into the banks of the input buffer.
#pragma once

#include "instruction.h"

namespace tile_hls {

// Executes the queue's next instruction; false: it was END.
bool LoadStep(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_load,
              TokenQueue& store_to_load, TokenQueue& load_to_compute, InputBuffer input);
// All instructions up to END.
void LoadUnit(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_load,
              TokenQueue& store_to_load, TokenQueue& load_to_compute, InputBuffer input);

}  // namespace tile_hls
