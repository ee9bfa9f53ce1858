#include "target/packing_cost.h"

#include <algorithm>

#include "target/packing_layout.h"

namespace lichen {
namespace {

constexpr int kLog2SummedProducts = 12;
// The inverse of a spilled bit, and its way into a carry chain.
constexpr double kCarryLuts = 2;

// A tree of 6-input LUTs over n inputs.
double TreeLuts(int inputs) { return inputs <= 1 ? 0 : (inputs + 3) / 5; }

// The low bits of a lane, from the operands' low bits.
double LowBitsLuts(int pairs, int bits, int accumulate) {
  if (bits == 0) return 0;
  const double first = TreeLuts(2 * pairs);
  const double next = TreeLuts(2 * pairs + 1);
  const double one_bit = first + (accumulate - 1) * next;
  if (bits == 1) return one_bit;
  // Bit 1 of a product is a function of 4 inputs, the sum of several modulo 4 one more level.
  const double second_first = pairs == 1 ? 1 : 2.0 * pairs;
  const double second_next = 2.0 * pairs + 1;
  return one_bit + second_first + (accumulate - 1) * second_next;
}

}  // namespace

int AccumulatorBits(const PackingProblem& problem) {
  const Interval weights = WeightInterval(problem.weight_range, problem.weight_bits);
  const Interval products =
      ProductInterval(weights, {0, (int64_t{1} << problem.activation_bits) - 1});
  return BitLength(std::max(-products.lo - 1, products.hi)) + kLog2SummedProducts + 1;
}

double EstimateLuts(const PackingRecipe& recipe) {
  double luts = 0;
  for (const PackedPart& part : recipe.parts) {
    const std::vector<std::vector<OperandPair>> pairs = PairsOf(part);
    for (size_t i = 0; i < part.lanes.size(); ++i) {
      const PackedLane& lane = part.lanes[i];
      const int below = i == 0 ? 0 : part.lanes[i - 1].spill;
      luts += LowBitsLuts(static_cast<int>(pairs[i].size()), below, recipe.problem.accumulate);
      luts += below;  // what the lane below spilled
      if (NeedsDifference(part, i)) luts += lane.bits;
      if (KeepsCarry(part, i)) luts += kCarryLuts;
    }
  }
  const PackedPart& first = recipe.parts[0];
  luts += static_cast<double>(first.lanes.size()) * AccumulatorBits(recipe.problem);
  if (recipe.parts.size() == 2) {
    const PackedPart& second = recipe.parts[1];
    const std::vector<size_t> order = LaneOrder(recipe, 1);
    for (size_t i = 0; i < first.lanes.size(); ++i) {
      const size_t low = order[i];
      luts += std::max(first.lanes[i].bits + recipe.split_bits, second.lanes[low].bits);
      luts += KeepsCarry(second, low);
    }
  }
  return luts;
}

double FabricMacLuts(const PackingProblem& p) {
  // A row of partial products is an adder of the wider operand's width.
  return p.weight_bits * p.activation_bits + AccumulatorBits(p);
}

}  // namespace lichen
