// A recipe computed bit by bit, as the DSPs and the unpacking compute it, and compared with plain sums.
//
// Contract: two's complement at the widths of the ports, the multiplier and the post-adder, wrapping where the DSP wraps; so a
// wrong recipe gives wrong sums, never an error. Lanes are in the order of the recipe's first part.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "target/packing.h"
#include "target/packing_layout.h"

namespace lichen {

class PackingModel {
 public:
  // Requires non-empty operand layouts with as many lanes as they make, equal pairs in both parts.
  explicit PackingModel(const PackingRecipe& recipe);

  size_t weight_count() const { return weight_count_; }          // of one product
  size_t activation_count() const { return activation_count_; }  // of one product
  size_t lane_count() const { return lane_count_; }

  // What the block gives for D products: `weights` (product, weight), `activations` (product, activation), `sums` (lane).
  void Run(std::span<const int32_t> weights, std::span<const int32_t> activations,
           std::span<int64_t> sums) const;
  // The same by plain sums of products.
  void Expect(std::span<const int32_t> weights, std::span<const int32_t> activations,
              std::span<int64_t> sums) const;

  // A part's operand words at the ports, as unsigned bits; the activation word before the pre-adder.
  uint64_t WeightWord(size_t part, std::span<const int32_t> weights) const;
  uint64_t ActivationWord(size_t part, std::span<const int32_t> activations) const;

 private:
  struct Part {
    PackedPart layout;
    std::vector<int64_t> offsets;    // of activations
    std::vector<OperandPair> pairs;  // by lane
    std::vector<size_t> pair_start;  // of each lane, and one more at the end
    std::vector<size_t> order;       // lane of the first part -> own lane
    int weight_port_bits = 0;
    int activation_port_bits = 0;
    int shift = 0;  // what the part counts: 2^shift
  };
  void RunPart(size_t part, std::span<const int32_t> weights, std::span<const int32_t> activations,
               std::span<int64_t> sums) const;

  PackingRecipe recipe_;
  std::vector<Part> parts_;
  size_t weight_count_ = 0;
  size_t activation_count_ = 0;
  size_t lane_count_ = 0;
  int sum_bits_ = 48;
};

struct ModelCheckOptions {
  int64_t random_cases = 20000;
  int64_t corner_cases = 20000;
  uint64_t seed = 1;
};

struct ModelCheck {
  bool ok = true;
  bool is_exhaustive = false;
  int64_t cases = 0;
  std::string mismatch;  // lane, both sums and all operands of the first
};

// Exhaustive where operand values number under 2^24; else corners (every operand at an end of its range) and random operands.
ModelCheck CheckModel(const PackingRecipe& recipe, const ModelCheckOptions& options = {});

}  // namespace lichen
