// The tile engine's compiler and simulator against the reference engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "accel/tile/estimate.h"
#include "accel/tile/plan.h"
#include "accel/tile/simulate.h"
#include "base/test_path.h"
#include "engine/reference.h"
#include "net/check.h"
#include "net/graph_builder.h"
#include "sw/relocate.h"

namespace lichen::tile {
namespace {

using testing::HasSubstr;

using Random = std::mt19937_64;

int64_t Between(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

IntParams RandomWeights(Random& random, int64_t count, int64_t fan_in, int64_t channels) {
  IntParams p;
  for (int64_t i = 0; i < count; ++i) {
    p.weights.push_back(static_cast<int16_t>(Between(random, -2000, 2000)));
  }
  p.weight_bits = 12;
  p.requant = {.multiplier = {}, .pre_shift = {}, .bias = {}, .post_shift = 14};
  for (int64_t c = 0; c < channels; ++c) {
    p.requant.multiplier.push_back(Between(random, 1, 60000 / (fan_in + 1)) * (c % 7 ? 1 : -1));
    p.requant.pre_shift.push_back(static_cast<uint8_t>(Between(random, 0, 6)));
    p.requant.bias.push_back(Between(random, -100000, 100000));
  }
  return p;
}

IntParams RandomNorm(Random& random, int64_t channels, bool is_gdn) {
  IntParams p = RandomWeights(random, channels * channels, channels, channels);
  for (int16_t& w : p.weights) w = static_cast<int16_t>(std::abs(w) / 8);
  for (int64_t& m : p.requant.multiplier) m = std::abs(m);
  p.requant.bias = {1 << 20};
  p.inner_range = {1, 1 << 20};
  p.output_requant = {.multiplier = {},
                      .pre_shift = {0},
                      .bias = {0},
                      .post_shift = static_cast<uint8_t>(is_gdn ? 0 : 12)};
  for (int64_t c = 0; c < channels; ++c) {
    p.output_requant.multiplier.push_back(is_gdn ? Between(random, 1, 1 << 20)
                                                 : Between(random, -60, 60));
  }
  return p;
}

constexpr ValueRange kOperand = {-16383, 16383};

// What may stand behind each other in a random network.
struct Chain {
  Random& random;
  GraphBuilder<IntParams> b{"main"};
  TensorId x;
  int64_t channels = 0;
  int names = 0;

  std::string Name(std::string_view what) { return fmt::format("{}{}", what, names++); }

  IntParams Requantiser() {
    IntParams p = RandomWeights(random, 0, 1, channels);
    p.weight_bits = 0;
    for (int64_t& m : p.requant.multiplier) m = Between(random, -90000, 90000);
    return p;
  }

  void Add(OpKind kind, int64_t out, const Geometry& g, IntParams params) {
    x = b.Add(kind, {x}, {.name = Name("t"), .channels = out, .range = kOperand}, g,
              std::move(params));
    channels = out;
  }

  void Convolve() {
    const bool is_up = random() % 3 == 0;
    const auto stride = static_cast<int32_t>(Between(random, 1, is_up ? 4 : 3));
    const auto kernel = static_cast<int32_t>(Between(random, stride, is_up ? 9 : 5));
    const int32_t pad = kernel / 2;
    // Groups of one channel, of several, or all.
    int64_t groups = channels;
    while (channels % groups != 0 || random() % 2 == 0) groups = std::max<int64_t>(1, groups - 1);
    if (random() % 2 == 0) groups = 1;
    const int64_t most = random() % 3 == 0 ? 3 : 24;
    const int64_t out = groups * Between(random, 1, std::max<int64_t>(1, most / groups));
    Geometry g{.kernel_h = kernel,
               .kernel_w = kernel,
               .stride_h = stride,
               .stride_w = stride,
               .pad_top = pad,
               .pad_left = pad,
               .groups = static_cast<int32_t>(groups)};
    if (!is_up) g.pad_bottom = g.pad_right = pad;
    const int64_t fan_in = kernel * kernel * channels / groups;
    Add(is_up ? OpKind::kConvTranspose2d : OpKind::kConv2d, out, g,
        RandomWeights(random, out * fan_in, fan_in, out));
    const int64_t norm = Between(random, 0, 3);
    if (norm == 1) Add(OpKind::kGdn, out, {}, RandomNorm(random, out, true));
    if (norm == 2) Add(OpKind::kIgdn, out, {}, RandomNorm(random, out, false));
  }

  void Copy() {
    const auto block = static_cast<int32_t>(Between(random, 2, 3));
    switch (Between(random, 0, 4)) {
      case 0:
        return Add(OpKind::kMaxPool, channels,
                   {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}, {});
      case 1:
        return Add(OpKind::kSpaceToDepth, channels * block * block, {.block = block}, {});
      case 2:
        if (channels % (block * block) != 0) return;
        return Add(OpKind::kDepthToSpace, channels / (block * block),
                   {.block = block, .crop = static_cast<int32_t>(Between(random, 0, 4))}, {});
      case 3:
        return Add(OpKind::kRequant, channels, {}, Requantiser());
      default:
        x = b.Add(OpKind::kClamp, {x},
                  {.name = Name("c"), .channels = channels, .range = {-700, 500}});
    }
  }

  TensorId Point(int64_t out) {
    return b.Add(OpKind::kConv2d, {x}, {.name = Name("p"), .channels = out, .range = kOperand}, {},
                 RandomWeights(random, out * channels, channels, out));
  }

  // What is made of the tensor, beside itself.
  void Branch() {
    const int64_t out = Between(random, 1, 20);
    std::vector<TensorId> parts = {Point(out)};
    int64_t sum = out;
    if (random() % 2 == 0) {
      parts.push_back(x);
      sum += channels;
    }
    if (random() % 2 == 0) {
      parts.push_back(Point(5));
      sum += 5;
    }
    x = b.Add(OpKind::kConcat, parts, {.name = Name("j"), .channels = sum, .range = kOperand});
    channels = sum;
  }
};

// Everything that the engine runs, in random order.
IntNet RandomNet(Random& random) {
  Chain chain{.random = random, .x = {}};
  chain.channels = Between(random, 1, 9);
  chain.x = chain.b.Input({.name = "x", .channels = chain.channels, .range = {-4080, 4080}});
  chain.Convolve();
  const int64_t more = Between(random, 0, 3);
  for (int64_t i = 0; i < more; ++i) {
    const int64_t what = Between(random, 0, 6);
    if (what < 3) chain.Convolve();
    if (what >= 3 && what < 6) chain.Copy();
    if (what == 6) chain.Branch();
  }
  chain.b.Output(chain.x);
  IntNet net;
  net.graphs.push_back(std::move(chain.b).Build());
  return net;
}

Design RandomDesign(Random& random) {
  Design d;
  d.operand_bits = 16;
  d.pif = int64_t{1} << Between(random, 0, 3);
  d.epilogue_lanes = std::max<int64_t>(d.pif << Between(random, 0, 1), 2);
  d.pof = std::max<int64_t>(d.epilogue_lanes << Between(random, 0, 1), 8 / d.pif);
  d.poy = Between(random, 1, 4);
  d.pox = Between(random, 1, 8);
  d.input_buffer_words = std::array{16384, 1024, 200}[random() % 3];
  // Of the small ones most layers need several blocks.
  d.weight_buffer_words = std::array{40000, 4096, 512, 100}[random() % 4];
  d.parameter_buffer_words = random() % 4 == 0 ? 6 : 1024;
  d.middle_buffer_words = 2048;
  d.output_buffer_words = Between(random, 0, 1) ? 16384 : 1024;
  if (random() % 3 == 0) {
    d.tile_rows = Between(random, 1, 8);
    d.tile_columns = Between(random, 1, 8);
  }
  if (random() % 4 == 0) d.tile_output_channels = Between(random, 1, 16);
  return d;
}

Tensor<int32_t> RandomInput(Random& random, Size2 size, int64_t channels) {
  Tensor<int32_t> tensor({1, size.h, size.w, channels});
  for (int32_t& value : tensor.span()) value = static_cast<int32_t>(Between(random, -4080, 4080));
  return tensor;
}

Board AnyBoard() {
  auto board = LoadBoard("zcu102");
  EXPECT_TRUE(board) << board.error().message;
  board->dsp = board->bram36 = board->lut = board->ff = 1 << 24;  // the most that a file may say
  return *board;
}

// What the plans of a test had among them.
class Seen {
 public:
  void Count(const Plan& plan) {
    for (const PlannedLayer& planned : plan.layers) {
      const Layer& layer = planned.layer;
      const Mapping& m = planned.mapping;
      ++counts_[std::string(Name(layer.node->kind))];
      counts_["groups"] += layer.groups > 1;
      counts_["cut phases"] += m.strips.size() > static_cast<size_t>(layer.y.phases);
      counts_["folded"] += m.is_folded;
      counts_["pooled convolution"] += layer.pools && !layer.Copies();
      counts_["part of a tensor"] += m.stores_pixels && m.order == LoopOrder::kTiles;
      counts_["blocks for each tile"] += m.Fetches() > 1;
      counts_["tiles for each block"] += m.order == LoopOrder::kBlocks;
      counts_["norm in blocks"] += m.blocks.size() > 1 && m.blocks.back().first_norm_group > 0;
      counts_["one input tile at a time"] += !m.is_input_double;
      counts_["one output tile at a time"] += !m.is_output_double;
    }
  }
  // Of all these, the one seen the least often.
  std::string Rarest() const {
    std::string rarest;
    for (const char* what :
         {"Conv2d", "ConvTranspose2d", "SpaceToDepth", "DepthToSpace", "Requant", "Clamp",
          "MaxPool", "Concat", "groups", "cut phases", "folded", "pooled convolution",
          "part of a tensor", "blocks for each tile", "tiles for each block", "norm in blocks",
          "one input tile at a time", "one output tile at a time"}) {
      if (rarest.empty() || CountOf(what) < CountOf(rarest)) rarest = what;
    }
    return rarest;
  }
  int64_t CountOf(const std::string& what) const {
    const auto at = counts_.find(what);
    return at == counts_.end() ? 0 : at->second;
  }

 private:
  std::map<std::string, int64_t> counts_;
};

TEST(TileEngine, EveryLayerEqualsTheReference) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  int compared = 0;
  Seen seen;
  // On until everything was there.
  for (int round = 0; round < 300 || (seen.CountOf(seen.Rarest()) < 2 && round < 5000); ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const IntNet net = RandomNet(random);
    if (!CheckIntNet(net)) continue;
    Size2 size = {Between(random, 1, 40), Between(random, 1, 40)};
    if (random() % 2 == 0) size = {size.h / 6 * 6 + 6, size.w / 6 * 6 + 6};
    const Design design = RandomDesign(random);
    auto compiled = Compile(net, "main", design, AnyBoard(), size);
    if (!compiled) continue;  // a picture too small for the network
    if (!compiled->fit.ok) continue;
    const auto proof = Verify(compiled->plan);
    ASSERT_TRUE(proof) << proof.error().message;
    seen.Count(compiled->plan);
    const Tensor<int32_t> input = RandomInput(random, size, net.graphs[0].tensors[0].channels);
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
    const auto output = SimulateValues(compiled->plan, input, check);
    ASSERT_TRUE(output) << output.error().message;
    for (const MemoryTiming& memory : {IdealMemory(), BoardMemory(AnyBoard(), design)}) {
      const auto trace = SimulateTime(compiled->plan, memory);
      ASSERT_TRUE(trace) << trace.error().message;
      EXPECT_GT(trace->cycles, 0);
      EXPECT_LE(trace->utilization, 1);
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(compared, 200);
  EXPECT_GE(seen.CountOf(seen.Rarest()), 2) << seen.Rarest();
}

// A network whose plan has two tiles and more, for programs to damage.
Plan TiledPlan(int64_t tile_rows = 2, int64_t tile_columns = 8) {
  Random random(7);
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 3, .range = {0, 255}});
  const TensorId y = b.Add(
      OpKind::kConv2d, {x}, {.name = "y", .channels = 8, .range = kOperand},
      {.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1},
      RandomWeights(random, 8 * 27, 27, 8));
  const TensorId n = b.Add(OpKind::kGdn, {y}, {.name = "n", .channels = 8, .range = kOperand}, {},
                           RandomNorm(random, 8, true));
  b.Output(b.Add(OpKind::kConv2d, {n}, {.name = "z", .channels = 4, .range = kOperand}, {},
                 RandomWeights(random, 32, 8, 4)));
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  Design design{.pif = 2, .pof = 4, .poy = 1, .pox = 4, .epilogue_lanes = 2};
  design.tile_rows = tile_rows;
  design.tile_columns = tile_columns;
  design.middle_buffer_words = 4096;
  auto compiled = Compile(std::move(net), "main", design, AnyBoard(), {16, 24});
  EXPECT_TRUE(compiled) << compiled.error().message;
  EXPECT_TRUE(compiled->fit.ok) << compiled->fit.reason;
  return std::move(compiled->plan);
}

std::string WhyNot(Plan plan) {
  for (size_t i = 0; i < plan.program.size(); ++i) {
    const EncodedInstruction bytes = Encode(plan.program[i]);
    std::copy(bytes.begin(), bytes.end(),
              plan.constants.begin() + static_cast<int64_t>(i * kInstructionBytes));
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

void TakeAllStoreSignals(Plan& plan) {
  for (Instruction& instruction : plan.program) {
    if (auto* store = std::get_if<Store>(&instruction)) store->sync.signal = 0;
  }
}

TEST(TileVerify, FindsEachPlantedFault) {
  const Plan plan = TiledPlan();
  ASSERT_EQ(WhyNot(plan), "");
  const std::vector<std::pair<std::function<void(Plan&)>, std::string>> faults = {
      {[](Plan& p) { Nth<Load>(p, 2).sync.wait = 0; }, "may overtake"},
      {[](Plan& p) { Nth<Compute>(p, 0).sync.wait = 0; }, "may overtake"},
      {[](Plan& p) { Nth<Store>(p, 0).sync.wait = 0; }, "may overtake"},
      {[](Plan& p) { TakeAllStoreSignals(p); }, "wait for each other"},
      {[](Plan& p) { Nth<Store>(p, 1).address_bytes = Nth<Store>(p, 0).address_bytes; },
       "a second time"},
      {[](Plan& p) { Nth<Store>(p, 0).valid_elements -= 8; }, "before it is written"},
      {[](Plan& p) { Nth<Store>(p, 0).run = 0; }, "run is 0"},
      {[](Plan& p) { Nth<Store>(p, 0).split = Nth<Store>(p, 0).run; }, "not within a run"},
      {[](Plan& p) { Nth<Load>(p, 0).base = 65000; }, "exceed"},
      {[](Plan& p) { Nth<Compute>(p, 0).source_base = 65000; }, "exceed"},
      {[](Plan& p) { Nth<Compute>(p, 1).target_base = 65000; }, "exceed"},
      {[](Plan& p) { Nth<Weight>(p, 1).words += 60000; }, "beyond the constants"},
      {[](Plan& p) { Nth<Weight>(p, 1).base = 65000; }, "exceed"},
      {[](Plan& p) { Nth<Load>(p, 0).address_bytes += 1 << 30; }, "outside of tensor x"},
  };
  for (size_t i = 0; i < faults.size(); ++i) {
    Plan damaged = plan;
    faults[i].first(damaged);
    EXPECT_THAT(WhyNot(damaged), HasSubstr(faults[i].second)) << "fault " << i;
  }
}

TEST(TileVerify, FindsALayerThatReadsTooEarly) {
  Plan plan = TiledPlan(16, 24);
  ASSERT_EQ(WhyNot(plan), "");
  Load& second = Nth<Load>(plan, 1);
  ASSERT_EQ(second.sync.wait, Bit(Token::kStoreToLoad));
  second.sync.wait = 0;
  EXPECT_THAT(WhyNot(plan), HasSubstr("may overtake the store of row 0 of n"));
}

TEST(TileVerify, TimeSimulationReportsDeadlock) {
  Plan plan = TiledPlan();
  TakeAllStoreSignals(plan);
  const auto trace = SimulateTime(plan, IdealMemory());
  ASSERT_FALSE(trace);
  EXPECT_THAT(trace.error().message, HasSubstr("wait for each other"));
}

TEST(TileCompile, SaysWhatDoesNotFit) {
  const Plan plan = TiledPlan();
  Design small = plan.design;
  small.input_buffer_words = 16;
  auto compiled = Compile(plan.net, "main", small, AnyBoard(), {16, 24});
  ASSERT_TRUE(compiled);
  EXPECT_FALSE(compiled->fit.ok);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("layer n: input_buffer_words is 16, "));
  Board tiny = AnyBoard();
  tiny.dsp = 10;
  compiled = Compile(plan.net, "main", plan.design, tiny, {16, 24});
  ASSERT_TRUE(compiled);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("DSP needed, zcu102 has 10"));
  Board narrow = AnyBoard();
  narrow.memory.port_bits = 64;
  compiled = Compile(plan.net, "main", plan.design, narrow, {16, 24});
  ASSERT_TRUE(compiled);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("dma_bits is 128, ports of zcu102 have 64"));
  auto pynq = LoadBoard("pynq-z2");
  ASSERT_TRUE(pynq) << pynq.error().message;
  compiled = Compile(plan.net, "main", plan.design, *pynq, {16, 24});
  ASSERT_TRUE(compiled);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("DSP48E2, pynq-z2 has dsp48e1"));
  compiled = Compile(plan.net, "main", plan.design, AnyBoard(), {1 << 13, 1 << 13});
  ASSERT_TRUE(compiled);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("tiles needed"));
}

