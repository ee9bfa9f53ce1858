#include "target/packing_cases.h"

#include <algorithm>
#include <cmath>

namespace lichen {
namespace {

constexpr int64_t kExhaustiveCases = int64_t{1} << 24;

// Below `count`; not quite even, which does not matter here.
int32_t Below(std::mt19937_64& random, int64_t count) {
  return static_cast<int32_t>(random() % static_cast<uint64_t>(count));
}

bool OneIn(std::mt19937_64& random, uint64_t count) { return random() % count == 0; }

}  // namespace

OperandCases::OperandCases(const PackingRecipe& recipe)
    : activation_max_(static_cast<int32_t>((int64_t{1} << recipe.problem.activation_bits) - 1)) {
  const Interval range = WeightInterval(recipe.problem.weight_range, recipe.problem.weight_bits);
  weight_min_ = static_cast<int32_t>(range.lo);
  weight_max_ = static_cast<int32_t>(range.hi);
  const auto depth = static_cast<size_t>(recipe.problem.accumulate);
  weights_.resize(depth * recipe.WeightCount());
  activations_.resize(depth * recipe.ActivationCount());
  First();
}

int64_t OperandCases::Count() const {
  const double count =
      std::pow(double{1} + weight_max_ - weight_min_, static_cast<double>(weights_.size())) *
      std::pow(double{1} + activation_max_, static_cast<double>(activations_.size()));
  return count < static_cast<double>(kExhaustiveCases) ? static_cast<int64_t>(count) : 0;
}

void OperandCases::First() {
  std::ranges::fill(weights_, weight_min_);
  std::ranges::fill(activations_, 0);
}

void OperandCases::Next() {
  for (int32_t& a : activations_) {
    if (a++ < activation_max_) return;
    a = 0;
  }
  for (int32_t& w : weights_) {
    if (w++ < weight_max_) return;
    w = weight_min_;
  }
}

void OperandCases::Random(std::mt19937_64& random) {
  for (int32_t& w : weights_)
    w = weight_min_ + Below(random, int64_t{1} + weight_max_ - weight_min_);
  for (int32_t& a : activations_) a = Below(random, int64_t{1} + activation_max_);
}

void OperandCases::Corner(std::mt19937_64& random) {
  const bool is_mixed = OneIn(random, 4);
  const bool has_zeros = OneIn(random, 4);
  const bool is_low = OneIn(random, 2);
  const bool is_empty = OneIn(random, 4);
  for (int32_t& w : weights_) {
    const bool is_other = is_mixed ? OneIn(random, 2) : OneIn(random, 16);
    w = is_low != is_other ? weight_min_ : weight_max_;
    if (has_zeros && OneIn(random, 8)) w = 0;
  }
  for (int32_t& a : activations_) {
    const bool is_other = is_mixed ? OneIn(random, 2) : OneIn(random, 16);
    a = is_empty != is_other ? 0 : activation_max_;
  }
}

}  // namespace lichen
