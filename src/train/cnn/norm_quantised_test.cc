#include "train/cnn/norm_quantised.h"

#include <gtest/gtest.h>

#include "base/test_cpu_targets.h"
#include "train/cnn/quantisers.h"

namespace lichen {
namespace {

struct Case {
  torch::ScalarType type;
  std::vector<int> bits;  // empty: ReLU
  bool pools;
  int64_t channels, height, width;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.type << ", " << c.bits.size() << " widths, " << c.channels << "x" << c.height << "x"
       << c.width << (c.pools ? ", pooled" : "");
}

struct Outcome {
  std::vector<std::pair<std::string, torch::Tensor>> tensors;
};

using Operation = decltype(&NormQuantised);

Outcome RunOf(Operation operation, const Case& c) {
  torch::manual_seed(11);
  constexpr double kUnit = 0.25;
  const torch::Tensor y =
      (torch::randn({3, c.channels, c.height, c.width}) * 6 + 2).to(c.type).requires_grad_();
  BatchNormState norm = {(torch::randn({c.channels}) + 1.5).requires_grad_(),
                         torch::randn({c.channels}).requires_grad_(), torch::zeros({c.channels}),
                         torch::ones({c.channels})};
  ActivationMixture mixture;
  torch::Tensor shares;
  if (!c.bits.empty()) {
    shares = torch::softmax(torch::randn({static_cast<int64_t>(c.bits.size())}), 0)
                 .detach()
                 .requires_grad_();
    mixture = MixtureOf(QuantiserKind::kHalfWave, c.bits, shares);
  }
  const torch::Tensor x = operation(y, kUnit, norm, mixture, c.pools, /*is_training=*/true);
  x.backward(torch::randn(x.sizes()).to(c.type));
  Outcome outcome = {{{"x", x.detach()},
                      {"y", y.grad()},
                      {"scale", norm.scale.grad()},
                      {"shift", norm.shift.grad()},
                      {"mean", norm.mean},
                      {"variance", norm.variance}}};
  if (c.bits.size() > 1) outcome.tensors.emplace_back("shares", shares.grad());
  return outcome;
}

class EveryNorm : public testing::TestWithParam<Case> {};

// A value at a boundary of two steps may fall to either side: few elements differ, and the whole hardly.
TEST_P(EveryNorm, IsThatOfTheLibrary) {
  const Outcome expected = RunOf(&NormQuantisedByTensors, GetParam());
  const double bound = GetParam().type == torch::kFloat32 ? 1e-4 : 1e-2;
  ForEachCpuTarget([&] {
    const Outcome found = RunOf(&NormQuantised, GetParam());
    for (size_t i = 0; i < expected.tensors.size(); ++i) {
      const auto& [name, e] = expected.tensors[i];
      const torch::Tensor a = e.to(torch::kFloat64),
                          b = found.tensors[i].second.to(torch::kFloat64);
      ASSERT_EQ(a.sizes(), b.sizes()) << name;
      EXPECT_LT((a - b).norm().item<double>(), bound * a.norm().item<double>()) << name;
      EXPECT_GT(a.norm().item<double>(), 0) << name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    All, EveryNorm,
    testing::Values(
        Case{torch::kFloat32, {}, false, 16, 8, 8}, Case{torch::kFloat32, {}, true, 5, 6, 10},
        Case{torch::kFloat32, {4}, true, 70, 4, 6}, Case{torch::kFloat32, {2}, false, 36, 7, 5},
        Case{torch::kFloat32, {2, 3, 4, 5, 6, 7, 8}, true, 64, 4, 4},
        Case{torch::kFloat32, {3}, true, 8, 7, 9},  // odd
        Case{torch::kFloat32, {3, 8}, false, 130, 1, 1}, Case{torch::kBFloat16, {}, true, 32, 8, 8},
        Case{torch::kBFloat16, {4}, true, 64, 8, 8},
        Case{torch::kBFloat16, {2, 3, 4, 5, 6, 7, 8}, false, 40, 40, 30}));

}  // namespace
}  // namespace lichen
