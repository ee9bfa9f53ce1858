// The search over designs of the tile engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "accel/tile/plan.h"
#include "base/test_path.h"
#include "explore/tile_space.h"
#include "net/graph_builder.h"
#include "net/model_file.h"

namespace lichen {
namespace {

using testing::HasSubstr;

// Two convolutions and a norm.
IntNet Net() {
  GraphBuilder<IntParams> b("main");
  const auto weights = [](size_t count, size_t channels) {
    IntParams p;
    for (size_t i = 0; i < count; ++i) p.weights.push_back(static_cast<int16_t>(i % 7));
    p.weight_bits = 4;
    p.requant.multiplier.assign(channels, 1);
    p.requant.pre_shift = {0};
    p.requant.bias = {0};
    p.requant.post_shift = 6;
    return p;
  };
  const ValueRange range = {-16383, 16383};
  const Geometry k5s2{.kernel_h = 5,
                      .kernel_w = 5,
                      .stride_h = 2,
                      .stride_w = 2,
                      .pad_top = 2,
                      .pad_bottom = 2,
                      .pad_left = 2,
                      .pad_right = 2};
  TensorId x = b.Input({.name = "x", .channels = 3, .range = {0, 255}});
  x = b.Add(OpKind::kConv2d, {x}, {.name = "a", .channels = 16, .range = range}, k5s2,
            weights(16 * 75, 16));
  IntParams gdn = weights(256, 16);
  gdn.requant.bias = {100};
  gdn.inner_range = {1, 1 << 20};
  gdn.output_requant.multiplier = {100};
  x = b.Add(OpKind::kGdn, {x}, {.name = "b", .channels = 16, .range = range}, {}, gdn);
  b.Output(b.Add(OpKind::kConv2d, {x}, {.name = "c", .channels = 16, .range = range}, k5s2,
                 weights(16 * 400, 16)));
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  return net;
}

TileSpace SmallSpace() {
  return {.pif = {2, 4},
          .pof = {4, 8},
          .poy = {1, 2},
          .pox = {4, 6},
          .weight_buffer_words = {0, 256},
          .input_buffer_words = {512, 2048},
          .middle_buffer_words = {64, 256},
          .output_buffer_words = {512, 2048},
          .tile_rows = {1, 4, 8},
          .tile_columns = {1, 2},
          .operand_bits = 16,
          .clock_mhz = 200,
          .least_macs = 1};
}

Board Zcu102() {
  auto board = LoadBoard("zcu102");
  EXPECT_TRUE(board) << board.error().message;
  return *board;
}

ExploreResult Explore(const ExploreOptions& options, int threads = 1) {
  auto result = ExploreTile(Net(), Zcu102(), {97, 130}, SmallSpace(), options, Threads(threads));
  EXPECT_TRUE(result) << result.error().message;
  return result ? std::move(*result) : ExploreResult{};
}

const std::vector<Objective> kAll = {Objective::kLatency, Objective::kDsp, Objective::kDram,
                                     Objective::kEnergy};

TEST(Explore, PruningLosesNoParetoPoint) {
  for (const auto& objectives :
       {kAll, {Objective::kLatency}, {Objective::kDram, Objective::kDsp}}) {
    const ExploreResult pruned = Explore({.objectives = objectives});
    const ExploreResult all = Explore({.objectives = objectives, .is_pruned = false});
    EXPECT_EQ(all.pruned, 0);
    EXPECT_EQ(pruned.evaluated + pruned.pruned, all.evaluated);
    EXPECT_LT(pruned.evaluated, all.evaluated / 2);
    ASSERT_FALSE(all.points.empty());
    EXPECT_EQ(ToCsv(pruned), ToCsv(all));
    EXPECT_EQ(ToJson(pruned).substr(ToJson(pruned).find("\"points\"")),
              ToJson(all).substr(ToJson(all).find("\"points\"")));
  }
}

TEST(Explore, ThreadsAndPartsGiveTheSameSet) {
  const ExploreResult one = Explore({.objectives = kAll});
  EXPECT_EQ(ToCsv(Explore({.objectives = kAll}, 3)), ToCsv(one));
  std::vector<ExploreResult> parts;
  for (int64_t part = 0; part < 4; ++part) {
    parts.push_back(Explore({.objectives = kAll, .part = part, .parts = 4}));
  }
  EXPECT_EQ(ToCsv(Merge(std::move(parts), kAll)), ToCsv(one));
}

TEST(Explore, GoesOnFromItsJournal) {
  const auto path = TestPath("explore_test.journal");
  std::filesystem::remove(path);
  const ExploreResult first = Explore({.objectives = kAll, .journal = path});
  // As if the search had been killed while it wrote.
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  text.resize(text.size() / 2);
  std::ofstream(path) << text;
  EXPECT_EQ(ToCsv(Explore({.objectives = kAll, .journal = path})), ToCsv(first));
  // A line that is whole, but holds something else.
  std::ofstream(path) << text.substr(0, text.find('\n') + 1)
                      << "{\"name\":\"2x4x1x4\",\"result\":{\"points\":3}}\n";
  const auto damaged = ExploreTile(Net(), Zcu102(), {97, 130}, SmallSpace(),
                                   {.objectives = kAll, .journal = path}, Threads(1));
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("is damaged"));
  const auto other = ExploreTile(Net(), Zcu102(), {97, 131}, SmallSpace(),
                                 {.objectives = kAll, .journal = path}, Threads(1));
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("belongs to another search"));
  std::filesystem::remove(path);
}

