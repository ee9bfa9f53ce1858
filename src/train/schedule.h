// The learning rate over a run: linear warm-up, then cosine decay.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "train/recipe.h"

namespace lichen {

// For the step that follows `step` finished ones.
inline double LearningRate(const TrainingRecipe& t, int64_t step) {
  if (step < t.warmup_steps) {
    return t.learning_rate * static_cast<double>(step + 1) / static_cast<double>(t.warmup_steps);
  }
  const double length = static_cast<double>(std::max<int64_t>(1, t.steps - t.warmup_steps));
  const double part = std::min(1.0, static_cast<double>(step - t.warmup_steps) / length);
  const double cosine = 0.5 + 0.5 * std::cos(std::numbers::pi * part);
  return t.final_learning_rate + (t.learning_rate - t.final_learning_rate) * cosine;
}

}  // namespace lichen
