#include "train/cnn/supernet.h"

#include <gtest/gtest.h>

namespace lichen {
namespace {

double Factor(int64_t kernel, int w, int a) {
  return static_cast<double>(kernel) * 40.0 / (w + a) + (w == 2 ? 1 : 0);
}

CnnDefinition SmallBypass() {
  CnnDefinition net = *FindCnn("ultranet_bypass", 0.25);
  net.height = 32;
  net.width = 48;
  return net;
}

// Nearly all of each layer's share goes to these widths.
void Choose(CnnSupernet& supernet, const CnnPrecision& precision) {
  const torch::NoGradGuard no_grad;
  auto parameters = supernet.named_parameters();
  for (size_t i = 0; i < precision.weight_bits.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    parameters["choice_weights"][row][precision.weight_bits[i] - kMinBits] = 200;
    parameters["choice_activations"][row][precision.activation_bits[i] - kMinBits] = 200;
  }
}

TEST(Supernet, WithOneWidthPerLayerIsTheFixedNetwork) {
  torch::manual_seed(7);
  const CnnDefinition net = SmallBypass();
  const CnnPrecision precision = {.weight_bits = *ParseBits("842567348", 9),
                                  .activation_bits = *ParseBits("823456784", 9)};
  CnnSupernet supernet(net, QuantiserKind::kHalfWave, Factor);
  Cnn fixed(net, precision);
  Choose(supernet, precision);
  {
    const torch::NoGradGuard no_grad;
    const auto from = supernet.named_parameters();
    for (auto& parameter : fixed.named_parameters()) {
      parameter.value().copy_(from[parameter.key()]);
    }
  }
  const torch::Tensor samples = torch::randint(0, 256, {3, 3, 32, 48});
  EXPECT_TRUE(torch::allclose(supernet.Forward(samples), fixed.Forward(samples), 1e-4, 1e-5));
  EXPECT_EQ(BitString(supernet.Choice().weight_bits), "842567348");
  EXPECT_EQ(BitString(supernet.Choice().activation_bits), "823456784");
  double cost = 0;
  const std::vector<LayerCost> layers = CostsOf(net, precision, Factor);
  for (const LayerCost& layer : layers) {
    cost += 64 * layer.dsp_cycles / static_cast<double>(layers[0].mac_count);
  }
  EXPECT_NEAR(supernet.Cost().item<double>(), cost, 1e-4 * cost);
}

TEST(Supernet, CostPullsTowardsNarrowWidths) {
  CnnSupernet supernet(SmallBypass(), QuantiserKind::kHalfWave, Factor);
  supernet.Cost().backward();
  for (const auto& parameter : supernet.named_parameters()) {
    if (!CnnSupernet::IsChoice(parameter.key())) continue;
    const torch::Tensor g = parameter.value().grad();
    ASSERT_TRUE(g.defined());
    EXPECT_TRUE((g.select(1, 0) < 0).all().item<bool>()) << parameter.key();
    EXPECT_TRUE((g.select(1, kWidthCount - 1) > 0).all().item<bool>()) << parameter.key();
  }
}

TEST(Supernet, LossReachesEveryChoice) {
  torch::manual_seed(8);
  CnnSupernet supernet(SmallBypass(), QuantiserKind::kHalfWave, Factor);
  supernet.Forward(torch::randint(0, 256, {2, 3, 32, 48})).square().mean().backward();
  for (const auto& parameter : supernet.named_parameters()) {
    ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
    if (!CnnSupernet::IsChoice(parameter.key())) continue;
    EXPECT_TRUE((parameter.value().grad().abs().sum(1) > 0).all().item<bool>()) << parameter.key();
  }
}

TEST(Cost, CountsCyclesThroughFactors) {
  const CnnDefinition net = *FindCnn("vgg_tiny");
  const CnnPrecision precision = {.weight_bits = std::vector<int>(7, 4),
                                  .activation_bits = std::vector<int>(7, 2)};
  const auto costs = CostsOf(net, precision, [](int64_t kernel, int w, int a) {
    EXPECT_EQ(w, 4);
    EXPECT_EQ(a, 2);
    return kernel == 3 ? 6.0 : 2.0;
  });
  ASSERT_EQ(costs.size(), 7U);
  EXPECT_EQ(costs[1].mac_count, 32 * 32 * 64 * 64 * 9);
  EXPECT_DOUBLE_EQ(costs[1].dsp_cycles, 32 * 32 * 64 * 64 * 9 / 6.0);
  EXPECT_DOUBLE_EQ(costs[6].dsp_cycles, 40960 / 2.0);
}

}  // namespace
}  // namespace lichen
