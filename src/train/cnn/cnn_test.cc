#include "train/cnn/cnn.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/run_model.h"
#include "net/check.h"
#include "train/cnn/quantisers.h"

namespace lichen {
namespace {

struct Case {
  std::string model;
  std::string weight_bits;
  std::string activation_bits;
  QuantiserKind quantiser = QuantiserKind::kHalfWave;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.model << " " << c.weight_bits << "/" << c.activation_bits;
}

// A narrow version for small pictures, as the layers are the same.
CnnDefinition Small(const std::string& model) {
  CnnDefinition net = *FindCnn(model, model == "lenet5" ? 1 : 0.25);
  if (net.task == CnnTaskKind::kDetect) {
    net.height = 32;
    net.width = 48;
  }
  return net;
}

torch::Tensor SomePictures(const CnnDefinition& net, int64_t count) {
  return torch::randint(0, 256, {count, net.channels, net.height, net.width});
}

// Statistics of pictures, and batch norms of either sign.
void Settle(Cnn& cnn) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : cnn.named_parameters()) {
    torch::Tensor p = parameter.value();
    if (p.dim() == 1) p.add_(torch::randn_like(p) * 0.3);
    if (parameter.key().ends_with("scale")) p[0].fill_(-0.7);
  }
  cnn.train();
  for (int i = 0; i < 20; ++i) cnn.Forward(SomePictures(cnn.definition(), 4));
}

Tensor<int32_t> ToNhwc(const torch::Tensor& samples) {
  const torch::Tensor nhwc = samples.permute({0, 2, 3, 1}).to(torch::kInt32).contiguous();
  Tensor<int32_t> tensor({nhwc.size(0), nhwc.size(1), nhwc.size(2), nhwc.size(3)});
  const int32_t* from = nhwc.data_ptr<int32_t>();
  std::copy(from, from + nhwc.numel(), tensor.data());
  return tensor;
}

torch::Tensor ToNchw(const Tensor<int32_t>& tensor) {
  const Shape& s = tensor.shape();
  return torch::from_blob(const_cast<int32_t*>(tensor.data()), {s.n, s.h, s.w, s.c}, torch::kInt32)
      .permute({0, 3, 1, 2})
      .to(torch::kInt64);
}

class EveryNetwork : public testing::TestWithParam<Case> {};

TEST_P(EveryNetwork, EveryActivationEqualsTheIntegerEngine) {
  torch::manual_seed(3);
  const Case& c = GetParam();
  const CnnDefinition net = Small(c.model);
  Cnn cnn(net, {c.quantiser, *ParseBits(c.weight_bits, net.layers.size()),
                *ParseBits(c.activation_bits, net.layers.size())});
  Settle(cnn);
  const torch::Tensor samples = SomePictures(net, 1);
  const std::vector<NamedActivation> expected = cnn.Integers(samples);
  const IntNet exported = std::get<IntNet>(cnn.ToModel());
  const auto checked = CheckIntNet(exported);
  ASSERT_TRUE(checked) << checked.error().message;
  const auto run = RunModel(exported, ToNhwc(samples), {}, Threads(1));
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->tensors.size(), expected.size());
  for (const NamedActivation& activation : expected) {
    const Tensor<int32_t>* found = run->Find(activation.name);
    ASSERT_NE(found, nullptr) << activation.name;
    EXPECT_TRUE(torch::equal(ToNchw(*found), activation.values)) << activation.name;
    EXPECT_GT(activation.values.max().item<int64_t>(), activation.values.min().item<int64_t>())
        << activation.name;
  }
}

// The integers stand for the float values of training: only where a rounding lies close to one half may they differ.
TEST_P(EveryNetwork, FloatValuesAreThoseOfTheIntegers) {
  torch::manual_seed(4);
  const Case& c = GetParam();
  const CnnDefinition net = Small(c.model);
  Cnn cnn(net, {c.quantiser, *ParseBits(c.weight_bits, net.layers.size()),
                *ParseBits(c.activation_bits, net.layers.size())});
  Settle(cnn);
  cnn.eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor samples = SomePictures(net, 4);
  const torch::Tensor real = cnn.Forward(samples).to(torch::kFloat64);
  const torch::Tensor integers = cnn.Evaluate(samples);
  ASSERT_EQ(real.sizes(), integers.sizes());
  // A value off by one step in an early layer changes others; the outputs as a whole stay close.
  const double off = (real - integers).square().mean().sqrt().item<double>();
  EXPECT_LT(off, 0.05 * real.std().item<double>());
}

