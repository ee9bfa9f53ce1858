#include "train/streamlic.h"

#include <gtest/gtest.h>

#include <functional>

#include "engine/run_model.h"
#include "net/check.h"
#include "train/train_test_support.h"

namespace lichen {
namespace {

constexpr StageSwitches kQuantise = {.quantise = true};

// A network that is not where it begins.
std::shared_ptr<StreamLic> Shaken(const std::vector<double>& lambdas,
                                  const StageSwitches& switches = {}) {
  torch::manual_seed(3);
  auto module = std::make_shared<StreamLic>(
      NetworkRecipe{.width = 12, .latent_channels = 24, .hyper_channels = 12}, lambdas, switches);
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& p : module->parameters()) {
    p.add_(torch::randn_like(p) * (0.1 * p.abs().mean() + 0.002));
  }
  EXPECT_TRUE(module->StartStage(switches));
  return module;
}

// Rendered pictures, 0 to 1.
torch::Tensor Pictures(int64_t count, int64_t height, int64_t width) {
  torch::Tensor pictures = torch::empty({count, 3, height, width});
  for (int64_t i = 0; i < count; ++i) {
    const Image image = Rendered(height, width, static_cast<uint64_t>(i + 1));
    torch::Tensor samples = torch::empty({height, width, 3});
    for (int64_t y = 0; y < height; ++y) {
      std::copy_n(image.Row(y).data(), width * 3, samples.data_ptr<float>() + y * width * 3);
    }
    pictures[i] = samples.permute({2, 0, 1}) / 255;
  }
  return pictures;
}

torch::Tensor Rates(int64_t count, int64_t rate) {
  return torch::full({count}, rate, torch::kInt64);
}

CodecOutput Code(StreamLic& module, const torch::Tensor& pictures, int64_t rate, LatentMode mode) {
  return module.Forward(pictures, Rates(pictures.size(0), rate), mode,
                        at::detail::createCPUGenerator(1));
}

double Mse(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).square().mean().item<double>() * 255 * 255;
}

TEST(StreamLic, EveryActivationEqualsTheIntegerEngine) {
  const torch::Tensor pictures = Pictures(2, 64, 128);
  for (const int64_t rate : {0, 1}) {
    for (const bool is_masked : {false, true}) {
      StageSwitches switches = kQuantise;
      if (is_masked) {
        switches.mask = true;
        switches.context_blocks = switches.row_blocks = switches.parameter_blocks = 3;
      }
      const auto module = Shaken({0.05, 0.005}, switches);
      if (is_masked) {
        ASSERT_TRUE(module->MakeMasks());
      }
      {
        const torch::NoGradGuard no_grad;
        for (int i = 0; i < 2; ++i) Code(*module, pictures, rate, LatentMode::kRound);
      }
      const auto model = module->ToModel(rate, pictures);
      ASSERT_TRUE(model) << model.error().message;
      const auto& net = std::get<IntNet>(*model);
      const auto check = CheckIntNet(net);
      ASSERT_TRUE(check) << check.error().message;
      const torch::Tensor x = pictures.narrow(0, 1, 1).to(torch::kFloat64);
      std::map<std::string, torch::Tensor> own;
      module->Record(rate, x, &own);
      Tensor<int32_t> input({1, 64, 128, 3});
      const torch::Tensor samples =
          (x * 255).round().to(torch::kInt32).permute({0, 2, 3, 1}).contiguous();
      std::copy_n(samples.data_ptr<int32_t>(), samples.numel(), input.data());
      const auto run = RunModel(net, std::move(input), {}, Threads(2));
      ASSERT_TRUE(run) << run.error().message;
      int compared = 0;
      for (const auto& [name, tensor] : own) {
        const Tensor<int32_t>* engine = run->Find(name);
        if (!engine) continue;
        const torch::Tensor nhwc = tensor.permute({0, 2, 3, 1}).contiguous().to(torch::kInt32);
        ASSERT_EQ(nhwc.numel(), engine->shape().Count()) << name;
        EXPECT_TRUE(std::equal(engine->data(), engine->data() + engine->shape().Count(),
                               nhwc.data_ptr<int32_t>()))
            << name << " rate " << rate;
        EXPECT_GT(tensor.abs().max().item<double>(), 1) << name;
        ++compared;
      }
      EXPECT_GE(compared, 26);
      for (const char* name : {"y", "z_hat", "means", "pdf_index", "y_hat", "output"}) {
        EXPECT_TRUE(own.contains(name) && run->Find(name)) << name;
      }
    }
  }
}

TEST(StreamLic, SinglePrecisionIsNearlyTheIntegers) {
  const auto module = Shaken({0.02}, kQuantise);
  const torch::NoGradGuard no_grad;
  const torch::Tensor pictures = Pictures(1, 64, 128);
  Code(*module, pictures, 0, LatentMode::kRound);
  std::map<std::string, torch::Tensor> single, exact;
  module->Record(0, pictures, &single);
  module->Record(0, pictures.to(torch::kFloat64), &exact);
  for (const auto& [name, tensor] : exact) {
    if (name != "g_a.6" && name != "h_s.2") continue;
    const torch::Tensor off = (single[name] - tensor).abs();
    EXPECT_LE(off.max().item<double>(), 2) << name;
    EXPECT_LT((off > 0).to(torch::kFloat64).mean().item<double>(), 1e-2) << name;
  }
}

