// Proof by interval arithmetic that a recipe computes its sums exactly.
//
// Contract: trusts nothing of the recipe but its numbers: ports, fields, lanes, biases, carries, constants and the factor are derived
// again from bases and operand ranges. docs/packing.md numbers the conditions as the errors here do.
#pragma once

#include "target/packing.h"

namespace lichen {

struct PartProof {
  Interval weight_word;
  Interval activation_word;  // as multiplied, after the pre-adder
  int weight_port_bits = 0;
  int activation_port_bits = 0;
  int64_t sum_max = 0;  // of the post-adder, biases included; the least is 0
};

struct PackingProof {
  std::vector<PartProof> parts;
};

// Error that names part, lane and the condition that does not hold.
Result<PackingProof> Prove(const PackingRecipe& recipe);

}  // namespace lichen
