#include "quant/gram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quant/quant_test_support.h"

namespace lichen {
namespace {

// e' G e.
double Cost(const GramPhase& phase, const std::vector<double>& targets,
            const std::vector<double>& scale, const std::vector<int16_t>& rounded) {
  const size_t width = targets.size();
  double cost = 0;
  for (size_t i = 0; i < width; ++i) {
    for (size_t j = 0; j < width; ++j) {
      cost += (targets[i] - rounded[i]) / scale[i] * phase.matrix[i * width + j] *
              (targets[j] - rounded[j]) / scale[j];
    }
  }
  return cost;
}

TEST(RefineRounding, LetsErrorsOfLikeInputsCancel) {
  constexpr size_t kWidth = 10;
  GramPhase phase;
  for (size_t i = 0; i < kWidth; ++i) phase.inputs.push_back(i);
  phase.matrix.assign(kWidth * kWidth, 1.0F);
  for (size_t i = 0; i < kWidth; ++i) phase.matrix[i * kWidth + i] = 1.01F;
  const std::vector<double> targets(kWidth, 0.4);
  std::vector<int16_t> rounded(kWidth, 0);
  RefineRounding(phase, targets, std::vector<double>(kWidth, 1), -127, 127, rounded);
  int sum = 0;
  for (int16_t v : rounded) sum += v;
  EXPECT_EQ(sum, 4);
}

TEST(RefineRounding, NeverRaisesTheErrorAndKeepsTheBounds) {
  std::mt19937 generator(7);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 20; ++round) {
    constexpr size_t kWidth = 24;
    GramPhase phase;
    phase.matrix.assign(kWidth * kWidth, 0.0F);
    std::vector<double> targets;
    std::vector<double> scale;
    std::vector<int16_t> nearest;
    for (size_t i = 0; i < kWidth; ++i) {
      phase.inputs.push_back(i);
      targets.push_back(3 * normal(generator));
      scale.push_back(std::exp2(normal(generator)));
      nearest.push_back(static_cast<int16_t>(std::clamp(std::round(targets[i]), -7.0, 7.0)));
    }
    for (int sample = 0; sample < 40; ++sample) {
      double common = normal(generator);
      std::vector<double> x;
      for (size_t i = 0; i < kWidth; ++i) x.push_back(common + normal(generator));
      for (size_t i = 0; i < kWidth; ++i) {
        for (size_t j = 0; j < kWidth; ++j) {
          phase.matrix[i * kWidth + j] += static_cast<float>(x[i] * x[j]);
        }
      }
    }
    std::vector<int16_t> refined = nearest;
    RefineRounding(phase, targets, scale, -7, 7, refined);
    const double before = Cost(phase, targets, scale, nearest);
    EXPECT_LE(Cost(phase, targets, scale, refined), before * 0.95);
    for (int16_t v : refined) EXPECT_LE(std::abs(v), 7);
  }
}

TEST(CollectGrams, HasAMatrixPerPhase) {
  const FloatNet net = TinyCodec();
  const auto grams = CollectGrams(net, SyntheticPictures(3, 24));
  ASSERT_TRUE(grams) << grams.error().message;
  const Gram& a0 = (*grams)[0][0];
  ASSERT_EQ(a0.phases.size(), 1);
  EXPECT_EQ(a0.phases[0].inputs.size(), 75);
  const Gram& s0 = (*grams)[1][0];
  ASSERT_EQ(s0.phases.size(), 4);
  EXPECT_EQ(s0.phases[0].inputs.size(), 9 * 4);
  EXPECT_EQ(s0.phases[3].inputs.size(), 4 * 4);
  std::vector<size_t> all;
  for (const GramPhase& phase : s0.phases) {
    all.insert(all.end(), phase.inputs.begin(), phase.inputs.end());
  }
  std::sort(all.begin(), all.end());
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i);
  EXPECT_EQ(all.size(), 100);
  for (size_t i = 0; i < 75; ++i) EXPECT_GT(a0.phases[0].matrix[i * 75 + i], 0);
}

}  // namespace
}  // namespace lichen
