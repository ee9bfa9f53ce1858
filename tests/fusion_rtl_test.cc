// lichen emit and verify for the fusion machine: the RTL computes random networks, cycle for cycle as
// simulated, and planted faults are found. Needs Verilator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/test_path.h"
#include "net/check.h"
#include "net/model_file.h"
#include "tests/fusion_nets.h"

namespace lichen::fusion {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FusionBundle : public testing::Test {
 protected:
  FusionBundle() : folder_(TestPath("fusion")) { fs::create_directories(folder_); }
  ~FusionBundle() override { fs::remove_all(folder_); }

  static bool HasVerilator() { return std::system("command -v verilator >/dev/null 2>&1") == 0; }

  int Run(const std::string& arguments) const {
    const int status = std::system(fmt::format("cd {} && {} {} >out.txt 2>err.txt",
                                               folder_.string(), LICHEN_PROGRAM, arguments)
                                       .c_str());
    return WEXITSTATUS(status);
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  // Whether the network fits the design and was emitted.
  bool Emit(const IntNet& net, Size2 size) const {
    EXPECT_TRUE(SaveModel(folder_ / "m.lichen", Model(net)));
    const int code = Run(fmt::format(
        "compile m.lichen --family fusion --design d.toml --size {}x{} -o p.plan", size.h, size.w));
    if (code != 0) return false;
    EXPECT_EQ(Run("emit p.plan -o bundle"), 0) << Read("err.txt");
    return true;
  }

  fs::path folder_;
};

constexpr const char* kSmall = R"(
family = "fusion"
rows = 4
columns = 8
column_sets = 2
input_buffer_words = 256
weight_buffer_words = 64
step_buffer_words = 128
parameter_buffer_words = 16
output_buffer_words = 256
program_words = 256
)";
constexpr const char* kSmallest = R"(
family = "fusion"
rows = 2
columns = 4
column_sets = 1
input_buffer_words = 128
weight_buffer_words = 128
step_buffer_words = 128
parameter_buffer_words = 16
output_buffer_words = 128
program_words = 128
)";

TEST_F(FusionBundle, RtlEqualsTheEngineAndTheSimulatedCycles) {
  if (!HasVerilator()) GTEST_SKIP() << "Verilator is not installed";
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  Write("d.toml", kSmall);
  int done = 0;
  for (int round = 0; round < 400 && done < 8; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const Size2 size = {Between(random, 3, 20), Between(random, 3, 20)};
    const IntNet net = RandomNet(random, size, random() % 2 == 0 ? 1 : 3, false);
    if (!CheckIntNet(net) || !Emit(net, size)) continue;
    ++done;
    ASSERT_EQ(Run(fmt::format("verify bundle --json --seed {} --memory {}",
                              done % 2 == 0 ? 0 : done, done % 3 == 0 ? "ddr4" : "ideal")),
              0)
        << Read("err.txt") << Read("out.txt");
    const auto json = nlohmann::json::parse(Read("out.txt"));
    EXPECT_TRUE(json["equal"]);
    EXPECT_EQ(json["cycles_rtl"], json["cycles_sim"]);
    for (const auto& layer : json["layers"]) {
      EXPECT_TRUE(layer["equal"]) << layer["name"];
      EXPECT_EQ(layer["cycles_rtl"], layer["cycles_sim"]) << layer["name"];
    }
  }
  EXPECT_EQ(done, 8);
}

