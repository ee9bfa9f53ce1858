// Compute unit: COMPUTE instructions, on the array and the epilogue; holds the middle buffer.
#pragma once

#include "instruction.h"

namespace tile_hls {

// Executes the queue's next instruction; false: it was END.
bool ComputeStep(InstructionQueue& queue, TokenQueue& load_to_compute,
                 TokenQueue& weight_to_compute, TokenQueue& store_to_compute,
                 TokenQueue& compute_to_load, TokenQueue& compute_to_weight,
                 TokenQueue& compute_to_store, InputBuffer input, WeightBuffer weights,
                 ParameterBuffer parameters, ParameterBuffer second_parameters,
                 OutputBuffer output);
// All instructions up to END.
void ComputeUnit(InstructionQueue& queue, TokenQueue& load_to_compute,
                 TokenQueue& weight_to_compute, TokenQueue& store_to_compute,
                 TokenQueue& compute_to_load, TokenQueue& compute_to_weight,
                 TokenQueue& compute_to_store, InputBuffer input, WeightBuffer weights,
                 ParameterBuffer parameters, ParameterBuffer second_parameters,
                 OutputBuffer output);

}  // namespace tile_hls