TEST(StreamLic, QuantisingChangesLittle) {
  const auto module = Shaken({0.05, 0.005});
  const torch::NoGradGuard no_grad;
  const torch::Tensor pictures = Pictures(2, 64, 128);
  for (const int64_t rate : {0, 1}) {
    const CodecOutput real = Code(*module, pictures, rate, LatentMode::kRound);
    module->SetQuantised(true);
    for (int i = 0; i < 2; ++i) Code(*module, pictures, rate, LatentMode::kRound);
    const CodecOutput integer = Code(*module, pictures, rate, LatentMode::kRound);
    module->SetQuantised(false);
    const double bits = real.bits.sum().item<double>();
    EXPECT_NEAR(integer.bits.sum().item<double>(), bits, 0.03 * bits);
    EXPECT_LT(Mse(real.picture, integer.picture), 0.2 * Mse(real.picture, pictures) + 2);
  }
}

// Part by part: through all of them, small differences decide which bounds are met.
TEST(StreamLic, QuantisedGradientsPointTheSameWay) {
  const auto module = Shaken({0.02});
  const torch::Tensor pictures = Pictures(2, 64, 64);
  const torch::Tensor rates = Rates(2, 0);
  torch::Tensor y, z;
  {
    const torch::NoGradGuard no_grad;
    y = torch::floor(module->Analyse(pictures, rates) * 16) / 16;
    z = torch::round(module->HyperAnalyse(y, rates));
  }
  const auto weighted = [](const torch::Tensor& x) {
    return (x * torch::arange(x.numel()).remainder(7).view_as(x)).sum();
  };
  const std::vector<std::function<torch::Tensor()>> parts = {
      [&] { return weighted(module->Analyse(pictures, rates)); },
      [&] { return weighted(module->HyperAnalyse(y, rates)); },
      [&] {
        const torch::Tensor global = module->HyperSynthesise(z, rates);
        const auto p = module->Predict(StreamLic::RowsAbove(y), global, rates);
        return weighted(p.mean) + weighted(p.index);
      },
      [&] { return weighted(module->Synthesise(y, rates)); }};
  size_t compared = 0;
  for (const auto& part : parts) {
    std::map<std::string, torch::Tensor> found[2];
    for (const bool is_quantised : {false, true, true}) {  // the first of these finds the ranges
      module->SetQuantised(is_quantised);
      for (torch::Tensor& p : module->parameters()) p.mutable_grad() = torch::Tensor();
      part().backward();
      for (const auto& p : module->named_parameters()) {
        if (p.value().grad().defined()) found[is_quantised][p.key()] = p.value().grad().clone();
      }
    }
    ASSERT_EQ(found[0].size(), found[1].size());
    for (const auto& [name, gradient] : found[0]) {
      const torch::Tensor& other = found[1].at(name);
      const double cosine = (gradient * other).sum().item<double>() /
                            (gradient.norm().item<double>() * other.norm().item<double>());
      EXPECT_GT(cosine, 0.97) << name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 50U);
}

TEST(StreamLic, RatesOfABatchDoNotTouchEachOther) {
  const auto module = Shaken({0.1, 0.01, 0.001});
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = Pictures(3, 64, 64);
  const auto generator = at::detail::createCPUGenerator(1);
  const auto together = module->Forward(x, torch::tensor({2, 0, 1}), LatentMode::kRound, generator);
  for (int64_t i = 0; i < 3; ++i) {
    const auto alone = Code(*module, x.narrow(0, i, 1), i == 0 ? 2 : i - 1, LatentMode::kRound);
    EXPECT_NEAR(alone.bits[0].item<double>(), together.bits[i].item<double>(),
                1e-3 * alone.bits[0].item<double>());
    EXPECT_LT(Mse(alone.picture[0], together.picture[i]), 0.1);
  }
}

TEST(StreamLic, EveryParameterIsTrained) {
  const auto module = Shaken({0.1, 0.01});
  const auto output = module->Forward(Pictures(2, 64, 64), torch::tensor({0, 1}),
                                      LatentMode::kNoise, at::detail::createCPUGenerator(2));
  (output.picture.square().sum() + output.bits.sum()).backward();
  for (const auto& p : module->named_parameters()) {
    ASSERT_TRUE(p.value().grad().defined()) << p.key();
    if (p.key() == "prior.bias_3") continue;  // cancels, as the median lies at 0
    EXPECT_GT(p.value().grad().abs().max().item<double>(), 0) << p.key();
  }
}

TEST(StreamLic, StartsAsATransformThatKeepsPictures) {
  torch::manual_seed(1);
  StreamLic module(NetworkRecipe{.width = 48, .latent_channels = 192, .hyper_channels = 96}, {0.05},
                   {});
  const torch::NoGradGuard no_grad;
  const torch::Tensor pictures = Pictures(1, 64, 64);
  const torch::Tensor y = module.Analyse(pictures, Rates(1, 0));
  EXPECT_LT(Mse(module.Synthesise(y, Rates(1, 0)), pictures), 400);
}

TEST(StreamLic, MasksKeepTheSameBlocksPerGroup) {
  StageSwitches switches = {.mask = true};
  switches.context_blocks = 5;
  switches.row_blocks = 4;
  switches.parameter_blocks = 3;
  const auto module = Shaken({0.02}, switches);
  const torch::Tensor pictures = Pictures(1, 64, 64);
  Code(*module, pictures, 0, LatentMode::kNoise);
  EXPECT_GT(module->Penalty().item<double>(), 0);
  ASSERT_TRUE(module->MakeMasks());
  EXPECT_FALSE(module->Penalty().defined());
  const auto model = module->ToModel(0, pictures);
  ASSERT_TRUE(model) << model.error().message;
  const auto& net = std::get<IntNet>(*model);
  const std::map<std::string, int> expected = {
      {"context_prediction.1", 5}, {"context_prediction.3", 4}, {"entropy_parameters.2", 3}};
  int seen = 0;
  for (const IntGraph& graph : net.graphs) {
    for (const IntNode& node : graph.nodes) {
      const std::string& name = graph.tensors[static_cast<size_t>(node.output.index)].name;
      if (!expected.contains(name)) continue;
      const std::vector<uint8_t>& mask = node.params.mask;
      const size_t groups = 48 / 12, per_group = mask.size() / groups;
      for (size_t g = 0; g < groups; ++g) {
        EXPECT_EQ(std::count(mask.begin() + static_cast<long>(g * per_group),
                             mask.begin() + static_cast<long>((g + 1) * per_group), 1),
                  expected.at(name))
            << name;
      }
      ++seen;
    }
  }
  EXPECT_EQ(seen, 3);
}

TEST(StreamLic, AFixedEncoderGetsNoGradient) {
  const auto module =
      Shaken({0.02}, {.quantise = true, .fixed_encoder = true, .hard_rounding = true});
  const torch::Tensor pictures = Pictures(1, 64, 64);
  const auto output = Code(*module, pictures, 0, LatentMode::kNoise);
  ((output.picture - pictures).square().sum() * 100 + output.bits.sum()).backward();
  for (const auto& p : module->named_parameters()) {
    const bool is_encoder = p.key().rfind("g_a", 0) == 0 || p.key().rfind("h_a", 0) == 0;
    if (is_encoder) {
      EXPECT_FALSE(p.value().grad().defined()) << p.key();
    } else if (p.key().rfind("g_s", 0) == 0) {
      EXPECT_TRUE(p.value().grad().defined()) << p.key();
    }
  }
}

TEST(StreamLic, TablesBeginAsTheDistributionsTheyReplaceAndLearn) {
  StageSwitches switches = {.quantise = true, .hard_rounding = true};
  const torch::Tensor pictures = Pictures(2, 64, 64);
  const auto gaussian = Shaken({0.02}, switches);
  double before = 0;
  {
    const torch::NoGradGuard no_grad;
    before = Code(*gaussian, pictures, 0, LatentMode::kRound).bits.sum().item<double>();
  }
  switches.tables = true;
  const auto module = Shaken({0.02}, switches);
  double first = 0, last = 0;
  for (int step = 0; step < 10; ++step) {
    const torch::Tensor bits = Code(*module, pictures, 0, LatentMode::kRound).bits.sum();
    last = bits.item<double>();
    if (step == 0) first = last;
    for (torch::Tensor& p : module->parameters()) p.mutable_grad() = torch::Tensor();
    bits.backward();
    const torch::NoGradGuard no_grad;
    for (const auto& p : module->named_parameters()) {
      if (!p.value().grad().defined()) continue;
      EXPECT_NE(p.key().find("tables"), std::string::npos) << p.key();
      p.value().sub_(p.value().grad().sign() * 0.15);
    }
  }
  EXPECT_NEAR(first, before, 0.01 * before);
  EXPECT_LT(last, 0.97 * first);
}

TEST(GaussianBits, AreThoseOfTheIntegral) {
  const torch::Tensor x = torch::tensor({0.0, 1.0, -3.0}, torch::kFloat64);
  const torch::Tensor index = torch::full({3}, 37.0, torch::kFloat64);  // scale 1
  const torch::Tensor bits = GaussianBits(x, torch::zeros({3}, torch::kFloat64), index);
  EXPECT_NEAR(bits[0].item<double>(), -std::log2(0.3829249), 1e-6);
  EXPECT_NEAR(bits[1].item<double>(), -std::log2(0.2417303), 1e-6);
  EXPECT_NEAR(bits[2].item<double>(), -std::log2(0.0059770), 1e-3);
}

}  // namespace
}  // namespace lichen
