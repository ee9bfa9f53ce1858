#include "target/packing_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <random>

#include "base/check.h"
#include "target/packing_cases.h"
#include "target/packing_layout.h"

namespace lichen {
namespace {

constexpr size_t kMaxLanes = 64;

uint64_t Mask(int bits) { return (uint64_t{1} << bits) - 1; }

// The low bits of a word as a signed number.
int64_t SignExtend(uint64_t word, int bits) {
  return static_cast<int64_t>(word << (64 - bits)) >> (64 - bits);
}

}  // namespace

PackingModel::PackingModel(const PackingRecipe& recipe)
    : recipe_(recipe),
      weight_count_(recipe.WeightCount()),
      activation_count_(recipe.ActivationCount()),
      lane_count_(recipe.parts[0].lanes.size()),
      sum_bits_(PortsOf(recipe.problem.device).sum_bits) {
  LICHEN_CHECK(lane_count_ <= kMaxLanes);
  const DspPorts& ports = PortsOf(recipe.problem.device);
  for (size_t p = 0; p < recipe.parts.size(); ++p) {
    Part part;
    part.layout = recipe.parts[p];
    const PackedPart& layout = part.layout;
    part.weight_port_bits = layout.is_weight_on_wide ? ports.wide_bits : ports.narrow_bits;
    part.activation_port_bits = layout.is_weight_on_wide ? ports.narrow_bits : ports.wide_bits;
    part.shift = layout.weight_shift + layout.activation_shift;
    for (size_t i = 0; i < layout.activation_base.size(); ++i) {
      part.offsets.push_back(layout.OffsetOf(i));
    }
    for (const auto& pairs : PairsOf(layout)) {
      part.pair_start.push_back(part.pairs.size());
      part.pairs.insert(part.pairs.end(), pairs.begin(), pairs.end());
    }
    part.pair_start.push_back(part.pairs.size());
    LICHEN_CHECK(part.pair_start.size() == lane_count_ + 1 && layout.lanes.size() == lane_count_);
    part.order = LaneOrder(recipe, p);
    parts_.push_back(std::move(part));
  }
}

uint64_t PackingModel::WeightWord(size_t part, std::span<const int32_t> weights) const {
  const Part& p = parts_[part];
  int64_t word = 0;
  for (size_t i = 0; i < weight_count_; ++i) {
    word += WeightPart(recipe_, part, weights[i]) << p.layout.weight_base[i];
  }
  return static_cast<uint64_t>(word) & Mask(p.weight_port_bits);
}

uint64_t PackingModel::ActivationWord(size_t part, std::span<const int32_t> activations) const {
  const Part& p = parts_[part];
  uint64_t word = 0;
  for (size_t i = 0; i < activation_count_; ++i) {
    word |= static_cast<uint64_t>(ActivationPart(p.layout, activations[i]))
            << p.layout.activation_base[i];
  }
  // The topmost field's sign bit is its inverted top bit, and so are the bits above.
  if (p.layout.offset == ActivationOffset::kTop) {
    const int sign = p.layout.activation_base.back() + p.layout.activation_bits - 1;
    const bool is_negative = !(word >> sign & 1);
    word = (word & Mask(sign)) | (is_negative ? ~Mask(sign) : 0);
  }
  return word & Mask(p.activation_port_bits);
}

void PackingModel::RunPart(size_t part, std::span<const int32_t> weights,
                           std::span<const int32_t> activations, std::span<int64_t> sums) const {
  const Part& p = parts_[part];
  const auto depth = static_cast<size_t>(recipe_.problem.accumulate);
  uint64_t sum = static_cast<uint64_t>(p.layout.post_constant);
  uint64_t low[kMaxLanes] = {};        // lanes modulo 2^spill, known from operands
  int64_t correction[kMaxLanes] = {};  // what the offsets took off: a constant of the weights
  for (size_t d = 0; d < depth; ++d) {
    const auto w = weights.subspan(d * weight_count_, weight_count_);
    const auto a = activations.subspan(d * activation_count_, activation_count_);
    const uint64_t activation_word =
        (ActivationWord(part, a) + static_cast<uint64_t>(p.layout.pre_adder)) &
        Mask(p.activation_port_bits);
    const int64_t product = SignExtend(WeightWord(part, w), p.weight_port_bits) *
                            SignExtend(activation_word, p.activation_port_bits);
    sum = (sum + static_cast<uint64_t>(product)) & Mask(sum_bits_);
    int64_t own_weights[kMaxLanes];
    int64_t own_activations[kMaxLanes];
    for (size_t i = 0; i < w.size(); ++i) own_weights[i] = WeightPart(recipe_, part, w[i]);
    for (size_t i = 0; i < a.size(); ++i) {
      own_activations[i] = ActivationPart(p.layout, a[i]) + p.offsets[i];
    }
    for (size_t lane = 0; lane < lane_count_; ++lane) {
      for (size_t i = p.pair_start[lane]; i < p.pair_start[lane + 1]; ++i) {
        const auto [weight, activation] = p.pairs[i];
        low[lane] += static_cast<uint64_t>(own_weights[weight] * own_activations[activation]);
        correction[lane] -= own_weights[weight] * p.offsets[static_cast<size_t>(activation)];
      }
    }
  }
  uint64_t carry = 0;  // from the lane below
  int64_t values[kMaxLanes];
  for (size_t lane = 0; lane < lane_count_; ++lane) {
    const PackedLane& l = p.layout.lanes[lane];
    const uint64_t raw = sum >> l.base & Mask(l.bits - l.spill);
    uint64_t above = 0;  // the part of this lane that lies on the next
    if (l.spill > 0) {
      const PackedLane& next = p.layout.lanes[lane + 1];
      // Only the low bits of `low` are used: those that the hardware computes.
      above =
          ((sum >> next.base) - low[lane + 1] - static_cast<uint64_t>(next.bias)) & Mask(l.spill);
    }
    const uint64_t field = above << (l.bits - l.spill) | raw;
    values[lane] = static_cast<int64_t>((field - carry) & Mask(l.bits)) - l.bias + correction[lane];
    const bool has_wrapped = field < carry;
    carry = lane + 1 == lane_count_ || l.carry_max == 0
                ? 0
                : above + (has_wrapped ? uint64_t{1} << l.spill : 0);
  }
  for (size_t lane = 0; lane < lane_count_; ++lane) {
    sums[lane] += values[p.order[lane]] * (int64_t{1} << p.shift);
  }
}

void PackingModel::Run(std::span<const int32_t> weights, std::span<const int32_t> activations,
                       std::span<int64_t> sums) const {
  std::ranges::fill(sums, 0);
  for (size_t part = 0; part < parts_.size(); ++part) RunPart(part, weights, activations, sums);
}

void PackingModel::Expect(std::span<const int32_t> weights, std::span<const int32_t> activations,
                          std::span<int64_t> sums) const {
  const Part& p = parts_[0];
  std::ranges::fill(sums, 0);
  for (size_t d = 0; d < static_cast<size_t>(recipe_.problem.accumulate); ++d) {
    const auto w = weights.subspan(d * weight_count_, weight_count_);
    const auto a = activations.subspan(d * activation_count_, activation_count_);
    for (size_t lane = 0; lane < lane_count_; ++lane) {
      for (size_t i = p.pair_start[lane]; i < p.pair_start[lane + 1]; ++i) {
        const auto [weight, activation] = p.pairs[i];
        sums[lane] += int64_t{w[static_cast<size_t>(weight)]} * a[static_cast<size_t>(activation)];
      }
    }
  }
}

ModelCheck CheckModel(const PackingRecipe& recipe, const ModelCheckOptions& options) {
  const PackingModel model(recipe);
  OperandCases cases(recipe);
  ModelCheck check;
  std::vector<int64_t> sums(model.lane_count()), expected(model.lane_count());
  const auto compare = [&] {
    model.Run(cases.weights(), cases.activations(), sums);
    model.Expect(cases.weights(), cases.activations(), expected);
    ++check.cases;
    const auto [wrong, right] = std::ranges::mismatch(sums, expected);
    if (wrong == sums.end()) return true;
    check.ok = false;
    check.mismatch = fmt::format(
        "lane {} is {} instead of {} with weights {} and activations {}", wrong - sums.begin(),
        *wrong, *right, fmt::join(cases.weights(), " "), fmt::join(cases.activations(), " "));
    return false;
  };
  const int64_t count = cases.Count();
  if (count > 0) {
    check.is_exhaustive = true;
    cases.First();
    for (int64_t i = 0; i < count && compare(); ++i) cases.Next();
    return check;
  }
  std::mt19937_64 random(options.seed);
  for (int64_t i = 0; i < options.corner_cases && check.ok; ++i) {
    cases.Corner(random);
    compare();
  }
  for (int64_t i = 0; i < options.random_cases && check.ok; ++i) {
    cases.Random(random);
    compare();
  }
  return check;
}

}  // namespace lichen
