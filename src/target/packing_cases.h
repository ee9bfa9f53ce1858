// Operands to try a recipe with: all of them, or corners and random ones.
//
// Contract: deterministic for a generator's seed.
#pragma once

#include <random>
#include <span>
#include <vector>

#include "target/packing.h"

namespace lichen {

class OperandCases {
 public:
  explicit OperandCases(const PackingRecipe& recipe);

  // Number of all operand values of D products; 0 where they number 2^24 or more.
  int64_t Count() const;
  void First();
  // The next of all operand values, counting up.
  void Next();
  void Random(std::mt19937_64& random);
  // Every operand at an end of its range (weights sometimes 0), in most cases all but a few at the same: so lanes get extreme.
  void Corner(std::mt19937_64& random);

  std::span<const int32_t> weights() const { return weights_; }          // (product, weight)
  std::span<const int32_t> activations() const { return activations_; }  // (product, activation)

 private:
  int32_t weight_min_;
  int32_t weight_max_;
  int32_t activation_max_;
  std::vector<int32_t> weights_;
  std::vector<int32_t> activations_;
};

}  // namespace lichen
