// Recipes are proved, equal on the model, and no fault gets through.
#include "target/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "target/packing_cases.h"
#include "target/packing_cost.h"
#include "target/packing_layout.h"
#include "target/packing_model.h"
#include "target/packing_proof.h"

namespace lichen {
namespace {

using testing::HasSubstr;

PackingRecipe Recipe(const PackingProblem& problem) {
  const auto recipe = SearchPacking(problem);
  EXPECT_TRUE(recipe.has_value() && recipe->has_value());
  return **recipe;
}

PackingProblem Problem(int kernel, int weight_bits, int activation_bits, WeightRange range,
                       int accumulate = 1, int max_overlap = 2) {
  return {.kernel = kernel,
          .weight_bits = weight_bits,
          .activation_bits = activation_bits,
          .weight_range = range,
          .accumulate = accumulate,
          .device = DspDevice::kDsp48e2,
          .max_overlap = max_overlap};
}

// The lanes of an unsplit recipe moved to another pitch, with everything that follows from it but the
// number of bits on the next lane.
PackingRecipe WithPitch(PackingRecipe recipe, int pitch) {
  PackedPart& part = recipe.parts[0];
  for (int& base : part.weight_base) base = base / part.pitch * pitch;
  for (int& base : part.activation_base) base = base / part.pitch * pitch;
  part.post_constant = 0;
  part.pre_adder = 0;
  int64_t carry = 0;
  for (PackedLane& lane : part.lanes) {
    lane.base = lane.base / part.pitch * pitch;
    const bool is_last = &lane == &part.lanes.back();
    if (!is_last) lane.bits = std::min(lane.bits, pitch + lane.spill);
    carry = is_last ? 0 : (lane.range.hi + lane.bias + carry) >> pitch;
    lane.carry_max = carry;
    part.post_constant += lane.bias << lane.base;
  }
  for (size_t i = 0; part.offset == ActivationOffset::kAll && i < part.activation_base.size();
       ++i) {
    part.pre_adder += part.OffsetOf(i) * (int64_t{1} << part.activation_base[i]);
  }
  part.pitch = pitch;
  return recipe;
}

TEST(Packing, RecipesOfAllDevicesAreProvedAndEqualOnTheModel) {
  int recipes = 0;
  for (const DspDevice device : kDspDevices) {
    for (const int accumulate : {1, 2, 8}) {
      for (const int kernel : {1, 3, 5}) {
        for (int weight_bits = 2; weight_bits <= 8; weight_bits += 2) {
          for (int activation_bits = 2; activation_bits <= 8; activation_bits += 3) {
            for (const int overlap : {0, 1, 2}) {
              PackingProblem problem = Problem(
                  kernel, weight_bits, activation_bits,
                  overlap == 1 ? WeightRange::kFull : WeightRange::kNarrow, accumulate, overlap);
              problem.device = device;
              const PackingRecipe recipe = Recipe(problem);
              const auto proof = Prove(recipe);
              ASSERT_TRUE(proof.has_value()) << proof.error().message;
              if (OperandCases(recipe).Count() > 0) continue;  // below
              const ModelCheck check =
                  CheckModel(recipe, {.random_cases = 100, .corner_cases = 200});
              ASSERT_TRUE(check.ok) << check.mismatch;
              ++recipes;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(recipes, 250);
}

TEST(Packing, SmallRecipesAreEqualForAllOperands) {
  int recipes = 0;
  for (const int kernel : {1, 3}) {
    for (int weight_bits = 2; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 2; activation_bits <= 8; ++activation_bits) {
        const PackingRecipe recipe =
            Recipe(Problem(kernel, weight_bits, activation_bits, WeightRange::kFull, 1, 1));
        const int64_t count = OperandCases(recipe).Count();
        if (count == 0 || count > 1 << 18) continue;
        const ModelCheck check = CheckModel(recipe);
        EXPECT_TRUE(check.ok) << check.mismatch;
        EXPECT_TRUE(check.is_exhaustive);
        EXPECT_EQ(check.cases, count);
        ++recipes;
      }
    }
  }
  EXPECT_GE(recipes, 3);
}

// Layouts that a search over all pitches finds: channels or rows inside the lanes that taps and pixels share; pixels of one tap, of
// which the topmost, signed, is narrower than the others.
TEST(Packing, FindsLayoutsOfEveryNesting) {
  constexpr auto kFull = WeightRange::kFull;
  constexpr auto kNarrow = WeightRange::kNarrow;
  constexpr auto k48e1 = DspDevice::kDsp48e1;
  constexpr auto k48e2 = DspDevice::kDsp48e2;
  constexpr auto k58 = DspDevice::kDsp58;
  const std::pair<PackingProblem, double> cases[] = {
      {{3, 2, 2, kFull, 1, k48e2, 2}, 30},   {{3, 2, 2, kNarrow, 1, k48e2, 1}, 30},
      {{3, 2, 3, kNarrow, 1, k58, 2}, 27},   {{3, 3, 3, kNarrow, 1, k58, 2}, 18},
      {{3, 2, 6, kNarrow, 1, k58, 2}, 13.5}, {{3, 5, 7, kFull, 1, k48e1, 2}, 4},
  };
  bool has_inner_channels = false, has_inner_rows = false;
  for (const auto& [problem, factor] : cases) {
    const PackingRecipe recipe = Recipe(problem);
    EXPECT_EQ(recipe.factor, factor);
    const auto proof = Prove(recipe);
    ASSERT_TRUE(proof.has_value()) << proof.error().message;
    if (OperandCases(recipe).Count() < 1 << 18) {
      const ModelCheck check = CheckModel(recipe);
      EXPECT_TRUE(check.ok) << check.mismatch;
    }
    const PackedPart& part = recipe.parts[0];
    if (recipe.taps == 1) continue;
    has_inner_channels |= recipe.channels > 1 && part.channel_pitch < part.pitch;
    has_inner_rows |= recipe.rows > 1 && part.row_pitch < part.pitch;
  }
  EXPECT_TRUE(has_inner_channels);
  EXPECT_TRUE(has_inner_rows);
}

// The case that makes bits - 1 too few: all operands of a lane at their ends while the lanes below carry.
TEST(Packing, LanesThatFillTheirBitsPassTheirCarryOn) {
  const PackingRecipe recipe = Recipe(Problem(3, 3, 2, WeightRange::kFull, 1, 1));
  EXPECT_EQ(recipe.factor, 18);
  const PackedPart& part = recipe.parts[0];
  int64_t carry_max = 0;
  bool has_difference = false;
  for (size_t i = 0; i < part.lanes.size(); ++i) {
    carry_max = std::max(carry_max, part.lanes[i].carry_max);
    has_difference = has_difference || NeedsDifference(part, i);
  }
  EXPECT_EQ(carry_max, 2);
  EXPECT_TRUE(has_difference);
  EXPECT_TRUE(Prove(recipe).has_value());
  EXPECT_TRUE(CheckModel(recipe).ok);
  // Without the carry the proof does not hold, and the model finds the operands.
  PackingRecipe faulty = recipe;
  for (PackedLane& lane : faulty.parts[0].lanes) lane.carry_max = 0;
  EXPECT_THAT(Prove(faulty).error().message, HasSubstr("carries up to"));
  EXPECT_FALSE(CheckModel(faulty).ok);
}

TEST(Packing, APitchOneTooSmallIsRefusedAndWrong) {
  for (const int overlap : {0, 1, 2}) {
    for (const auto& [kernel, weight_bits, activation_bits] :
         {std::array{1, 5, 3}, std::array{3, 5, 5}, std::array{5, 2, 4}}) {
      const PackingRecipe recipe =
          Recipe(Problem(kernel, weight_bits, activation_bits, WeightRange::kNarrow, 2, overlap));
      const PackedPart& part = recipe.parts[0];
      if (recipe.parts.size() > 1 || recipe.channels > 1 || recipe.rows > 1) continue;
      // The same move to its own pitch changes nothing.
      ASSERT_TRUE(Prove(WithPitch(recipe, part.pitch)).has_value());
      const PackingRecipe faulty = WithPitch(recipe, part.pitch - 1);
      const auto proof = Prove(faulty);
      ASSERT_FALSE(proof.has_value());
      EXPECT_THAT(proof.error().message, HasSubstr("part 0: lane"));
      EXPECT_FALSE(CheckModel(faulty).ok);
    }
  }
}

TEST(Packing, FaultsOfEveryFieldAreRefused) {
  const PackingRecipe good = Recipe(Problem(3, 4, 4, WeightRange::kFull));
  ASSERT_TRUE(Prove(good).has_value());
  struct Fault {
    const char* message;
    void (*plant)(PackingRecipe&);
  };
  const Fault faults[] = {
      {"factor", [](PackingRecipe& r) { r.factor += 0.5; }},
      {"taps", [](PackingRecipe& r) { r.taps = 4; }},
      {"parts instead of", [](PackingRecipe& r) { r.parts.push_back(r.parts[0]); }},
      {"does not hold its bits", [](PackingRecipe& r) { r.parts[0].weight.lo = -7; }},
      {"does not hold its bits", [](PackingRecipe& r) { --r.parts[0].activation_bits; }},
      {"begins at bit", [](PackingRecipe& r) { ++r.parts[0].weight_base[1]; }},
      {"begins at bit", [](PackingRecipe& r) { ++r.parts[0].activation_base.back(); }},
      {"need more than", [](PackingRecipe& r) { r.parts[0].is_weight_on_wide ^= true; }},
      {"lanes, the fields make", [](PackingRecipe& r) { r.parts[0].lanes.pop_back(); }},
      {"holds [", [](PackingRecipe& r) { ++r.parts[0].lanes[1].range.hi; }},
      {"does not fit", [](PackingRecipe& r) { --r.parts[0].lanes[1].bias; }},
      {"does not fit", [](PackingRecipe& r) { --r.parts[0].lanes[1].bits; }},
      {"it counts on", [](PackingRecipe& r) { --r.parts[0].lanes[2].spill; }},
      {"carries up to", [](PackingRecipe& r) { ++r.parts[0].lanes[0].carry_max; }},
      {"constant", [](PackingRecipe& r) { ++r.parts[0].post_constant; }},
      {"pre-adder", [](PackingRecipe& r) { --r.parts[0].pre_adder; }},
      {"lane", [](PackingRecipe& r) { r.problem.accumulate = 8; }},
      {"does not hold its bits", [](PackingRecipe& r) { r.problem.weight_bits = 5; }},
  };
  for (const Fault& fault : faults) {
    PackingRecipe faulty = good;
    fault.plant(faulty);
    const auto proof = Prove(faulty);
    ASSERT_FALSE(proof.has_value()) << fault.message;
    EXPECT_THAT(proof.error().message, HasSubstr(fault.message));
  }
}

TEST(Packing, TheModelFindsWrongConstants) {
  const PackingRecipe good = Recipe(Problem(3, 4, 4, WeightRange::kFull));
  PackingRecipe faulty = good;
  ++faulty.parts[0].post_constant;
  EXPECT_FALSE(CheckModel(faulty).ok);
  faulty = good;
  faulty.parts[0].offset = ActivationOffset::kNone;
  faulty.parts[0].pre_adder = 0;
  EXPECT_FALSE(CheckModel(faulty).ok);
  faulty = good;
  for (PackedLane& lane : faulty.parts[0].lanes) lane.bias = 0;  // but not the constant
  EXPECT_FALSE(CheckModel(faulty).ok);
}

TEST(Packing, MoreOverlapAndFewerProductsInALaneNeverLose) {
  for (const int kernel : {1, 3, 5}) {
    for (int bits = 2; bits <= 8; ++bits) {
      double deeper = 0;
      for (const int accumulate : {8, 4, 2, 1}) {
        double less = 0;
        for (const int overlap : {0, 1, 2}) {
          const double factor =
              Recipe(Problem(kernel, bits, bits, WeightRange::kNarrow, accumulate, overlap)).factor;
          EXPECT_GE(factor, overlap == 0 ? 0 : less);
          less = factor;
        }
        EXPECT_GE(less, deeper);
        deeper = less;
      }
    }
  }
}

TEST(Packing, ProblemsOutOfRangeAreErrors) {
  const auto message = [](PackingProblem problem) {
    return SearchPacking(problem).error().message;
  };
  EXPECT_THAT(message(Problem(0, 4, 4, WeightRange::kFull)), HasSubstr("kernel of 0 taps"));
  EXPECT_THAT(message(Problem(3, 29, 4, WeightRange::kFull)), HasSubstr("weights of 29 bits"));
  EXPECT_THAT(message(Problem(3, 4, 0, WeightRange::kFull)), HasSubstr("activations of 0 bits"));
  EXPECT_THAT(message(Problem(3, 1, 4, WeightRange::kNarrow)),
              HasSubstr("narrow weights of 1 bit"));
  EXPECT_THAT(message(Problem(3, 4, 4, WeightRange::kFull, 65)), HasSubstr("65 products"));
  EXPECT_THAT(message(Problem(3, 4, 4, WeightRange::kFull, 1, 3)), HasSubstr("overlap of 3"));
  EXPECT_FALSE(*SearchPacking(Problem(3, 28, 28, WeightRange::kFull)));
}

TEST(Packing, WeightsAreTheSumOfTheirParts) {
  // Only halves of such weights fit a port.
  const PackingRecipe recipe = Recipe(Problem(1, 28, 20, WeightRange::kFull));
  ASSERT_EQ(recipe.split, OperandSplit::kWeight);
  EXPECT_EQ(recipe.factor, 0.5);
  EXPECT_TRUE(Prove(recipe).has_value());
  EXPECT_TRUE(CheckModel(recipe).ok);
  const Interval range = WeightInterval(WeightRange::kFull, 28);
  for (int64_t w = range.lo; w <= range.hi; w += 65521) {
    const int64_t high = WeightPart(recipe, 0, w), low = WeightPart(recipe, 1, w);
    EXPECT_EQ(high * (int64_t{1} << recipe.split_bits) + low, w);
    EXPECT_TRUE(high >= recipe.parts[0].weight.lo && high <= recipe.parts[0].weight.hi);
    EXPECT_TRUE(low >= recipe.parts[1].weight.lo && low <= recipe.parts[1].weight.hi);
  }
}

// Every problem that can be asked gives a recipe that is proved, or none.
TEST(Packing, ProblemsAtTheEndsOfTheirRangesAreProved) {
  int recipes = 0;
  for (const DspDevice device : kDspDevices) {
    for (const int kernel : {1, 7, kMaxPackingKernel}) {
      for (const int weight_bits : {1, 2, 9, 16, kMaxOperandBits}) {
        for (const int activation_bits : {1, 2, 9, 16, kMaxOperandBits}) {
          for (const int accumulate : {1, 3, kMaxAccumulate}) {
            PackingProblem problem =
                Problem(kernel, weight_bits, activation_bits, WeightRange::kFull, accumulate);
            problem.device = device;
            const auto recipe = SearchPacking(problem);
            ASSERT_TRUE(recipe.has_value());
            if (!*recipe) continue;
            const auto proof = Prove(**recipe);
            ASSERT_TRUE(proof.has_value()) << proof.error().message;
            if (OperandCases(**recipe).Count() > 1 << 16) continue;
            const ModelCheck check = CheckModel(**recipe, {.random_cases = 10, .corner_cases = 30});
            ASSERT_TRUE(check.ok) << check.mismatch;
            ++recipes;
          }
        }
      }
    }
  }
  EXPECT_GT(recipes, 500);
}

TEST(Packing, AccumulatorsHold4096Products) {
  // 4-bit weights -8 to 7, activations to 15: -491520 to 430080.
  EXPECT_EQ(AccumulatorBits(Problem(3, 4, 4, WeightRange::kFull)), 20);
  EXPECT_EQ(AccumulatorBits(Problem(3, 8, 8, WeightRange::kFull)), 28);
  // -4096 to 0; and more than 64 bits.
  EXPECT_EQ(AccumulatorBits(Problem(3, 1, 1, WeightRange::kFull)), 13);
  EXPECT_EQ(AccumulatorBits(Problem(1, 26, 28, WeightRange::kFull)), 66);
}

}  // namespace
}  // namespace lichen
