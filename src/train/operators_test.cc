#include "train/operators.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "train/factorised_prior.h"
#include "train/layers.h"

namespace lichen {
namespace {

using Function = std::function<torch::Tensor()>;

torch::Tensor Random(c10::IntArrayRef sizes) {
  return torch::randn(sizes, torch::kFloat64).set_requires_grad(true);
}

// The gradient of sum(c * f()) for fixed random c, against central differences in every element of
// every variable, in double precision.
void ExpectGradient(const Function& f, const std::vector<torch::Tensor>& variables) {
  const torch::Tensor c = torch::randn_like(f().detach());
  for (const torch::Tensor& v : variables) v.mutable_grad() = torch::Tensor();
  (f() * c).sum().backward();
  const torch::NoGradGuard no_grad;
  const double step = 1e-5;
  for (size_t i = 0; i < variables.size(); ++i) {
    ASSERT_TRUE(variables[i].grad().defined()) << "variable " << i;
    const torch::Tensor gradient = variables[i].grad().contiguous().flatten();
    torch::Tensor flat = variables[i].data().view(-1);
    for (int64_t at = 0; at < flat.numel(); ++at) {
      const double value = flat[at].item<double>();
      flat[at].fill_(value + step);
      const double above = (f() * c).sum().item<double>();
      flat[at].fill_(value - step);
      const double below = (f() * c).sum().item<double>();
      flat[at].fill_(value);
      const double expected = (above - below) / (2 * step);
      EXPECT_NEAR(gradient[at].item<double>(), expected, 1e-6 * (1 + std::abs(expected)))
          << "variable " << i << " element " << at;
    }
  }
}

double LargestDifference(const torch::Tensor& a, const torch::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a - b).abs().max().item<double>();
}

TEST(LowerBound, PassesGradientsAboveAndUpwardsBelow) {
  const torch::Tensor x = torch::tensor({-1.0, -1.0, 2.0}).set_requires_grad(true);
  const torch::Tensor y = LowerBound(x, 0.5);
  EXPECT_EQ(LargestDifference(y, torch::tensor({0.5, 0.5, 2.0})), 0);
  y.backward(torch::tensor({1.0, -1.0, 3.0}));  // descent lowers the first and raises the second
  EXPECT_EQ(LargestDifference(x.grad(), torch::tensor({0.0, -1.0, 3.0})), 0);
  const torch::Tensor above = (Random({5}).detach().abs() + 1).set_requires_grad(true);
  ExpectGradient([&] { return LowerBound(above, 0.5).square(); }, {above});
}

TEST(LagcGate, HasTheGradientOfFiniteDifferences) {
  torch::manual_seed(11);
  const torch::Tensor x = Random({2, 3, 4, 5}), u = Random({2, 3, 4, 5});
  const torch::Tensor w = Random({3}), c = Random({3});
  ExpectGradient([&] { return LagcGate(x, u, w, c); }, {x, u, w, c});
}

TEST(LagcGate, IsTheSameInFloatAndInBfloat16) {
  torch::manual_seed(12);
  // More pixels than one task, and a last task that is not full.
  const torch::Tensor x = torch::randn({2, 7, 31, 29}), u = torch::randn({2, 7, 31, 29});
  const torch::Tensor w = torch::randn({7}), c = torch::randn({7});
  const torch::Tensor gradient = torch::randn_like(x);
  const auto run = [&](torch::ScalarType type) {
    const auto vector_type = type == torch::kFloat64 ? type : torch::kFloat32;
    std::vector<torch::Tensor> inputs = {x.to(type).clone(), u.to(type).clone(),
                                         w.to(vector_type).clone(), c.to(vector_type).clone()};
    for (torch::Tensor& input : inputs) input.set_requires_grad(true);
    torch::Tensor y = LagcGate(inputs[0], inputs[1], inputs[2], inputs[3]);
    y.backward(gradient.to(type));
    std::vector<torch::Tensor> results = {y.detach().to(torch::kFloat64)};
    for (torch::Tensor& input : inputs) results.push_back(input.grad().to(torch::kFloat64));
    return results;
  };
  const auto exact = run(torch::kFloat64);
  for (const auto& [type, bound] : {std::pair{torch::kFloat32, 1e-5}, {torch::kBFloat16, 2e-2}}) {
    const auto results = run(type);
    for (size_t i = 0; i < exact.size(); ++i) {
      const double largest = exact[i].abs().max().item<double>();
      EXPECT_LT(LargestDifference(results[i], exact[i]), bound * largest) << type << " " << i;
    }
  }
}

TEST(TransposedConv, EqualsThatOfLibtorch) {
  torch::manual_seed(1);
  for (const auto& [size, stride] :
       {std::pair{5, 2}, std::pair{9, 4}, std::pair{3, 1}, std::pair{4, 2}}) {
    const torch::Tensor x = torch::randn({2, 6, 5, 7}).contiguous(at::MemoryFormat::ChannelsLast);
    const torch::Tensor w = torch::randn({6, 4, size, size});
    const int64_t padding = (size - 1) / 2;
    const int64_t more = stride + 2 * padding - size;
    const torch::Tensor expected = torch::conv_transpose2d(x, w, {}, stride, padding, more);
    EXPECT_LT(LargestDifference(TransposedConv(x, w, stride), expected), 1e-4);
  }
}

TEST(TransposedConv, HasTheGradientOfFiniteDifferences) {
  torch::manual_seed(2);
  const torch::Tensor x = Random({2, 3, 2, 3});
  for (const int64_t size : {5, 4}) {  // those of bls2017 and StreamLIC
    const torch::Tensor w = Random({3, 2, size, size});
    ExpectGradient([&] { return TransposedConv(x, w, 2); }, {x, w});
  }
}

// The gradient of what runs in training: float, channels last, oneDNN.
TEST(TransposedConv, HasTheSameGradientInFloat) {
  torch::manual_seed(3);
  const auto gradients = [](torch::Dtype type, bool is_own) {
    torch::manual_seed(4);
    const torch::Tensor x = torch::randn({2, 16, 4, 4}).to(type).set_requires_grad(true);
    const torch::Tensor w = torch::randn({16, 16, 5, 5}).to(type).set_requires_grad(true);
    const torch::Tensor y = is_own
                                ? TransposedConv(x.contiguous(at::MemoryFormat::ChannelsLast), w, 2)
                                : torch::conv_transpose2d(x, w, {}, 2, 2, 1);
    (y.square().sum() / 100).backward();
    return std::pair{x.grad().to(torch::kFloat64), w.grad().to(torch::kFloat64)};
  };
  const auto [x, w] = gradients(torch::kFloat32, true);
  const auto [expected_x, expected_w] = gradients(torch::kFloat64, false);
  EXPECT_LT(LargestDifference(x, expected_x) / expected_x.abs().max().item<double>(), 1e-5);
  EXPECT_LT(LargestDifference(w, expected_w) / expected_w.abs().max().item<double>(), 1e-5);
}

TEST(PointwiseConv, EqualsAConvolution) {
  torch::manual_seed(5);
  const torch::Tensor x = Random({2, 3, 4, 5});
  const torch::Tensor w = Random({6, 3});
  const torch::Tensor b = Random({6});
  EXPECT_LT(LargestDifference(PointwiseConv(x, w, b), torch::conv2d(x, w.view({6, 3, 1, 1}), b)),
            1e-12);
  ExpectGradient([&] { return PointwiseConv(x, w, b); }, {x, w, b});
}

TEST(Kernel, RdftBasisIsOrthonormal) {
  for (const int64_t size : {1, 2, 3, 5, 8, 9}) {
    const torch::Tensor basis = RdftBasis(size);
    const torch::Tensor unit = torch::eye(size * size, torch::kFloat64);
    EXPECT_LT(LargestDifference(torch::matmul(basis, basis.t()), unit), 1e-12) << size;
  }
}

TEST(Kernel, RdftGivesTheSameFirstKernels) {
  torch::manual_seed(6);
  const torch::Tensor plain = Kernel(5, 3, 9, 243, false)->forward();
  torch::manual_seed(6);
  Kernel kernel(5, 3, 9, 243, true);
  EXPECT_LT(LargestDifference(kernel->forward(), plain), 1e-6);
  EXPECT_NEAR(plain.var().item<double>(), 1.0 / 243, 0.1 / 243);
  kernel->to(torch::kFloat64);
  const auto parameters = kernel->parameters();
  ASSERT_EQ(parameters.size(), 1U);
}

TEST(Gdn, ComputesTheNormAndItsGradient) {
  torch::manual_seed(7);
  for (const bool is_inverse : {false, true}) {
    Gdn gdn(3, is_inverse);
    gdn->to(torch::kFloat64);
    {
      const torch::NoGradGuard no_grad;  // off the diagonal, gamma begins at its bound
      for (torch::Tensor& p : gdn->parameters()) p.add_(torch::rand_like(p) + 0.1);
    }
    const torch::Tensor x = Random({2, 3, 2, 2});
    torch::Tensor norm = gdn->Beta().view({1, 3, 1, 1}).expand_as(x).clone();
    for (int64_t o = 0; o < 3; ++o) {
      for (int64_t i = 0; i < 3; ++i) {
        norm.select(1, o) += gdn->Gamma()[o][i] * x.select(1, i).abs();
      }
    }
    const torch::Tensor expected = is_inverse ? x * norm : x / norm;
    EXPECT_LT(LargestDifference(gdn->forward(x), expected), 1e-12);
    std::vector<torch::Tensor> variables = gdn->parameters();
    variables.push_back(x);
    ExpectGradient([&] { return gdn->forward(x); }, variables);
  }
}

TEST(Gdn, StaysPositiveWhateverIsTrained) {
  Gdn gdn(4, false);
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& p : gdn->parameters()) p.fill_(-3);
  EXPECT_GE(gdn->Gamma().min().item<double>(), 0);
  EXPECT_GE(gdn->Beta().min().item<double>(), 0.99e-6);
}

