#include "train/bls2017.h"

#include <gtest/gtest.h>

#include "engine/float_engine.h"
#include "net/check.h"
#include "train/train_test_support.h"

namespace lichen {
namespace {

// A network that is not where it begins.
std::shared_ptr<Bls2017> Shaken(const std::vector<double>& lambdas, bool is_rdft) {
  torch::manual_seed(3);
  auto module = std::make_shared<Bls2017>(
      NetworkRecipe{.width = 6, .latent_channels = 10, .rdft_kernels = is_rdft}, lambdas);
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& p : module->parameters()) p.add_(torch::rand_like(p) * 0.05);
  return module;
}

torch::Tensor FromNhwc(const Tensor<float>& t) {
  const Shape s = t.shape();
  return torch::from_blob(const_cast<float*>(t.data()), {s.n, s.h, s.w, s.c})
      .permute({0, 3, 1, 2})
      .clone();
}

Tensor<float> RunGraph(const FloatNet& net, const char* graph, const torch::Tensor& x,
                       Size2 reference) {
  const FloatGraph* g = net.Find(graph);
  EXPECT_NE(g, nullptr);
  const torch::Tensor nhwc = x.detach().permute({0, 2, 3, 1}).contiguous();
  Tensor<float> input({nhwc.size(0), nhwc.size(1), nhwc.size(2), nhwc.size(3)});
  std::copy_n(nhwc.data_ptr<float>(), nhwc.numel(), input.data());
  std::vector<Tensor<float>> inputs;
  inputs.push_back(std::move(input));
  auto result = RunFloatGraph(*g, std::move(inputs), {.reference = reference}, Threads(1));
  EXPECT_TRUE(result) << result.error().message;
  return std::move((*result)[static_cast<size_t>(g->outputs[0].index)]);
}

TEST(Bls2017, ExportedNetGivesTheSameLatentsAndPicture) {
  for (const bool is_rdft : {false, true}) {
    const auto module = Shaken({0.1, 0.01}, is_rdft);
    const torch::Tensor x = torch::rand({1, 3, 48, 80});
    for (const int64_t rate : {0, 1}) {
      const FloatNet net = module->ToFloatNet(rate);
      const auto check = CheckFloatNet(net);
      ASSERT_TRUE(check) << check.error().message;
      const torch::NoGradGuard no_grad;
      const torch::Tensor rates = torch::tensor({rate});
      const torch::Tensor y = module->Analyse(x, rates) * 20;
      const torch::Tensor own_y = FromNhwc(RunGraph(net, "analysis", x, {48, 80})) * 20;
      ASSERT_EQ(y.sizes(), own_y.sizes());
      EXPECT_LT((y - own_y).abs().max().item<double>(), 1e-3);
      EXPECT_GT(y.abs().max().item<double>(), 1);
      const torch::Tensor latents = torch::round(y);
      const torch::Tensor picture = module->Synthesise(latents, rates);
      const torch::Tensor own = FromNhwc(RunGraph(net, "synthesis", latents, {48, 80}));
      ASSERT_EQ(picture.sizes(), own.sizes());
      const double largest = picture.abs().max().item<double>();
      EXPECT_LT((picture - own).abs().max().item<double>(), 1e-4 * largest);
    }
  }
}

TEST(Bls2017, RatesOfABatchDoNotTouchEachOther) {
  const auto module = Shaken({0.1, 0.01, 0.001}, true);
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::rand({3, 3, 32, 32});
  const auto generator = at::detail::createCPUGenerator(1);
  const auto together = module->Forward(x, torch::tensor({2, 0, 1}), LatentMode::kRound, generator);
  for (int64_t i = 0; i < 3; ++i) {
    const torch::Tensor rate = torch::tensor({i == 0 ? 2 : i - 1});
    const auto alone = module->Forward(x.narrow(0, i, 1), rate, LatentMode::kRound, generator);
    EXPECT_NEAR(alone.bits[0].item<double>(), together.bits[i].item<double>(),
                1e-4 * alone.bits[0].item<double>());
    EXPECT_LT((alone.picture[0] - together.picture[i]).abs().max().item<double>(), 1e-4);
  }
}

TEST(Bls2017, EveryParameterIsTrained) {
  const auto module = Shaken({0.1, 0.01}, true);
  const auto output = module->Forward(torch::rand({2, 3, 32, 32}), torch::tensor({0, 1}),
                                      LatentMode::kNoise, at::detail::createCPUGenerator(2));
  (output.picture.square().sum() + output.bits.sum()).backward();
  for (const auto& p : module->named_parameters()) {
    ASSERT_TRUE(p.value().grad().defined()) << p.key();
    EXPECT_GT(p.value().grad().abs().max().item<double>(), 0) << p.key();
  }
}

}  // namespace
}  // namespace lichen
