#include "train/cnn/depthwise.h"

#include <gtest/gtest.h>

#include "base/test_cpu_targets.h"

namespace lichen {
namespace {

struct Case {
  torch::ScalarType type;
  int64_t kernel, pad, channels, height, width;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.type << ", " << c.kernel << "x" << c.kernel << ", pad " << c.pad << ", " << c.channels
       << "x" << c.height << "x" << c.width;
}

class EveryDepthwise : public testing::TestWithParam<Case> {};

// Against the library in float64, for the same inputs: those that the type holds.
TEST_P(EveryDepthwise, HasTheLibrarysGradients) {
  const Case& c = GetParam();
  torch::manual_seed(5);
  const auto held = [&](at::IntArrayRef sizes) { return torch::randn(sizes).to(c.type); };
  const torch::Tensor x = held({3, c.channels, c.height, c.width});
  const torch::Tensor weight = held({c.channels, 1, c.kernel, c.kernel});
  const int64_t shrinks = c.kernel - 1 - 2 * c.pad;
  const torch::Tensor g = held({3, c.channels, c.height - shrinks, c.width - shrinks});
  const auto leaf = [](const torch::Tensor& t, torch::ScalarType type) {
    return t.to(type).clone(torch::MemoryFormat::ChannelsLast).requires_grad_();
  };
  const torch::Tensor x64 = leaf(x, torch::kFloat64), w64 = leaf(weight, torch::kFloat64);
  const torch::Tensor expected = torch::conv2d(x64, w64, {}, 1, {c.pad, c.pad}, 1, c.channels);
  expected.backward(g.to(torch::kFloat64));
  ForEachCpuTarget([&] {
    const torch::Tensor own_x = leaf(x, c.type), own_w = leaf(weight, c.type);
    const torch::Tensor found = DepthwiseConv(own_x, own_w, c.pad);
    found.backward(g);
    const double bound = c.type == torch::kFloat32 ? 1e-5 : 1e-2;
    const auto compare = [&](const char* what, const torch::Tensor& a, const torch::Tensor& b) {
      ASSERT_EQ(a.sizes(), b.sizes()) << what;
      EXPECT_LT((a - b.to(torch::kFloat64)).norm().item<double>(), bound * a.norm().item<double>())
          << what;
    };
    compare("output", expected.detach(), found.detach());
    compare("x", x64.grad(), own_x.grad());
    compare("weight", w64.grad(), own_w.grad());
  });
}

INSTANTIATE_TEST_SUITE_P(
    All, EveryDepthwise,
    testing::Values(Case{torch::kFloat32, 3, 1, 3, 9, 11}, Case{torch::kFloat32, 5, 2, 70, 6, 7},
                    Case{torch::kFloat32, 3, 0, 16, 5, 5}, Case{torch::kFloat32, 5, 1, 16, 8, 5},
                    Case{torch::kFloat32, 5, 2, 33, 1, 2},  // smaller than the kernel
                    Case{torch::kFloat32, 7, 3, 8, 9, 9},   // the library's
                    Case{torch::kBFloat16, 3, 1, 48, 70, 40},
                    Case{torch::kBFloat16, 5, 2, 35, 20, 40}));

// A first layer's input wants no gradient.
TEST(Depthwise, GivesTheWeightsGradientAlone) {
  const torch::Tensor x = torch::ones({1, 2, 4, 4});
  const torch::Tensor weight = torch::ones({2, 1, 3, 3}).requires_grad_();
  DepthwiseConv(x, weight, 1).sum().backward();
  const torch::Tensor one = torch::tensor({{9.F, 12.F, 9.F}, {12.F, 16.F, 12.F}, {9.F, 12.F, 9.F}});
  EXPECT_TRUE(torch::equal(weight.grad(), one.expand({2, 1, 3, 3})));
}

}  // namespace
}  // namespace lichen