INSTANTIATE_TEST_SUITE_P(
    All, EveryNetwork,
    testing::Values(Case{"lenet5", "88888", "88888"}, Case{"lenet5", "28345", "46232"},
                    Case{"lenet5", "82228", "84444", QuantiserKind::kDorefa},
                    Case{"vgg_tiny", "8222228", "8333638"}, Case{"vgg_small", "5555555", "6666666"},
                    Case{"ultranet", "844444448", "844444444", QuantiserKind::kDorefa},
                    Case{"ultranet_bypass", "444444448", "844454364"},
                    Case{"skynet", "5555555555555", "8888888888888"},
                    Case{"skynetk5", "6666666666666", "7878787878787"}));

TEST(Cnn, NetworksHaveTheKnownSizes) {
  const auto count = [](const char* name, auto of) {
    int64_t sum = 0;
    for (const CnnLayerShape& shape : ShapesOf(*FindCnn(name))) sum += (shape.*of)();
    return static_cast<double>(sum);
  };
  EXPECT_NEAR(count("ultranet", &CnnLayerShape::MacCount) / 1e6, 199.5, 0.1);
  EXPECT_NEAR(count("ultranet_bypass", &CnnLayerShape::MacCount) / 1e6, 229.0, 0.1);
  EXPECT_NEAR(count("skynet", &CnnLayerShape::MacCount) / 1e6, 401, 1);
  EXPECT_NEAR(count("skynetk5", &CnnLayerShape::MacCount) / 1e6, 432, 1);
  EXPECT_NEAR(count("ultranet", &CnnLayerShape::WeightCount) / 1e3, 210, 1);
  EXPECT_NEAR(count("ultranet_bypass", &CnnLayerShape::WeightCount) / 1e3, 358, 1);
  EXPECT_NEAR(count("skynet", &CnnLayerShape::WeightCount) / 1e3, 357, 2);
  EXPECT_NEAR(count("skynetk5", &CnnLayerShape::WeightCount) / 1e3, 377, 2);
  EXPECT_EQ(ShapesOf(*FindCnn("vgg_tiny")).back().in_channels * 16, 4096);
  EXPECT_EQ(ShapesOf(*FindCnn("vgg_small")).back().in_channels * 16, 8192);
}

TEST(Cnn, FloatNetworkIsExported) {
  torch::manual_seed(5);
  const CnnDefinition net = Small("ultranet_bypass");
  Cnn cnn(net, {});
  Settle(cnn);
  const torch::Tensor samples = SomePictures(net, 1);
  const torch::Tensor expected = cnn.Evaluate(samples);
  const FloatNet exported = std::get<FloatNet>(cnn.ToModel());
  ASSERT_TRUE(CheckFloatNet(exported));
  const torch::Tensor nhwc = (samples / 255).permute({0, 2, 3, 1}).contiguous();
  Tensor<float> input({1, net.height, net.width, net.channels});
  std::copy_n(nhwc.data_ptr<float>(), nhwc.numel(), input.data());
  const auto run = RunModel(exported, std::move(input), {}, Threads(1));
  ASSERT_TRUE(run) << run.error().message;
  const Tensor<float>* found = run->Find(run->result);
  ASSERT_NE(found, nullptr);
  const Shape& s = found->shape();
  const torch::Tensor out =
      torch::from_blob(const_cast<float*>(found->data()), {s.n, s.h, s.w, s.c})
          .permute({0, 3, 1, 2});
  EXPECT_LT((out - expected).abs().max().item<double>(),
            1e-3 * expected.abs().max().item<double>());
}

TEST(Quantisers, WeightsTakeTheFullRange) {
  const torch::Tensor w = torch::randn({64, 16, 3, 3});
  w[0][0][0][0] = 9;
  w[0][0][0][1] = -9;
  const double sigma = w.to(torch::kFloat64).std().item<double>();
  const double steps[] = {0.996, 0.586, 0.336, 0.190, 0.106, 0.059, 0.032};
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    const QuantisedWeights q = QuantiseWeights(QuantiserKind::kHalfWave, w, bits);
    EXPECT_NEAR(q.step, sigma * steps[bits - kMinBits], 1e-9);
    EXPECT_EQ(q.integers.min().item<double>(), -std::exp2(bits - 1));
    EXPECT_EQ(q.integers.max().item<double>(), std::exp2(bits - 1) - 1);
    const torch::Tensor inner =
        (q.integers > -std::exp2(bits - 1)) & (q.integers < std::exp2(bits - 1) - 1);
    EXPECT_LE((q.integers * q.step - w).abs().masked_select(inner).max().item<double>(),
              q.step * 0.5001);
  }
}

