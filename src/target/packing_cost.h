// LUTs of unpacking a recipe's lanes and of accumulating them, estimated.
//
// Contract: counts what rtl/lib/packed_mac.sv becomes in 6-input LUTs with carry chains (UltraScale+, 7 series the
// same), measured against Yosys by `./dev packing`. Weights are taken as packed beforehand; activations are wires.
#pragma once

#include "target/packing.h"

namespace lichen {

// Bits of an accumulator that holds any sum of 4096 products, signed.
int AccumulatorBits(const PackingProblem& problem);

// Of the whole block: all its DSPs. Requires the lanes of all parts.
double EstimateLuts(const PackingRecipe& recipe);

// Of one multiply-accumulate without DSP: partial products and the accumulator.
double FabricMacLuts(const PackingProblem& problem);

}  // namespace lichen
