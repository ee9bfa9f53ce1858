#include "train/adam.h"

#include <gtest/gtest.h>

namespace lichen {
namespace {

TEST(Adam, StepsLikeThatOfLibtorch) {
  torch::manual_seed(1);
  const auto start = torch::randn({5, 3}, torch::kFloat64);
  const torch::Tensor own = start.clone().set_requires_grad(true);
  const torch::Tensor other = start.clone().set_requires_grad(true);
  Adam adam({own});
  torch::optim::Adam reference({other}, torch::optim::AdamOptions(0.01));
  for (int64_t step = 1; step <= 20; ++step) {
    const torch::Tensor target = torch::randn({5, 3}, torch::kFloat64);
    for (const torch::Tensor& p : {own, other}) {
      p.mutable_grad() = torch::Tensor();
      (p - target).pow(4).sum().backward();
    }
    adam.Step({own}, 0.01, step);
    reference.step();
    EXPECT_LT((own - other).abs().max().item<double>(), 1e-12) << "step " << step;
  }
  EXPECT_GT((own - start).abs().min().item<double>(), 1e-3);
}

}  // namespace
}  // namespace lichen
