// SystemVerilog of recipes: instances of rtl/lib/packed_mac.sv, and a test of each with its operands and sums.
//
// Contract: DSP48E2 only. Identical recipes give identical files. The test's sums are plain sums of products; it ends with "equal: N" or fails.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "target/packing.h"

namespace lichen {

struct PackingFile {
  std::string name;
  std::string text;
};

// E.g. packed_k3_w4_a4_narrow_d1_o1.
std::string ModuleName(const PackingProblem& problem);

// For each sum of packed_mac, what every step adds beside the products: the lanes' biases and what borrows leave.
std::vector<int64_t> StepConstants(const PackingRecipe& recipe);

// NAME.sv, NAME_test.sv, NAME.hex of each recipe, packing_test.sv (the top), the modules that they need, and estimates.txt: a line for
// each recipe with its name, DSPs and estimated LUTs. Error for another device than the DSP48E2.
Result<std::vector<PackingFile>> EmitPacking(std::span<const PackingRecipe> recipes);

// Problems that between them use every feature of the hardware.
std::vector<PackingProblem> SamplePackings();

}  // namespace lichen