TEST(TileCompile, KeepsToPins) {
  const Plan plan = TiledPlan();
  Design pinned = plan.design;
  pinned.tile_output_channels = 4;
  pinned.tiles = {{.layer = "z", .rows = 3, .columns = 8, .input_channels = 8}};
  auto compiled = Compile(plan.net, "main", pinned, AnyBoard(), {16, 24});
  ASSERT_TRUE(compiled) << compiled.error().message;
  ASSERT_TRUE(compiled->fit.ok) << compiled->fit.reason;
  // 8 channels in blocks of 4, of the convolution and of its norm.
  ASSERT_EQ(compiled->plan.layers[0].mapping.blocks.size(), 4U);
  EXPECT_EQ(compiled->plan.layers[0].mapping.tile_rows, 2);
  EXPECT_EQ(compiled->plan.layers[1].mapping.blocks.size(), 1U);
  EXPECT_EQ(compiled->plan.layers[1].mapping.tile_rows, 3);
  EXPECT_EQ(WhyNot(compiled->plan), "");
  const auto again = ParseDesign(ToToml(pinned), "design");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, pinned);
  pinned.tiles[0].input_channels = 4;
  compiled = Compile(plan.net, "main", pinned, AnyBoard(), {16, 24});
  ASSERT_TRUE(compiled);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("layer z: input_channels is pinned to 4: must be 8"));
  pinned.tiles.clear();
  pinned.tile_output_channels = 8;
  pinned.weight_buffer_words = 30;
  compiled = Compile(plan.net, "main", pinned, AnyBoard(), {16, 24});
  ASSERT_TRUE(compiled);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("layer n: blocks of 8 output channels exceed"));
  pinned.tile_output_channels = 0;
  pinned.weight_buffer_words = 16;
  compiled = Compile(plan.net, "main", pinned, AnyBoard(), {16, 24});
  ASSERT_TRUE(compiled);
  EXPECT_THAT(compiled->fit.reason, HasSubstr("layer n: weight_buffer_words is 16, 18 needed for"));
}

