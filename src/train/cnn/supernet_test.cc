#include "train/cnn/supernet.h"

#include <gtest/gtest.h>

namespace lichen {
namespace {

PackedProducts Packed(int64_t kernel, int w, int a) {
  return {.factor = static_cast<double>(kernel) * 40.0 / (w + a) + (w == 2 ? 1 : 0),
          .luts = 20.0 + w};
}

const HardwareModel kHardware = {.packing = Packed, .budget = {}};

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
  CnnSupernet supernet(net, QuantiserKind::kHalfWave, kHardware);
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
  const std::vector<LayerCost> layers = CostsOf(net, precision, Packed);
  for (const LayerCost& layer : layers) {
    cost += 64 * layer.dsp_cycles / static_cast<double>(layers[0].mac_count);
  }
  EXPECT_NEAR(supernet.Cost().item<double>(), cost, 1e-4 * cost);
}

TEST(Supernet, CostPullsTowardsNarrowWidths) {
  CnnSupernet supernet(SmallBypass(), QuantiserKind::kHalfWave, kHardware);
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
  CnnSupernet supernet(SmallBypass(), QuantiserKind::kHalfWave, kHardware);
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
    return PackedProducts{.factor = kernel == 3 ? 6.0 : 2.0, .luts = 10};
  });
  ASSERT_EQ(costs.size(), 7U);
  EXPECT_EQ(costs[1].mac_count, 32 * 32 * 64 * 64 * 9);
  EXPECT_DOUBLE_EQ(costs[1].dsp_cycles, 32 * 32 * 64 * 64 * 9 / 6.0);
  EXPECT_DOUBLE_EQ(costs[6].dsp_cycles, 40960 / 2.0);
  EXPECT_DOUBLE_EQ(costs[6].lut_cycles, 40960 / 2.0 * 10);
  EXPECT_DOUBLE_EQ(costs[1].weight_bits, 64 * 64 * 9 * 4);
  EXPECT_DOUBLE_EQ(costs[1].row_bits, 2 * 32 * 64 * 2);
}

// The means over shares of 1 are the costs themselves, and each budget counts where it is the scarce one.
TEST(Cost, KeepsToTheBudget) {
  const CnnDefinition net = SmallBypass();
  const CnnPrecision precision = {.weight_bits = *ParseBits("842567348", 9),
                                  .activation_bits = *ParseBits("823456784", 9)};
  const NetworkCost sum = Sum(CostsOf(net, precision, Packed));
  const double unit = CostUnit(ShapesOf(net));
  const auto cost_of = [&](const HardwareBudget& budget) {
    CnnSupernet supernet(net, QuantiserKind::kHalfWave, {.packing = Packed, .budget = budget});
    Choose(supernet, precision);
    return supernet.Cost().item<double>() / unit;
  };
  EXPECT_NEAR(cost_of({}), sum.dsp_cycles, 1e-4 * sum.dsp_cycles);
  const HardwareBudget plenty = {.dsp = 100, .lut = 1e6, .bram36 = 1e6};
  EXPECT_NEAR(cost_of(plenty), sum.dsp_cycles, 1e-4 * sum.dsp_cycles);
  const HardwareBudget few_luts = {.dsp = 100, .lut = 1000, .bram36 = 1e6};
  EXPECT_GT(BoundCycles(sum, few_luts), sum.dsp_cycles);
  EXPECT_NEAR(cost_of(few_luts), sum.lut_cycles / 10, 1e-4 * sum.lut_cycles);
  const HardwareBudget half_the_ram = {.dsp = 100, .lut = 1e6, .bram36 = sum.bram36 / 2};
  EXPECT_NEAR(cost_of(half_the_ram), sum.dsp_cycles * (1 + kOverflowPrice),
              1e-4 * sum.dsp_cycles * (1 + kOverflowPrice));
}

}  // namespace
}  // namespace lichen