// A prior in double precision, away from where it begins.
FactorisedPrior ShakenPrior(int64_t rates, int64_t channels) {
  FactorisedPrior prior(rates, channels);
  prior->to(torch::kFloat64);
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& p : prior->parameters()) p.add_(torch::randn_like(p) * 0.3);
  return prior;
}

TEST(FactorisedPrior, ProbabilitiesSumToOne) {
  torch::manual_seed(8);
  FactorisedPrior prior = ShakenPrior(2, 3);
  const torch::NoGradGuard no_grad;
  const torch::Tensor values = torch::arange(-400, 401, torch::kFloat64);
  const torch::Tensor latents = values.view({1, 1, 1, -1}).expand({2, 3, 1, values.size(0)});
  const torch::Tensor bits = prior->Bits(latents, torch::tensor({1, 0}));
  const torch::Tensor sums = torch::exp2(-bits).sum({2, 3});
  EXPECT_LT((sums - 1).abs().max().item<double>(), 1e-5);
  EXPECT_GT(LargestDifference(bits[0], bits[1]), 1e-3);  // the rates differ
  // Each rate by itself gives the same.
  const torch::Tensor alone = prior->Bits(latents.narrow(0, 0, 1), torch::tensor({1}));
  EXPECT_EQ(LargestDifference(alone[0], bits[0]), 0);
}