TEST(TileCompile, NamesWhatTheEngineCannotRun) {
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 4, .range = {-9, 9}});
  IntParams leaky;
  leaky.slope_shift = 3;
  b.Output(
      b.Add(OpKind::kLeakyRelu, {x}, {.name = "y", .channels = 4, .range = {-9, 9}}, {}, leaky));
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  const auto compiled = Compile(net, "main", Design{}, AnyBoard(), {8, 8});
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message, HasSubstr("layer y: LeakyRelu is not among"));
}

TEST(TilePlanFile, KeepsABoardOfOnesOwn) {
  Plan plan = TiledPlan();
  plan.board.name = "mine";
  plan.board.memory.latency_ns = 123.5;
  const auto path = TestPath("tile_test.plan");
  ASSERT_TRUE(SavePlan(path, plan));
  const auto loaded = LoadPlan(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(ToToml(loaded->board), ToToml(plan.board));
  EXPECT_EQ(loaded->constants, plan.constants);
}

TEST(TileDriver, RelocationMovesAllAddressesAndNothingElse) {
  const Plan plan = TiledPlan();
  constexpr uint64_t kOffset = 0x12'3400'0000;
  std::vector<uint8_t> program = plan.constants;
  rtl::Relocate(program, kOffset);
  for (size_t i = 0; i < plan.program.size(); ++i) {
    Instruction expected = plan.program[i];
    if (auto* load = std::get_if<Load>(&expected)) load->address_bytes += kOffset;
    if (auto* weight = std::get_if<Weight>(&expected)) weight->address_bytes += kOffset;
    if (auto* store = std::get_if<Store>(&expected)) store->address_bytes += kOffset;
    const auto moved =
        Decode(std::span(program).subspan(i * kInstructionBytes).first<kInstructionBytes>());
    ASSERT_TRUE(moved) << moved.error().message;
    EXPECT_EQ(*moved, expected) << i;
  }
  // Weights behind the program stay as they are.
  const auto end = static_cast<int64_t>(plan.program.size() * kInstructionBytes);
  EXPECT_TRUE(std::equal(program.begin() + end, program.end(), plan.constants.begin() + end));
}

TEST(TileEstimate, IsNearTheSimulation) {
  const Plan plan = TiledPlan();
  const Estimate estimate = EstimatePlan(plan);
  const auto trace = SimulateTime(plan, IdealMemory());
  ASSERT_TRUE(trace);
  // A tiny network: what happens once weighs more than in a real one.
  EXPECT_NEAR(static_cast<double>(estimate.cycles), static_cast<double>(trace->cycles),
              0.1 * static_cast<double>(trace->cycles));
}

}  // namespace
}  // namespace lichen::tile
