// The search: shapes that fit are few, as they grow one step at a time until they do not; the best factor of them decides, then
// LUTs among all layouts of that factor.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "base/check.h"
#include "target/packing_cost.h"
#include "target/packing_layout.h"

namespace lichen {
namespace {

using ShapeKey = std::tuple<int, int, int, int>;  // taps, pixels, channels, rows

ShapeKey KeyOf(const PackingShape& s) { return {s.taps, s.pixels, s.channels, s.rows}; }

// All orders of the axes; the plain ones, with the shared lanes next to each other, first.
constexpr auto kShared = LaneAxis::kShared;
constexpr auto kChannel = LaneAxis::kChannel;
constexpr auto kRow = LaneAxis::kRow;
constexpr LaneNesting kNestings[] = {{kShared, kRow, kChannel}, {kShared, kChannel, kRow},
                                     {kChannel, kShared, kRow}, {kRow, kShared, kChannel},
                                     {kChannel, kRow, kShared}, {kRow, kChannel, kShared}};

// Axes of a single lane lie inside, in one order: elsewhere they would change nothing.
bool IsPlainest(const PackingShape& s, const LaneNesting& nesting) {
  const auto is_single = [&](LaneAxis axis) { return LaneCount(s, axis) == 1; };
  const auto singles = std::ranges::count_if(nesting, is_single);
  if (singles == 1) return is_single(nesting[0]);
  return singles == 0 || nesting == kNestings[0];
}

// Calls visit(choice) for every choice that makes a difference to the shape, until it returns true.
template <class Visit>
bool ForEachChoice(const PackingShape& s, int max_overlap, const Visit& visit) {
  for (const ActivationOffset offset :
       {ActivationOffset::kNone, ActivationOffset::kTop, ActivationOffset::kAll}) {
    if (offset == ActivationOffset::kAll && s.pixels * s.rows == 1) continue;
    for (int overlap = 0; overlap <= max_overlap; ++overlap) {
      for (const LaneNesting& nesting : kNestings) {
        if (!IsPlainest(s, nesting)) continue;
        if (visit(LayoutChoice{offset, overlap, nesting})) return true;
        if (offset != ActivationOffset::kTop || s.rows == 1) continue;
        if (visit(LayoutChoice{offset, overlap, nesting, false})) return true;
      }
    }
  }
  return false;
}

bool Fits(const PartProblem& problem, const PackingShape& shape, int max_overlap) {
  return ForEachChoice(shape, max_overlap, [&](const LayoutChoice& choice) {
    return FindLayout(problem, shape, choice).has_value();
  });
}

// All shapes of a part that fit. With one tap rows do what pixels would, and may lie outside the channels besides.
std::set<ShapeKey> FittingShapes(const PartProblem& problem, int max_taps, int max_overlap) {
  std::set<ShapeKey> shapes;
  for (PackingShape s; s.taps <= max_taps; ++s.taps) {
    for (s.channels = 1;; ++s.channels) {
      for (s.rows = 1;; ++s.rows) {
        s.pixels = 1;
        for (; Fits(problem, s, max_overlap); ++s.pixels) {
          shapes.insert(KeyOf(s));
          if (s.taps == 1) {
            ++s.pixels;
            break;
          }
        }
        if (s.pixels == 1) break;
      }
      if (s.rows == 1) break;
    }
    if (s.channels == 1) break;
  }
  return shapes;
}

struct Division {
  OperandSplit split = OperandSplit::kNone;
  int split_bits = 0;
  std::vector<PartProblem> parts;
  std::vector<int> weight_shifts;
  std::vector<int> activation_shifts;
};

std::vector<Division> DivisionsOf(const PackingProblem& p) {
  const Interval weights = WeightInterval(p.weight_range, p.weight_bits);
  const PartProblem whole{weights, p.activation_bits, p.accumulate, p.device};
  std::vector<Division> divisions = {{OperandSplit::kNone, 0, {whole}, {0}, {0}}};
  for (int bits = 1; bits < p.activation_bits; ++bits) {
    PartProblem high = whole, low = whole;
    high.activation_bits = p.activation_bits - bits;
    low.activation_bits = bits;
    divisions.push_back({OperandSplit::kActivation, bits, {high, low}, {0, 0}, {bits, 0}});
  }
  for (int bits = 1; bits < p.weight_bits; ++bits) {
    // The low part unsigned, or signed with the carry in the high part.
    for (const int64_t lowest : {int64_t{0}, -(int64_t{1} << (bits - 1))}) {
      PartProblem high = whole, low = whole;
      high.weight = {(weights.lo - lowest) >> bits, (weights.hi - lowest) >> bits};
      low.weight = {lowest, lowest + (int64_t{1} << bits) - 1};
      divisions.push_back({OperandSplit::kWeight, bits, {high, low}, {bits, 0}, {0, 0}});
    }
  }
  return divisions;
}

double FactorOf(int kernel, const ShapeKey& key, size_t parts) {
  const auto& [taps, pixels, channels, rows] = key;
  const int products = (kernel + taps - 1) / taps;
  return static_cast<double>(kernel * pixels * channels * rows) /
         static_cast<double>(products * static_cast<int>(parts));
}

// The cheapest layout of a shape.
PackedPart CheapestPart(PackingRecipe recipe, const PartProblem& problem, const PackingShape& shape,
                        int max_overlap) {
  std::optional<PackedPart> best;
  double best_luts = 0;
  ForEachChoice(shape, max_overlap, [&](const LayoutChoice& choice) {
    const std::optional<Layout> layout = FindLayout(problem, shape, choice);
    if (!layout) return false;
    recipe.parts = {BuildPart(problem, shape, choice, *layout)};
    const double luts = EstimateLuts(recipe);
    if (!best || luts < best_luts) {
      best = recipe.parts[0];
      best_luts = luts;
    }
    return false;
  });
  LICHEN_CHECK(best.has_value());
  return *best;
}

PackingRecipe BuildRecipe(const PackingProblem& problem, const Division& division,
                          const ShapeKey& key, double factor) {
  const auto& [taps, pixels, channels, rows] = key;
  PackingRecipe recipe{.problem = problem,
                       .taps = taps,
                       .pixels = pixels,
                       .channels = channels,
                       .rows = rows,
                       .split = division.split,
                       .split_bits = division.split_bits,
                       .parts = {},
                       .factor = factor};
  const PackingShape shape{taps, pixels, channels, rows};
  std::vector<PackedPart> parts;
  for (size_t i = 0; i < division.parts.size(); ++i) {
    PackedPart part = CheapestPart(recipe, division.parts[i], shape, problem.max_overlap);
    part.weight_shift = division.weight_shifts[i];
    part.activation_shift = division.activation_shifts[i];
    // With one tap pixels and rows are the same thing.
    if (taps == 1) part.pitch = std::exchange(part.row_pitch, 0);
    parts.push_back(std::move(part));
  }
  recipe.parts = std::move(parts);
  if (taps == 1) recipe.pixels = std::exchange(recipe.rows, 1);
  recipe.luts = EstimateLuts(recipe) / recipe.DspCount();
  return recipe;
}

// Remembers which shapes fit, as problems share their parts.
class ShapeCache {
 public:
  const std::set<ShapeKey>& Find(const PartProblem& problem, int max_overlap) {
    const auto key = std::tuple_cat(problem.Key(), std::tuple(max_overlap));
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = shapes_.find(key); found != shapes_.end()) return found->second;
    }
    std::set<ShapeKey> shapes = FittingShapes(problem, kMaxPackingKernel, max_overlap);
    const std::lock_guard lock(mutex_);
    return shapes_.try_emplace(key, std::move(shapes)).first->second;  // references stay valid
  }

