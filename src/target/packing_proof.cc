#include "target/packing_proof.h"

#include <algorithm>
#include <cmath>

#include "target/packing_layout.h"

namespace lichen {
namespace {

constexpr size_t kMaxFields = 32;  // of a word
constexpr size_t kMaxLanes = 64;
constexpr int kMaxFieldBase = 31;

// 1: shape, division and factor.
Result<void> ProveShape(const PackingRecipe& r) {
  const PackingProblem& p = r.problem;
  LICHEN_TRY_VOID(CheckProblem(p));
  if (r.taps < 1 || r.taps > p.kernel) return Fail("{} taps of a kernel of {}", r.taps, p.kernel);
  for (const int count : {r.pixels, r.channels, r.rows}) {
    if (count < 1 || count > static_cast<int>(kMaxFields)) {
      return Fail("{} pixels, {} channels, {} rows: must be 1 to {}", r.pixels, r.channels, r.rows,
                  kMaxFields);
    }
  }
  if (r.WeightCount() > kMaxFields || r.ActivationCount() > kMaxFields) {
    return Fail("{} weights and {} activations in a word: at most {}", r.WeightCount(),
                r.ActivationCount(), kMaxFields);
  }
  const size_t parts = r.split == OperandSplit::kNone ? 1 : 2;
  if (r.parts.size() != parts) return Fail("{} parts instead of {}", r.parts.size(), parts);
  const int products = (p.kernel + r.taps - 1) / r.taps;
  const double factor = static_cast<double>(p.kernel) * static_cast<double>(r.ActivationCount()) *
                        r.channels / products / static_cast<double>(parts);
  if (std::abs(factor - r.factor) > 1e-9) return Fail("factor {} instead of {}", r.factor, factor);
  return {};
}

// 2: the parts together are the operands.
Result<void> ProveDivision(const PackingRecipe& r) {
  const Interval weights = WeightInterval(r.problem.weight_range, r.problem.weight_bits);
  const int bits = r.split_bits;
  const int limit =
      r.split == OperandSplit::kWeight ? r.problem.weight_bits : r.problem.activation_bits;
  if (r.split != OperandSplit::kNone && (bits < 1 || bits >= limit))
    return Fail("split at bit {} of {}", bits, limit);
  for (size_t i = 0; i < r.parts.size(); ++i) {
    const PackedPart& part = r.parts[i];
    const bool is_high = i == 0;
    Interval weight = weights;
    int weight_shift = 0, activation_shift = 0, activation_bits = r.problem.activation_bits;
    if (r.split == OperandSplit::kWeight) {
      const int64_t lowest = r.parts[1].weight.lo;
      if (lowest > 0 || lowest < -(int64_t{1} << bits))
        return Fail("low weights begin at {}", lowest);
      weight = is_high ? Interval{(weights.lo - lowest) >> bits, (weights.hi - lowest) >> bits}
                       : Interval{lowest, lowest + (int64_t{1} << bits) - 1};
      weight_shift = is_high ? bits : 0;
    } else if (r.split == OperandSplit::kActivation) {
      activation_bits = is_high ? activation_bits - bits : bits;
      activation_shift = is_high ? bits : 0;
    }
    if (part.weight != weight || part.weight_shift != weight_shift ||
        part.activation_bits != activation_bits || part.activation_shift != activation_shift) {
      return Fail("part {}: does not hold its bits of the operands", i);
    }
  }
  return {};
}

// 3: operand fields lie where the pitches say, and lanes hold sums of one output each.
Result<void> ProveFields(const PackingRecipe& r, const PackedPart& part) {
  if (part.weight_base.size() != r.WeightCount() ||
      part.activation_base.size() != r.ActivationCount()) {
    return Fail("{} weight and {} activation fields", part.weight_base.size(),
                part.activation_base.size());
  }
  const auto base = [](int group, int group_pitch, int field, int pitch) {
    return int64_t{group} * group_pitch + int64_t{field} * pitch;
  };
  for (size_t i = 0; i < part.weight_base.size(); ++i) {
    const int index = static_cast<int>(i);
    const int64_t wanted = base(index / r.taps, part.channel_pitch, index % r.taps, part.pitch);
    if (part.weight_base[i] != wanted || wanted < 0 || wanted > kMaxFieldBase) {
      return Fail("weight {} begins at bit {}", i, part.weight_base[i]);
    }
  }
  for (size_t i = 0; i < part.activation_base.size(); ++i) {
    const int index = static_cast<int>(i);
    const int64_t wanted = base(index / r.pixels, part.row_pitch, index % r.pixels, part.pitch);
    if (part.activation_base[i] != wanted || wanted < 0 || wanted > kMaxFieldBase) {
      return Fail("activation {} begins at bit {}", i, part.activation_base[i]);
    }
  }
  std::vector<int> ascending = part.activation_base;
  std::ranges::sort(ascending);
  for (size_t i = 0; i + 1 < ascending.size(); ++i) {
    if (ascending[i] + part.activation_bits > ascending[i + 1])
      return Fail("the activations at bits {} and {} overlap", ascending[i], ascending[i + 1]);
  }
  // Offset kTop reads the word's sign from the last activation.
  if (ascending.back() != part.activation_base.back())
    return Fail("the last activation does not lie topmost");
  const auto lanes = PairsOf(part);
  if (lanes.size() > kMaxLanes || lanes.size() != part.lanes.size() ||
      lanes.size() != static_cast<size_t>(r.channels) * r.rows * (r.taps + r.pixels - 1)) {
    return Fail("{} lanes, the fields make {}", part.lanes.size(), lanes.size());
  }
  for (size_t lane = 0; lane < lanes.size(); ++lane) {
    const OperandPair& first = lanes[lane][0];
    for (const OperandPair& pair : lanes[lane]) {
      const bool is_same_output = pair.weight / r.taps == first.weight / r.taps &&
                                  pair.activation / r.pixels == first.activation / r.pixels &&
                                  pair.weight % r.taps + pair.activation % r.pixels ==
                                      first.weight % r.taps + first.activation % r.pixels;
      if (!is_same_output) return Fail("lane {} mixes outputs", lane);
    }
  }
  return {};
}

// 4: the words fit the ports.
Result<PartProof> ProvePorts(const PackingRecipe& r, const PackedPart& part) {
  const DspPorts& ports = PortsOf(r.problem.device);
  PartProof proof;
  proof.weight_port_bits = part.is_weight_on_wide ? ports.wide_bits : ports.narrow_bits;
  proof.activation_port_bits = part.is_weight_on_wide ? ports.narrow_bits : ports.wide_bits;
  std::vector<Interval> activations;
  int64_t offsets = 0;
  for (size_t i = 0; i < part.activation_base.size(); ++i) {
    activations.push_back(ActivationInterval(part, i));
    offsets += part.OffsetOf(i) * (int64_t{1} << part.activation_base[i]);
  }
  proof.weight_word =
      WordInterval(part.weight_base, std::vector<Interval>(part.weight_base.size(), part.weight));
  proof.activation_word = WordInterval(part.activation_base, activations);
  if (!FitsSigned(proof.weight_word, proof.weight_port_bits)) {
    return Fail("weight words [{}, {}] need more than {} bits", proof.weight_word.lo,
                proof.weight_word.hi, proof.weight_port_bits);
  }
  if (!FitsSigned(proof.activation_word, proof.activation_port_bits)) {
    return Fail("activation words [{}, {}] need more than {} bits", proof.activation_word.lo,
                proof.activation_word.hi, proof.activation_port_bits);
  }
  if (part.pre_adder != (part.offset == ActivationOffset::kAll ? offsets : 0)) {
    return Fail("the pre-adder takes off {} instead of {}", part.pre_adder, offsets);
  }
  if (part.pre_adder != 0 && part.is_weight_on_wide && !ports.has_pre_adder_before_b) {
    return Fail("{} has no pre-adder before its narrow port", ports.name);
  }
  return proof;
}

// 5: every lane can be told from its neighbours.
Result<void> ProveLanes(const PackingRecipe& r, const PackedPart& part) {
  const auto pairs = PairsOf(part);
  int64_t carry = 0;
  for (size_t i = 0; i < part.lanes.size(); ++i) {
    const PackedLane& lane = part.lanes[i];
    const bool is_last = i + 1 == part.lanes.size();
    const int base = part.weight_base[static_cast<size_t>(pairs[i][0].weight)] +
                     part.activation_base[static_cast<size_t>(pairs[i][0].activation)];
    if (lane.base != base)
      return Fail("lane {} begins at bit {}, its products at {}", i, lane.base, base);
    Interval range;
    for (const OperandPair& pair : pairs[i]) {
      const Interval product = ProductInterval(
          part.weight, ActivationInterval(part, static_cast<size_t>(pair.activation)));
      range = {range.lo + product.lo * r.problem.accumulate,
               range.hi + product.hi * r.problem.accumulate};
    }
    if (lane.range != range) return Fail("lane {}: holds [{}, {}]", i, range.lo, range.hi);
    if (lane.bits < 1 || lane.bits > 57 || lane.spill < 0 || lane.spill > 2 ||
        lane.spill > lane.bits) {
      return Fail("lane {}: {} bits, {} of them on the next lane", i, lane.bits, lane.spill);
    }
    if (lane.bias < 0 || range.lo + lane.bias < 0 ||
        range.hi + lane.bias >= int64_t{1} << lane.bits) {
      return Fail("lane {}: [{}, {}] with bias {} does not fit {} bits", i, range.lo, range.hi,
                  lane.bias, lane.bits);
    }
    if (carry > int64_t{1} << lane.bits) return Fail("lane {}: carry {} from below", i, carry);
    const int64_t top = range.hi + lane.bias + carry;
    carry = 0;
    if (!is_last) {
      const int gap = part.lanes[i + 1].base - lane.base;
      const int room = lane.bits - lane.spill;
      if (room > gap || (lane.spill > 0 && room != gap)) {
        return Fail("lane {}: {} bits before the next lane, it counts on {}", i, gap, room);
      }
      const int next_gap = i + 2 < part.lanes.size()
                               ? part.lanes[i + 2].base - part.lanes[i + 1].base
                               : part.lanes[i + 1].bits;
      if (lane.spill > next_gap) return Fail("lane {} reaches past the next lane", i);
      carry = top >> gap;
    } else if (lane.spill != 0) {
      return Fail("the last lane cannot lie on a next one");
    }
    if (lane.carry_max != carry) return Fail("lane {}: carries up to {}", i, carry);
  }
  return {};
}

// 6: the post-adder holds the sum at every step of the cascade; sums grow in equal steps from the constant, so its ends decide.
Result<int64_t> ProveSum(const PackingRecipe& r, const PackedPart& part) {
  const int sum_bits = PortsOf(r.problem.device).sum_bits;
  int64_t constant = 0, largest = 0;
  for (size_t i = 0; i < part.lanes.size(); ++i) {
    const PackedLane& lane = part.lanes[i];
    if (lane.base + lane.bits >= sum_bits)
      return Fail("lane {} reaches bit {} of {}", i, lane.base + lane.bits - 1, sum_bits);
    constant += lane.bias << lane.base;
    largest += (lane.range.hi + lane.bias) << lane.base;
  }
  if (part.post_constant != constant)
    return Fail("constant {} instead of {}", part.post_constant, constant);
  if (!FitsSigned({0, largest}, sum_bits))
    return Fail("sums up to {} need more than {} bits", largest, sum_bits);
  return largest;
}

}  // namespace

Result<PackingProof> Prove(const PackingRecipe& recipe) {
  LICHEN_TRY_VOID(ProveShape(recipe));
  LICHEN_TRY_VOID(ProveDivision(recipe));
  PackingProof proof;
  for (size_t i = 0; i < recipe.parts.size(); ++i) {
    const std::string place = fmt::format("part {}", i);
    const PackedPart& part = recipe.parts[i];
    LICHEN_TRY_VOID(InPlace(place, ProveFields(recipe, part)));
    LICHEN_TRY(PartProof part_proof, InPlace(place, ProvePorts(recipe, part)));
    LICHEN_TRY_VOID(InPlace(place, ProveLanes(recipe, part)));
    LICHEN_TRY(part_proof.sum_max, InPlace(place, ProveSum(recipe, part)));
    proof.parts.push_back(part_proof);
  }
  if (recipe.parts.size() == 2) {
    for (const size_t lane : LaneOrder(recipe, 1)) {
      if (lane >= recipe.parts[1].lanes.size())
        return Fail("the parts' lanes hold different pairs");
    }
  }
  return proof;
}

}  // namespace lichen