TEST(Quantisers, GradientsPassWhereNothingSaturates) {
  const torch::Tensor x = torch::tensor({-0.5f, 0.2f, 1.0f, 50.0f}).requires_grad_();
  const ActivationMixture mixture =
      MixtureOf(QuantiserKind::kHalfWave, std::array{4}, torch::ones({1}));
  const torch::Tensor q = MixQuantised(x, mixture.shares, mixture.steps, /*passes_all=*/false);
  EXPECT_TRUE(torch::allclose(q, torch::tensor({0.0f, 0.185f, 5 * 0.185f, 15 * 0.185f})));
  q.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::tensor({0.0f, 1.0f, 1.0f, 0.0f})));
  const torch::Tensor w = torch::randn({8, 8, 3, 3}).requires_grad_();
  const QuantisedWeights few = FakeQuantisedWeights(QuantiserKind::kHalfWave, w, 2);
  (few.integers * few.step).sum().backward();
  EXPECT_TRUE(torch::allclose(w.grad(), torch::ones_like(w)));
}

TEST(Quantisers, TrainingUsesTheIntegers) {
  const torch::Tensor w = torch::randn({40, 30, 3, 3});
  for (const QuantiserKind kind : {QuantiserKind::kHalfWave, QuantiserKind::kDorefa}) {
    for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
      const QuantisedWeights q = QuantiseWeights(kind, w, bits);
      const QuantisedWeights fake = FakeQuantisedWeights(kind, w, bits);
      EXPECT_EQ(fake.step, q.step);
      // Exact once they are rounded to bfloat16's 8 bits, and nearly so before.
      EXPECT_TRUE(torch::equal(fake.integers.to(torch::kBFloat16).to(torch::kFloat32), q.integers))
          << bits;
      EXPECT_TRUE(torch::allclose(fake.integers, q.integers, 1e-6, 0)) << bits;
    }
  }
}

// The kernel against the same made of tensors, in double precision.
TEST(Quantisers, MixesWidths) {
  const std::vector<QuantiserStep> steps = {{0.538F, 1 / 0.538F, 0, 3}, {0.25F, 4, -8, 7}};
  for (const bool passes_all : {false, true}) {
    const torch::Tensor x = torch::randn({3, 5, 41, 67}).mul_(1.5).requires_grad_();
    const torch::Tensor shares = torch::tensor({0.3F, 0.7F}).requires_grad_();
    const torch::Tensor weights = torch::randn(x.sizes());
    const auto gradients_of = [&](const torch::Tensor& a, const torch::Tensor& s) {
      const torch::Tensor y = MixQuantised(a, s, steps, passes_all);
      auto g = torch::autograd::grad({(y * weights.to(y.dtype())).sum()}, {a, s});
      g.push_back(y.detach());
      for (torch::Tensor& t : g) t = t.to(torch::kFloat64);
      return g;
    };
    const auto fast = gradients_of(x, shares);
    const auto exact = gradients_of(x.detach().to(torch::kFloat64).requires_grad_(),
                                    shares.detach().to(torch::kFloat64).requires_grad_());
    for (size_t i = 0; i < fast.size(); ++i) {
      EXPECT_TRUE(torch::allclose(fast[i], exact[i], 1e-4, 1e-4)) << i;
    }
  }
}

TEST(Quantisers, DorefaWeightsAreUltranets) {
  const torch::Tensor w = torch::randn({64, 16, 3, 3});
  const QuantisedWeights q = QuantiseWeights(QuantiserKind::kDorefa, w, 4);
  EXPECT_EQ(q.step, 1.0 / 7);
  EXPECT_TRUE(torch::equal(
      q.integers, torch::round(torch::tanh(w) * (7 / torch::tanh(w).abs().max().item<double>()))));
}

TEST(Precision, BitStringsHaveADigitPerLayer) {
  EXPECT_EQ(BitString(*ParseBits("8246", 4)), "8246");
  for (const char* wrong : {"824", "82461", "8149", "824x"}) {
    EXPECT_FALSE(ParseBits(wrong, 4)) << wrong;
  }
}

}  // namespace
}  // namespace lichen