 private:
  using Key = std::tuple<int64_t, int64_t, int, int, DspDevice, int>;
  std::mutex mutex_;
  std::map<Key, std::set<ShapeKey>> shapes_;
};

ShapeCache& Shapes() {
  static ShapeCache cache;
  return cache;
}

}  // namespace

Result<std::optional<PackingRecipe>> SearchPacking(const PackingProblem& problem) {
  LICHEN_TRY_VOID(CheckProblem(problem));
  struct Candidate {
    const Division* division;
    ShapeKey key;
  };
  const std::vector<Division> divisions = DivisionsOf(problem);
  std::vector<Candidate> candidates;
  double best_factor = 0;
  for (const Division& division : divisions) {
    std::vector<const std::set<ShapeKey>*> fitting;
    for (const PartProblem& part : division.parts)
      fitting.push_back(&Shapes().Find(part, problem.max_overlap));
    for (const ShapeKey& key : *fitting[0]) {
      if (std::get<0>(key) > problem.kernel) continue;
      const double factor = FactorOf(problem.kernel, key, division.parts.size());
      if (factor < best_factor) continue;
      if (fitting.size() == 2 && !fitting[1]->contains(key)) continue;
      if (factor > best_factor) candidates.clear();
      best_factor = factor;
      candidates.push_back({&division, key});
    }
  }
  std::optional<PackingRecipe> best;
  for (const Candidate& candidate : candidates) {
    PackingRecipe recipe = BuildRecipe(problem, *candidate.division, candidate.key, best_factor);
    if (!best || recipe.luts < best->luts) best = std::move(recipe);
  }
  return best;
}

}  // namespace lichen
