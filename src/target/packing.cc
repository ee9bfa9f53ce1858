#include "target/packing.h"

#include <algorithm>

#include "base/check.h"

namespace lichen {
namespace {

constexpr DspPorts kPorts[] = {
    {.name = "dsp48e1",
     .wide_bits = 25,
     .narrow_bits = 18,
     .sum_bits = 48,
     .has_pre_adder_before_b = false},
    {.name = "dsp48e2",
     .wide_bits = 27,
     .narrow_bits = 18,
     .sum_bits = 48,
     .has_pre_adder_before_b = true},
    {.name = "dsp58",
     .wide_bits = 27,
     .narrow_bits = 24,
     .sum_bits = 58,
     .has_pre_adder_before_b = true},
};

}  // namespace

const DspPorts& PortsOf(DspDevice device) { return kPorts[static_cast<int>(device)]; }

Result<DspDevice> ParseDspDevice(std::string_view name) {
  for (const DspDevice device : kDspDevices) {
    if (name == PortsOf(device).name) return device;
  }
  return Fail("device '{}': there are dsp48e1, dsp48e2 and dsp58", name);
}

const char* NameOf(WeightRange range) {
  constexpr const char* kNames[] = {"full", "narrow-from-4", "narrow"};
  return kNames[static_cast<int>(range)];
}

Result<WeightRange> ParseWeightRange(std::string_view name) {
  for (const WeightRange range : kWeightRanges) {
    if (name == NameOf(range)) return range;
  }
  return Fail("weight range '{}': there are full, narrow-from-4 and narrow", name);
}

const char* NameOf(ActivationOffset offset) {
  constexpr const char* kNames[] = {"none", "top", "all"};
  return kNames[static_cast<int>(offset)];
}

const char* NameOf(OperandSplit split) {
  constexpr const char* kNames[] = {"none", "weight", "activation"};
  return kNames[static_cast<int>(split)];
}

Interval WeightInterval(WeightRange range, int weight_bits) {
  const bool is_narrow =
      range == WeightRange::kNarrow || (range == WeightRange::kNarrowFrom4 && weight_bits >= 4);
  const int64_t half = int64_t{1} << (weight_bits - 1);
  return {is_narrow ? 1 - half : -half, half - 1};
}

int64_t PackedPart::OffsetOf(size_t activation) const {
  const bool is_offset =
      offset == ActivationOffset::kAll ||
      (offset == ActivationOffset::kTop && activation + 1 == activation_base.size());
  return is_offset ? -(int64_t{1} << (activation_bits - 1)) : 0;
}

int PackedPart::Overlap() const {
  int overlap = 0;
  for (const PackedLane& lane : lanes) overlap = std::max(overlap, lane.spill);
  return overlap;
}

const char* PackingRecipe::Mode() const {
  if (taps == 1 || pixels == 1) return "outer";
  return channels * rows == 1 ? "convolution" : "mixed";
}

int PackingRecipe::Pitch() const {
  int pitch = 0;
  for (const PackedPart& part : parts) pitch = std::max(pitch, part.pitch);
  return pitch;
}

int64_t WeightPart(const PackingRecipe& recipe, size_t part, int64_t weight) {
  if (recipe.split != OperandSplit::kWeight) return weight;
  const int64_t lowest = recipe.parts[1].weight.lo;
  const int64_t low = ((weight - lowest) & ((int64_t{1} << recipe.split_bits) - 1)) + lowest;
  return part == 1 ? low : (weight - low) >> recipe.split_bits;
}

int64_t ActivationPart(const PackedPart& part, int64_t activation) {
  return (activation >> part.activation_shift) & ((int64_t{1} << part.activation_bits) - 1);
}

Result<void> CheckProblem(const PackingProblem& p) {
  if (p.kernel < 1 || p.kernel > kMaxPackingKernel) {
    return Fail("kernel of {} taps: must be 1 to {}", p.kernel, kMaxPackingKernel);
  }
  if (p.weight_bits < 1 || p.weight_bits > kMaxOperandBits) {
    return Fail("weights of {} bits: must be 1 to {}", p.weight_bits, kMaxOperandBits);
  }
  if (p.activation_bits < 1 || p.activation_bits > kMaxOperandBits) {
    return Fail("activations of {} bits: must be 1 to {}", p.activation_bits, kMaxOperandBits);
  }
  if (p.weight_range == WeightRange::kNarrow && p.weight_bits == 1) {
    return Fail("narrow weights of 1 bit can only be 0: give them 2 bits, or the full range");
  }
  if (p.accumulate < 1 || p.accumulate > kMaxAccumulate) {
    return Fail("{} products accumulated: must be 1 to {}", p.accumulate, kMaxAccumulate);
  }
  if (p.max_overlap < 0 || p.max_overlap > 2) {
    return Fail("overlap of {} bits: must be 0, 1 or 2", p.max_overlap);
  }
  return {};
}

}  // namespace lichen
