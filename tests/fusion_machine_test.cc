// The fusion machine's compiler and simulators against the reference engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accel/fusion/machine.h"
#include "accel/fusion/plan.h"
#include "accel/fusion/simulate.h"
#include "engine/reference.h"
#include "net/check.h"
#include "tests/fusion_nets.h"

namespace lichen::fusion {
namespace {

using testing::HasSubstr;

Design RandomDesign(Random& random) {
  const auto power = [&](int64_t low, int64_t high) {
    return int64_t{1} << Between(random, low, high);
  };
  Design d;
  d.rows = power(0, 4);
  d.columns = power(2, 4);
  d.column_sets = power(0, 2);
  d.input_buffer_words = power(7, 11);
  d.weight_buffer_words = power(5, 9);
  d.step_buffer_words = power(7, 9);
  d.parameter_buffer_words = power(4, 6);
  d.output_buffer_words = power(7, 11);
  return d;
}

Tensor<int32_t> RandomInput(Random& random, const Shape& shape, ValueRange range) {
  Tensor<int32_t> tensor(shape);
  for (int32_t& v : tensor.span()) v = static_cast<int32_t>(Between(random, range.min, range.max));
  return tensor;
}

Board AnyBoard() {
  const auto board = LoadBoard("zcu102");
  EXPECT_TRUE(board) << board.error().message;
  return *board;
}

TEST(FusionMachine, EveryLayerEqualsTheReference) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  int compared = 0;
  int chunked = 0;
  int tiled = 0;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const Size2 size = {Between(random, 1, 24), Between(random, 1, 24)};
    const IntNet net = RandomNet(random, size, Between(random, 1, 20), random() % 2 == 0);
    if (!CheckIntNet(net)) continue;
    const Design design = RandomDesign(random);
    const auto compiled = Compile(net, "main", design, AnyBoard(), size);
    if (!compiled || !compiled->fit.ok) continue;  // a picture or buffers too small
    const Plan& plan = compiled->plan;
    const auto proof = Verify(plan);
    ASSERT_TRUE(proof) << proof.error().message;
    const TensorInfo& first = plan.net.graphs[0].tensors[0];
    const Tensor<int32_t> input =
        RandomInput(random, {1, size.h, size.w, first.channels}, first.range);
    std::vector<Tensor<int32_t>> inputs;
    inputs.push_back(input.Clone());
    const auto expected = RunReference(net.graphs[0], std::move(inputs), size);
    ASSERT_TRUE(expected) << expected.error().message;
    const auto check = [&](const PlannedLayer& layer, const Tensor<int32_t>& output) {
      const auto& tensor = (*expected)[static_cast<size_t>(layer.layer.output.index)];
      ASSERT_EQ(tensor.shape(), output.shape());
      EXPECT_TRUE(std::ranges::equal(tensor.span(), output.span())) << layer.layer.name;
      ++compared;
    };
    for (const auto simulate : {SimulateBricks, SimulateFast}) {
      const auto output = simulate(plan, input, check);
      ASSERT_TRUE(output) << output.error().message;
    }
    for (const PlannedLayer& layer : plan.layers) {
      chunked += layer.mapping.chunks > 2;
      tiled += layer.mapping.tiles > 2;
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(compared, 100);
  EXPECT_GT(chunked, 5);
  EXPECT_GT(tiled, 5);
}

}  // namespace
}  // namespace lichen::fusion