TEST_F(FusionBundle, PlantedFaultsAreFound) {
  if (!HasVerilator()) GTEST_SKIP() << "Verilator is not installed";
  // One convolution of several tiles, so that the program has a loop.
  Random random(5);
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 1, .range = {0, 255}});
  b.Output(b.Add(OpKind::kConv2d, {x}, {.name = "y", .channels = 5, .range = {-128, 127}},
                 {.kernel_h = 3, .kernel_w = 3}, RandomParams(random, 5, 9, 8)));
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  Write("d.toml", kSmallest);
  ASSERT_TRUE(Emit(net, {24, 10})) << Read("err.txt");
  ASSERT_THAT(Read("bundle/image/program.txt"), HasSubstr("LOOP"));
  const struct {
    const char* file;
    const char* right;
    const char* wrong;
  } faults[] = {
      // brick: takes all digits of weights as unsigned
      {"bundle/rtl/fusion/fusion_brick.sv", "w_signed_i & w_i[1]", "1'b0"},
      // fusion unit: a product's place
      {"bundle/rtl/fusion/fusion_unit.sv", "<<< (2 * (I + J))", "<<< (2 * I)"},
      // accumulator: begins with the sums of the set before
      {"bundle/rtl/fusion/fusion_array.sv", "(first ? '0 : acc_q)", "acc_q"},
      // sequencer: a loop runs once too often
      {"bundle/rtl/fusion/fusion_sequencer.sv", "next_iteration < limit_q",
       "next_iteration <= limit_q"},
  };
  for (const auto& fault : faults) {
    const std::string right = Read(fault.file);
    const size_t at = right.find(fault.right);
    ASSERT_NE(at, right.npos) << fault.file << ": " << fault.right;
    std::string wrong = right;
    wrong.replace(at, std::string_view(fault.right).size(), fault.wrong);
    Write(fault.file, wrong);
    EXPECT_EQ(Run("verify bundle"), 1) << fault.file;
    EXPECT_THAT(Read("err.txt"), HasSubstr("was edited"));
    const int code = Run("verify bundle --edited");
    EXPECT_TRUE(code == 3 || code == 1) << fault.file << ": " << code;
    // Not because it did not build.
    EXPECT_THAT(Read("err.txt"), testing::Not(HasSubstr("building the RTL"))) << fault.file;
    Write(fault.file, right);
  }
  EXPECT_EQ(Run("verify bundle"), 0) << Read("err.txt");
}

TEST_F(FusionBundle, BadInputIsNamed) {
  Random random(6);
  const IntNet net = RandomNet(random, {9, 9}, 1, false);
  ASSERT_TRUE(CheckIntNet(net));
  Write("d.toml", std::string(kSmall) + "clock_mhz = 900\n");
  EXPECT_FALSE(Emit(net, {9, 9}));
  EXPECT_THAT(Read("err.txt"), HasSubstr("clock_mhz is 900"));
  Write("d.toml", "family = \"fusion\"\nrows = 3\n");
  EXPECT_FALSE(Emit(net, {9, 9}));
  EXPECT_THAT(Read("err.txt"), HasSubstr("rows is 3: must be a power of two"));
  Write("d.toml", "family = \"fusion\"\nweight_buffer_words = 16\nrows = 2\ncolumns = 4\n");
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 3, .range = {0, 255}});
  IntParams params = RandomParams(random, 5, 147, 8);
  params.weights[0] = -128;
  params.weight_bits = 8;
  b.Output(b.Add(OpKind::kConv2d, {x}, {.name = "y", .channels = 5, .range = {-128, 127}},
                 {.kernel_h = 7, .kernel_w = 7}, std::move(params)));
  IntNet large;
  large.graphs.push_back(std::move(b).Build());
  ASSERT_TRUE(SaveModel(folder_ / "m.lichen", Model(large)));
  EXPECT_EQ(Run("compile m.lichen --family fusion --design d.toml --size 9x9 -o p.plan"), 3);
  EXPECT_THAT(Read("err.txt"), HasSubstr("weight_buffer_words is too small"));
  EXPECT_EQ(Run("compile m.lichen --family fusion --design d.toml --size 3x3"), 1);
  Write("d.toml", kSmall);
  ASSERT_TRUE(Emit(net, {9, 9})) << Read("err.txt");
  const std::string plan = Read("p.plan");
  for (size_t at = 0; at < plan.size(); at += 101) {
    std::string damaged = plan;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    Write("damaged.plan", damaged);
    EXPECT_EQ(Run("simulate damaged.plan"), 1) << at;
  }
}

}  // namespace
}  // namespace lichen::fusion