// What the search says of a point, compiling its design gives.
TEST(Explore, PointsCompileToTheirTiles) {
  const ExploreResult result = Explore({.objectives = kAll});
  for (const TilePoint& point : result.points) {
    const auto again = tile::ParseDesign(ToToml(point.design), "design");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, point.design);
    const auto compiled = tile::Compile(Net(), "main", *again, Zcu102(), {97, 130});
    ASSERT_TRUE(compiled) << compiled.error().message;
    ASSERT_TRUE(compiled->fit.ok) << compiled->fit.reason;
    for (size_t i = 0; i < compiled->plan.layers.size(); ++i) {
      EXPECT_EQ(compiled->plan.layers[i].mapping.tile_rows, point.design.tiles[i].rows);
      EXPECT_EQ(compiled->plan.layers[i].mapping.tile_columns, point.design.tiles[i].columns);
    }
  }
}

std::string Text(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {(std::istreambuf_iterator<char>(in)), {}};
}

TEST(Explore, FourProcessesFindTheSameSet) {
  const std::filesystem::path program = LICHEN_PROGRAM;
  if (!std::filesystem::exists(program.parent_path() / "lichen_mpi.so") ||
      std::system("command -v mpirun >/dev/null") != 0) {
    GTEST_SKIP() << "this build found no MPI";
  }
  const auto folder = TestPath("explore_mpi");
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto saved = SaveModel(folder / "m.lichen", Model(Net()));
  ASSERT_TRUE(saved) << saved.error().message;
  const std::string arguments =
      " explore m.lichen --size 97x130 --objective latency --threads 1 -o ";
  ASSERT_EQ(std::system(fmt::format("cd {} && {} {} one >one.txt", folder.string(),
                                    program.string(), arguments)
                            .c_str()),
            0);
  ASSERT_EQ(std::system(fmt::format("cd {} && mpirun --allow-run-as-root --oversubscribe -n 4 {} "
                                    "{} four --mpi >four.txt",
                                    folder.string(), program.string(), arguments)
                            .c_str()),
            0);
  const std::string one = Text(folder / "one/pareto.csv");
  EXPECT_GT(one.size(), 200U);
  EXPECT_EQ(Text(folder / "four/pareto.csv"), one);
  std::filesystem::remove_all(folder);
}

TEST(Explore, RefusesUnknownObjectives) {
  const auto objectives = ParseObjectives("latency,beauty");
  ASSERT_FALSE(objectives);
  EXPECT_THAT(objectives.error().message, HasSubstr("'beauty'"));
}

}  // namespace
}  // namespace lichen
