// Several low-bit products in one DSP multiplier: recipes, and the search for the best one.
//
// READ ME FIRST: docs/packing.md derives everything here; the names below are its names.
//
// Contract: weights are signed of b bits, full range [-2^(b-1), 2^(b-1) - 1] or narrow [-(2^(b-1) - 1), 2^(b-1) - 1];
// activations are unsigned. A recipe is plain data: SearchPacking() gives one, Prove() (packing_proof.h) accepts or refuses one from
// anywhere, PackingModel (packing_model.h) computes with it bit by bit. The factor counts multiply-accumulates per DSP and
// cycle. LUTs are estimated (packing_cost.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

enum class DspDevice { kDsp48e1, kDsp48e2, kDsp58 };

// The signed ports of a DSP. Sources: UG479 (DSP48E1), UG579 (DSP48E2), AM004 (DSP58).
struct DspPorts {
  const char* name;
  int wide_bits;                // multiplier input A
  int narrow_bits;              // multiplier input B
  int sum_bits;                 // post-adder, C, cascade
  bool has_pre_adder_before_b;  // the pre-adder (always before A) can serve B instead
};
const DspPorts& PortsOf(DspDevice device);
inline constexpr DspDevice kDspDevices[] = {DspDevice::kDsp48e1, DspDevice::kDsp48e2,
                                            DspDevice::kDsp58};
Result<DspDevice> ParseDspDevice(std::string_view name);

enum class WeightRange {
  kFull,
  kNarrowFrom4,  // narrow from 4 bits up, else full
  kNarrow,
};
inline constexpr WeightRange kWeightRanges[] = {WeightRange::kFull, WeightRange::kNarrowFrom4,
                                                WeightRange::kNarrow};
const char* NameOf(WeightRange range);
Result<WeightRange> ParseWeightRange(std::string_view name);

struct Interval {
  int64_t lo = 0;
  int64_t hi = 0;
  bool operator==(const Interval&) const = default;
};
Interval WeightInterval(WeightRange range, int weight_bits);

inline constexpr int kMaxOperandBits = 28;
inline constexpr int kMaxPackingKernel = 15;
inline constexpr int kMaxAccumulate = 64;

struct PackingProblem {
  int kernel = 3;  // taps of a kernel row
  int weight_bits = 4;
  int activation_bits = 4;
  WeightRange weight_range = WeightRange::kFull;
  int accumulate = 1;  // D: products added in the cascade before the lanes are unpacked
  DspDevice device = DspDevice::kDsp48e2;
  int max_overlap = 2;  // bits by which a lane may reach into the next: 0, 1 or 2
};

// Which activations of a word enter as a - 2^(bits-1).
enum class ActivationOffset {
  kNone,
  kTop,  // only the topmost: the word's sign bit serves it
  kAll,  // all: the pre-adder takes the constant off
};
const char* NameOf(ActivationOffset offset);

enum class OperandSplit { kNone, kWeight, kActivation };
const char* NameOf(OperandSplit split);

struct PackedLane {
  int base = 0;   // bit of the sum where the lane begins
  int bits = 0;   // bits of value + bias
  int spill = 0;  // of these, how many lie on the next lane
  int64_t carry_max =
      0;  // largest number that this lane and those below carry into the next, at most 2^spill
  int64_t bias = 0;  // makes the lane non-negative: value + bias in [0, 2^bits)
  Interval range;    // of the value, over all operands and D products
  bool operator==(const PackedLane&) const = default;
};

// One DSP (or cascade of D): a layout of both operands and the lanes that follow. An operand that is split over two
// DSPs gives two parts, whose lanes hold the same pairs.
struct PackedPart {
  Interval weight;       // values of this part of a weight
  int weight_shift = 0;  // what the part counts in the product: 2^(weight_shift + activation_shift)
  int activation_bits = 0;
  int activation_shift = 0;
  ActivationOffset offset = ActivationOffset::kNone;
  bool is_weight_on_wide =
      true;               // weights on the wide port, activations on the narrow one, or the reverse
  int pitch = 0;          // bits from pixel to pixel, and with several taps from tap to tap
  int channel_pitch = 0;  // bits from output channel to output channel; 0: one
  int row_pitch = 0;      // bits from row to row; 0: one
  std::vector<int> weight_base;      // bit of weight (channel * taps + tap) in its word
  std::vector<int> activation_base;  // bit of activation (row * pixels + pixel) in its word
  std::vector<PackedLane> lanes;     // from the lowest
  int64_t pre_adder = 0;             // constant added to the activation word (kAll), at most 0
  int64_t post_constant =
      0;  // constant added to the sum (port C of the first DSP): all lane biases

  // Value of an activation in the word when all its bits are 0: 0 or -2^(bits-1).
  int64_t OffsetOf(size_t activation) const;
  int Overlap() const;  // largest spill
};

struct PackingRecipe {
  PackingProblem problem;
  int taps = 1;      // of a kernel row in one product; a row takes ceil(kernel / taps)
  int pixels = 1;    // neighbours in one product
  int channels = 1;  // output channels in one product
  int rows = 1;      // groups of pixels in one product that share no lane
  OperandSplit split = OperandSplit::kNone;
  int split_bits = 0;             // of the low part
  std::vector<PackedPart> parts;  // 1, or 2: high, low
  double factor = 0;              // multiply-accumulates per DSP and cycle
  double luts = 0;                // per DSP: unpacking and one accumulator per lane

  int DspCount() const { return static_cast<int>(parts.size()) * problem.accumulate; }
  size_t WeightCount() const { return static_cast<size_t>(channels) * taps; }
  size_t ActivationCount() const { return static_cast<size_t>(rows) * pixels; }
  // "convolution": taps share lanes; "outer": every product has a lane; "mixed": several groups of shared lanes.
  const char* Mode() const;
  // The largest pitch of its parts.
  int Pitch() const;
};

// The part's value of a weight: high = (w - low) / 2^split_bits.
int64_t WeightPart(const PackingRecipe& recipe, size_t part, int64_t weight);
// The part's bits of an activation, before any offset.
int64_t ActivationPart(const PackedPart& part, int64_t activation);

// Error where a width, kernel or depth is out of the ranges above (or a narrow weight has 1 bit).
Result<void> CheckProblem(const PackingProblem& problem);

// The recipe with the largest factor, of these the one with the fewest LUTs. None where even a single product does not fit.
// Error as CheckProblem(). Milliseconds.
Result<std::optional<PackingRecipe>> SearchPacking(const PackingProblem& problem);

}  // namespace lichen
