// The fusion machine's compiler and simulators against the reference engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

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

Plan TiledPlan() {
  Random random(9);
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 3, .range = {0, 63}});
  const TensorId y = b.Add(OpKind::kConv2d, {x}, {.name = "y", .channels = 6, .range = {0, 15}},
                           {.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1},
                           RandomParams(random, 6, 27, 4));
  b.Output(b.Add(OpKind::kConv2d, {y}, {.name = "z", .channels = 4, .range = {-128, 127}}, {},
                 RandomParams(random, 4, 6, 8)));
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  Design design{.rows = 4, .columns = 4, .column_sets = 1};
  design.input_buffer_words = 128;
  design.output_buffer_words = 128;
  auto compiled = Compile(std::move(net), "main", design, AnyBoard(), {17, 9});
  EXPECT_TRUE(compiled) << compiled.error().message;
  EXPECT_TRUE(compiled->fit.ok) << compiled->fit.reason;
  return std::move(compiled->plan);
}

std::string WhyNot(Plan plan) {
  for (size_t i = 0; i < plan.program.size(); ++i) {
    const EncodedInstruction bytes = Encode(plan.program[i]);
    std::ranges::copy(bytes, plan.constants.begin() + static_cast<int64_t>(i * kInstructionBytes));
  }
  const auto proof = Verify(plan);
  return proof ? "" : proof.error().message;
}

template <class T>
T& Nth(Plan& plan, size_t n) {
  for (Instruction& instruction : plan.program) {
    if (auto* found = std::get_if<T>(&instruction); found && n-- == 0) return *found;
  }
  throw std::logic_error("no such instruction");
}

TEST(FusionVerify, FindsEachPlantedFault) {
  const Plan plan = TiledPlan();
  ASSERT_EQ(WhyNot(plan), "");
  ASSERT_GT(plan.layers[0].mapping.tiles, 2);
  const std::vector<std::pair<std::function<void(Plan&)>, std::string>> faults = {
      {[](Plan& p) { Nth<Load>(p, 0).sync.wait = 0; }, "without its token"},
      {[](Plan& p) { Nth<Load>(p, 1).flip = 0; }, "given away without a flip"},
      {[](Plan& p) { Nth<Load>(p, 0).base = 60; }, "ends at word"},
      {[](Plan& p) { Nth<Load>(p, 0).memory.address += 1 << 20; }, "beyond the memory"},
      {[](Plan& p) { Nth<Weight>(p, 2).sync.signal = 0; }, "given away without a flip"},
      {[](Plan& p) { Nth<Weight>(p, 0).words = 60000; }, "do not fit"},
      {[](Plan& p) { Nth<Compute>(p, 0).sync.wait = 0; }, "without its token"},
      {[](Plan& p) { Nth<Compute>(p, 0).steps += 1; }, "were fetched"},
      {[](Plan& p) { Nth<Compute>(p, 0).columns = 200; }, "results end at word"},
      {[](Plan& p) { Nth<Compute>(p, 0).first_word = 1; }, "is next"},
      {[](Plan& p) { Nth<Store>(p, 0).sync.wait = 0; }, "without its token"},
      {[](Plan& p) { Nth<Store>(p, 1).memory.step0 = 0; }, "a second time"},
      {[](Plan& p) { Nth<Loop>(p, 0).count = 0; }, "is empty"},
      {[](Plan& p) { Nth<Loop>(p, 0).count = 60000; }, "a second time"},
      {[](Plan& p) { Nth<Next>(p, 0).level = 1; }, "not the innermost"},
  };
  for (size_t i = 0; i < faults.size(); ++i) {
    Plan damaged = plan;
    faults[i].first(damaged);
    EXPECT_NE(WhyNot(damaged), "") << "fault " << i;
    EXPECT_THAT(WhyNot(damaged), HasSubstr(faults[i].second)) << "fault " << i;
  }
}

TEST(FusionVerify, FindsALayerThatReadsTooEarly) {
  Plan plan = TiledPlan();
  for (Instruction& instruction : plan.program) {
    if (auto* load = std::get_if<Load>(&instruction)) {
      load->sync.wait &= ~Bit(Token::kStoreToLoad);
    }
  }
  EXPECT_THAT(WhyNot(plan), HasSubstr("before it is sure to be written"));
}

TEST(FusionInstruction, BinaryAndTextGiveItBack) {
  const Plan plan = TiledPlan();
  std::string text;
  for (const Instruction& instruction : plan.program) {
    const EncodedInstruction bytes = Encode(instruction);
    const auto decoded = Decode(bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, instruction);
    text += ToText(instruction) + "\n";
  }
  const auto assembled = Assemble(text);
  ASSERT_TRUE(assembled) << assembled.error().message;
  EXPECT_EQ(*assembled, plan.program);
  const auto unknown = Assemble("END\nJUMP where=3\n");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("line 2: unknown instruction 'JUMP'"));
  EncodedInstruction bytes{};
  bytes[0] = 9;
  EXPECT_FALSE(Decode(bytes));
}

TEST(FusionUnit, BricksAndProductsAreEqual) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    Step step;
    step.x_digits = int64_t{1} << random() % 3;
    step.w_digits = int64_t{1} << random() % 3;
    step.is_x_signed = random() % 2 == 0;
    step.is_w_signed = random() % 2 == 0;
    const auto x = static_cast<uint32_t>(random());
    const auto w = static_cast<uint32_t>(random());
    ASSERT_EQ(UnitSum(x, w, step, Arithmetic::kBricks), UnitSum(x, w, step, Arithmetic::kProducts));
  }
}

}  // namespace
}  // namespace lichen::fusion
