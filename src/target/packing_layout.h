// Layout of one DSP's operands: the smallest pitches for a shape, and the lanes that follow.
//
// Contract: pure functions of their arguments; FindLayout() is what the search calls
// for every candidate.
#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <vector>

#include "target/packing.h"

namespace lichen {

// What one DSP (or cascade) has to multiply.
struct PartProblem {
  Interval weight;
  int activation_bits = 0;
  int accumulate = 1;
  DspDevice device = DspDevice::kDsp48e2;
  auto Key() const { return std::tuple(weight.lo, weight.hi, activation_bits, accumulate, device); }
};

struct PackingShape {
  int taps = 1;
  int pixels = 1;
  int channels = 1;
  int rows = 1;
};

// What lanes differ in: the lanes that taps and pixels share, the output channel, the row.
enum class LaneAxis { kShared, kChannel, kRow };
// From the axis whose lanes lie next to each other to the one whose lanes lie farthest apart.
using LaneNesting = std::array<LaneAxis, 3>;

// What is chosen beside the shape.
struct LayoutChoice {
  ActivationOffset offset = ActivationOffset::kNone;
  int overlap = 0;  // a lane may reach this many bits into the next
  LaneNesting nesting = {LaneAxis::kShared, LaneAxis::kRow, LaneAxis::kChannel};
  // The topmost row gets as much room as the others, though kTop makes its lanes narrower: more bits, less overlap.
  bool is_even = true;
};

// Lanes along an axis.
int LaneCount(const PackingShape& shape, LaneAxis axis);

struct Layout {
  int pitch = 0;
  int channel_pitch = 0;
  int row_pitch = 0;
  bool is_weight_on_wide = true;
};

// The smallest pitches with which all lanes can be unpacked; none where the words do not fit the ports.
std::optional<Layout> FindLayout(const PartProblem& problem, const PackingShape& shape,
                                 const LayoutChoice& choice);

// Everything about a layout that was found.
PackedPart BuildPart(const PartProblem& problem, const PackingShape& shape,
                     const LayoutChoice& choice, const Layout& layout);

// Values of a word whose fields hold each a value of an interval. Requires bases below 32 and values below 2^28.
Interval WordInterval(const std::vector<int>& bases, const std::vector<Interval>& values);
bool FitsSigned(const Interval& values, int bits);
// Bits of an unsigned number.
int BitLength(int64_t value);
// Products w * a over both intervals.
Interval ProductInterval(const Interval& weight, const Interval& activation);
// Activation `i` of a part as it enters the multiplier.
Interval ActivationInterval(const PackedPart& part, size_t i);

// Operand pairs (weight, activation) whose products each lane of a part holds, in the part's order of lanes.
struct OperandPair {
  int weight = 0;
  int activation = 0;
  bool operator==(const OperandPair&) const = default;
};
std::vector<std::vector<OperandPair>> PairsOf(const PackedPart& part);

// For each lane of the first part, the lane of part `part` that holds the same pairs.
std::vector<size_t> LaneOrder(const PackingRecipe& recipe, size_t part);

// What becomes of the carry (0 to carry_max) that a lane gets from below. It has to be taken off before the lane is accumulated where
// it may be more than 1, or more than the lane's bits could hold. Else, where there is one, it goes into the accumulator's carry
// input.
bool NeedsDifference(const PackedPart& part, size_t lane);
bool KeepsCarry(const PackedPart& part, size_t lane);

}  // namespace lichen
