// Weight unit: WEIGHT instructions, from contiguous memory into the weight or the parameter buffer.
#pragma once

#include "instruction.h"

namespace tile_hls {

// Parameters are there twice: an epilogue lane needs two records in a cycle, and a buffer that two units share has
// one port for each. Executes the queue's next instruction; false: it was END.
bool WeightStep(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_weight,
                TokenQueue& weight_to_compute, WeightBuffer weights, ParameterBuffer parameters,
                ParameterBuffer second_parameters);
// All instructions up to END.
void WeightUnit(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_weight,
                TokenQueue& weight_to_compute, WeightBuffer weights, ParameterBuffer parameters,
                ParameterBuffer second_parameters);

}  // namespace tile_hls
