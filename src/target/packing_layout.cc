#include "target/packing_layout.h"

#include <algorithm>
#include <bit>
#include <map>

namespace lichen {
namespace {

constexpr int kMaxBase = 31;  // no port is as wide

Interval Scaled(const Interval& v, int64_t factor) { return {v.lo * factor, v.hi * factor}; }
Interval Sum(const Interval& a, const Interval& b) { return {a.lo + b.lo, a.hi + b.hi}; }

// Activations of a part before and after an offset.
Interval Unsigned(int bits) { return {0, (int64_t{1} << bits) - 1}; }
Interval Signed(int bits) { return {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1}; }

// Bits of lane `lane` of a group: `has_top` where the group holds the topmost activation.
int LaneBits(const PartProblem& p, const PackingShape& s, ActivationOffset offset, int lane,
             bool has_top) {
  const int pairs = std::min({lane + 1, s.taps, s.pixels, s.taps + s.pixels - 1 - lane});
  int shifted = 0;
  if (offset == ActivationOffset::kAll) shifted = pairs;
  if (offset == ActivationOffset::kTop && has_top && lane >= s.pixels - 1) shifted = 1;
  const Interval one =
      Sum(Scaled(ProductInterval(p.weight, Unsigned(p.activation_bits)), pairs - shifted),
          Scaled(ProductInterval(p.weight, Signed(p.activation_bits)), shifted));
  return BitLength((one.hi - one.lo) * p.accumulate);
}

// Most bits of the lanes at the end of all axes inside `axis`, but not at the end of it: those that lie just below its next step.
int BitsBelowStep(const PartProblem& p, const PackingShape& s, const LayoutChoice& choice,
                  size_t axis) {
  const auto place = [&](LaneAxis wanted) {
    return static_cast<size_t>(std::ranges::find(choice.nesting, wanted) - choice.nesting.begin());
  };
  const int last = LaneCount(s, LaneAxis::kShared) - 1;
  const size_t shared = place(LaneAxis::kShared);
  const size_t row = place(LaneAxis::kRow);
  int bits = 0;
  for (const bool is_top_row : {true, false}) {
    if (!is_top_row && s.rows == 1) continue;
    if (!choice.is_even && (is_top_row ? row == axis : row < axis)) continue;
    for (int lane = shared < axis ? last : 0; lane <= (shared == axis ? last - 1 : last); ++lane)
      bits = std::max(bits, LaneBits(p, s, choice.offset, lane, is_top_row));
  }
  return bits;
}

// Axis by axis, each as tight as the lanes and the fields of activations inside it let it be: fields are wires and must not touch.
Layout SmallestPitches(const PartProblem& p, const PackingShape& s, const LayoutChoice& choice) {
  const int gap = std::max(1, choice.overlap);  // lanes never begin closer together
  Layout layout;
  layout.pitch = gap;
  int span = 0;                       // from the first lane inside the axis to the last
  int field_end = p.activation_bits;  // of the activations inside the axis
  for (size_t axis = 0; axis < choice.nesting.size(); ++axis) {
    const LaneAxis which = choice.nesting[axis];
    const int count = LaneCount(s, which);
    if (count == 1) continue;
    int pitch = span + std::max(gap, BitsBelowStep(p, s, choice, axis) - choice.overlap);
    const int fields = which == LaneAxis::kShared ? s.pixels : which == LaneAxis::kRow ? s.rows : 1;
    if (fields > 1) {
      pitch = std::max(pitch, field_end);
      field_end += (fields - 1) * pitch;
    }
    span += (count - 1) * pitch;
    (which == LaneAxis::kShared ? layout.pitch
     : which == LaneAxis::kRow  ? layout.row_pitch
                                : layout.channel_pitch) = pitch;
  }
  return layout;
}

// Where the words' fields begin.
struct Bases {
  std::vector<int> weight;
  std::vector<int> activation;
};

Bases BasesOf(const PackingShape& s, const Layout& layout) {
  Bases bases;
  for (int channel = 0; channel < s.channels; ++channel) {
    for (int tap = 0; tap < s.taps; ++tap) {
      bases.weight.push_back(channel * layout.channel_pitch + tap * layout.pitch);
    }
  }
  for (int row = 0; row < s.rows; ++row) {
    for (int pixel = 0; pixel < s.pixels; ++pixel) {
      bases.activation.push_back(row * layout.row_pitch + pixel * layout.pitch);
    }
  }
  return bases;
}

// Word intervals from the pitches alone: fields of one interval, but for the topmost.
Interval EvenWord(const Interval& value, const Interval& top, int groups, int group_pitch,
                  int fields, int pitch) {
  Interval word;
  for (int group = 0; group < groups; ++group) {
    for (int field = 0; field < fields; ++field) {
      const bool is_top = group + 1 == groups && field + 1 == fields;
      word = Sum(word,
                 Scaled(is_top ? top : value, int64_t{1} << (group * group_pitch + field * pitch)));
    }
  }
  return word;
}

}  // namespace

int LaneCount(const PackingShape& shape, LaneAxis axis) {
  if (axis == LaneAxis::kShared) return shape.taps + shape.pixels - 1;
  return axis == LaneAxis::kRow ? shape.rows : shape.channels;
}

int BitLength(int64_t value) { return std::bit_width(static_cast<uint64_t>(value)); }

bool FitsSigned(const Interval& values, int bits) {
  return values.lo >= -(int64_t{1} << (bits - 1)) && values.hi < int64_t{1} << (bits - 1);
}

Interval ProductInterval(const Interval& w, const Interval& a) {
  const auto [lo, hi] = std::minmax({w.lo * a.lo, w.lo * a.hi, w.hi * a.lo, w.hi * a.hi});
  return {lo, hi};
}

Interval WordInterval(const std::vector<int>& bases, const std::vector<Interval>& values) {
  Interval word;
  for (size_t i = 0; i < bases.size(); ++i)
    word = Sum(word, Scaled(values[i], int64_t{1} << bases[i]));
  return word;
}

Interval ActivationInterval(const PackedPart& part, size_t i) {
  return Sum(Unsigned(part.activation_bits), {part.OffsetOf(i), part.OffsetOf(i)});
}

std::vector<std::vector<OperandPair>> PairsOf(const PackedPart& part) {
  std::map<int, std::vector<OperandPair>> lanes;
  for (size_t w = 0; w < part.weight_base.size(); ++w) {
    for (size_t a = 0; a < part.activation_base.size(); ++a) {
      lanes[part.weight_base[w] + part.activation_base[a]].push_back(
          {static_cast<int>(w), static_cast<int>(a)});
    }
  }
  std::vector<std::vector<OperandPair>> pairs;
  for (auto& [base, lane] : lanes) pairs.push_back(std::move(lane));
  return pairs;
}

std::vector<size_t> LaneOrder(const PackingRecipe& recipe, size_t part) {
  const auto first = PairsOf(recipe.parts[0]);
  const auto own = PairsOf(recipe.parts[part]);
  std::vector<size_t> order;
  for (const auto& pairs : first) {
    order.push_back(static_cast<size_t>(std::ranges::find(own, pairs) - own.begin()));
  }
  return order;
}

bool NeedsDifference(const PackedPart& part, size_t lane) {
  if (lane == 0) return false;
  const int64_t carry = part.lanes[lane - 1].carry_max;
  const PackedLane& l = part.lanes[lane];
  return carry > 1 || l.range.hi + l.bias + carry >= int64_t{1} << l.bits;
}

bool KeepsCarry(const PackedPart& part, size_t lane) {
  return lane > 0 && part.lanes[lane - 1].carry_max > 0 && !NeedsDifference(part, lane);
}

std::optional<Layout> FindLayout(const PartProblem& p, const PackingShape& s,
                                 const LayoutChoice& choice) {
  // Fields of activations alone would not fit; below this all numbers stay under 2^63.
  if (s.pixels * s.rows * p.activation_bits > PortsOf(p.device).wide_bits) return {};
  Layout layout = SmallestPitches(p, s, choice);
  const int weight_top = (s.channels - 1) * layout.channel_pitch + (s.taps - 1) * layout.pitch;
  const int activation_top = (s.rows - 1) * layout.row_pitch + (s.pixels - 1) * layout.pitch;
  const DspPorts& ports = PortsOf(p.device);
  if (weight_top > kMaxBase || activation_top > kMaxBase) return {};
  const int top_lane = LaneCount(s, LaneAxis::kShared) - 1;
  if (weight_top + activation_top + LaneBits(p, s, choice.offset, top_lane, true) >
      ports.sum_bits - 2)
    return {};
  const Interval plain = Unsigned(p.activation_bits);
  const Interval shifted = Signed(p.activation_bits);
  const Interval weights =
      EvenWord(p.weight, p.weight, s.channels, layout.channel_pitch, s.taps, layout.pitch);
  const Interval activations = EvenWord(choice.offset == ActivationOffset::kAll ? shifted : plain,
                                        choice.offset == ActivationOffset::kNone ? plain : shifted,
                                        s.rows, layout.row_pitch, s.pixels, layout.pitch);
  if (FitsSigned(weights, ports.narrow_bits) && FitsSigned(activations, ports.wide_bits)) {
    layout.is_weight_on_wide = false;
    return layout;
  }
  const bool can_serve_narrow =
      choice.offset != ActivationOffset::kAll || ports.has_pre_adder_before_b;
  if (can_serve_narrow && FitsSigned(weights, ports.wide_bits) &&
      FitsSigned(activations, ports.narrow_bits)) {
    return layout;
  }
  return {};
}

PackedPart BuildPart(const PartProblem& p, const PackingShape& s, const LayoutChoice& choice,
                     const Layout& layout) {
  PackedPart part;
  part.weight = p.weight;
  part.activation_bits = p.activation_bits;
  part.offset = choice.offset;
  part.is_weight_on_wide = layout.is_weight_on_wide;
  part.pitch = layout.pitch;
  part.channel_pitch = layout.channel_pitch;
  part.row_pitch = layout.row_pitch;
  Bases bases = BasesOf(s, layout);
  part.weight_base = std::move(bases.weight);
  part.activation_base = std::move(bases.activation);
  std::map<int, Interval> ranges;
  for (const int weight_base : part.weight_base) {
    for (size_t i = 0; i < part.activation_base.size(); ++i) {
      Interval& range = ranges[weight_base + part.activation_base[i]];
      const Interval product = ProductInterval(p.weight, ActivationInterval(part, i));
      range = Sum(range, Scaled(product, p.accumulate));
    }
  }
  for (auto lane = ranges.begin(); lane != ranges.end(); ++lane) {
    const auto& [base, range] = *lane;
    const auto next = std::next(lane);
    const bool is_last = next == ranges.end();
    const int bits = BitLength(range.hi - range.lo);
    const int gap = is_last ? bits : next->first - base;
    const int64_t carry = part.lanes.empty() ? 0 : part.lanes.back().carry_max;
    part.lanes.push_back({.base = base,
                          .bits = bits,
                          .spill = std::max(0, bits - gap),
                          .carry_max = is_last ? 0 : (range.hi - range.lo + carry) >> gap,
                          .bias = -range.lo,
                          .range = range});
    part.post_constant += -range.lo << base;
  }
  if (choice.offset == ActivationOffset::kAll) {
    for (size_t i = 0; i < part.activation_base.size(); ++i) {
      part.pre_adder += part.OffsetOf(i) << part.activation_base[i];
    }
  }
  return part;
}

}  // namespace lichen