TEST(FactorisedPrior, BisectionFindsMedianAndTails) {
  torch::manual_seed(9);
  FactorisedPrior prior = ShakenPrior(2, 3);
  EXPECT_LT(prior->Quantiles(0, 0.5).abs().max().item<double>(), 1e-12);
  // Bits of the bins below a tail: their probabilities sum to the tail's.
  const torch::Tensor tail = prior->Quantiles(1, 0.01);
  const torch::NoGradGuard no_grad;
  const torch::Tensor below = torch::arange(0, 2000, torch::kFloat64) + 0.5;
  const torch::Tensor latents = (tail.view({1, 3, 1, 1}) - below.view({1, 1, 1, -1}));
  const torch::Tensor sums = torch::exp2(-prior->Bits(latents, torch::tensor({1}))).sum({0, 2, 3});
  EXPECT_LT((sums - 0.01).abs().max().item<double>(), 1e-5);
}

TEST(FactorisedPrior, HasTheGradientOfFiniteDifferences) {
  torch::manual_seed(10);
  FactorisedPrior prior = ShakenPrior(2, 2);
  const torch::Tensor latents = (Random({2, 2, 1, 3}).detach() * 2).set_requires_grad(true);
  std::vector<torch::Tensor> variables = prior->parameters();
  variables.push_back(latents);
  ExpectGradient([&] { return prior->Bits(latents, torch::tensor({0, 1})); }, variables);
}

}  // namespace
}  // namespace lichen
