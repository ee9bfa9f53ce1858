// lichen emit --synth: the estimate against Yosys, for the smallest engine. Needs Yosys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/test_path.h"
#include "net/graph_builder.h"
#include "net/model_file.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kDesign = R"(
pif = 1
pof = 8
poy = 1
pox = 3
epilogue_lanes = 2
input_buffer_words = 1536
weight_buffer_words = 3584
parameter_buffer_words = 64
middle_buffer_words = 256
output_buffer_words = 1024
dma_ports = 1
)";

IntNet Net() {
  IntParams p;
  for (int i = 0; i < 8 * 9 * 3; ++i) p.weights.push_back(static_cast<int16_t>(i % 7 - 3));
  p.weight_bits = 12;
  p.requant.multiplier.assign(8, 1);
  p.requant.bias.assign(8, 0);
  GraphBuilder<IntParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 3, .range = {0, 255}});
  b.Output(b.Add(
      OpKind::kConv2d, {x}, {.name = "a", .channels = 8, .range = {-16383, 16383}},
      {.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1},
      p));
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  return net;
}

class Synthesis : public testing::Test {
 protected:
  Synthesis() : folder_(TestPath("synth")) {
    fs::create_directories(folder_);
    EXPECT_TRUE(SaveModel(folder_ / "m.lichen", Model(Net())));
    std::ofstream(folder_ / "d.toml") << kDesign;
    EXPECT_EQ(Run("compile m.lichen --design d.toml --size 16x16 --graph main -o p.plan"), 0)
        << Read("err.txt");
  }
  ~Synthesis() override { fs::remove_all(folder_); }

  int Run(const std::string& arguments, const std::string& environment = "") {
    return WEXITSTATUS(
        std::system(fmt::format("cd {} && {} {} {} >out.txt 2>err.txt", folder_.string(),
                                environment, LICHEN_PROGRAM, arguments)
                        .c_str()));
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path folder_;
};

TEST_F(Synthesis, EstimateEqualsYosys) {
  if (std::system("command -v yosys >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "Yosys is not installed";
  }
  ASSERT_EQ(Run("emit p.plan -o bundle --synth --json"), 0) << Read("err.txt");
  const auto report = nlohmann::json::parse(Read("out.txt"))["synthesis"];
  EXPECT_TRUE(report["dsp_equal"]);
  EXPECT_TRUE(report["bram_equal"]);
  EXPECT_TRUE(report["lut_within_20_percent"]);
  EXPECT_TRUE(report["ff_within_20_percent"]);
  // Not because blocks make up for each other.
  for (const auto& block : report["blocks"]) {
    EXPECT_EQ(block["synthesised"]["dsp"], block["estimated"]["dsp"]) << block;
    EXPECT_EQ(block["synthesised"]["bram36"], block["estimated"]["bram36"]) << block;
  }
  EXPECT_GT(report["synthesised"]["lut"], 5000);
  // What the clock may be follows from this: above 8, at most 200 MHz.
  EXPECT_LE(report["levels"], 10);
  EXPECT_EQ(nlohmann::json::parse(Read("bundle/synth/report.json")), report);
  EXPECT_THAT(Read("bundle/synth/tile_fetch.log"), HasSubstr("SYNTH_XILINX"));
  // The bundle is as it was emitted.
  EXPECT_EQ(Read("bundle/manifest.json").find("synth/"), std::string::npos);
}

TEST_F(Synthesis, NeedsYosys) {
  EXPECT_EQ(Run("emit p.plan -o bundle --synth", "PATH="), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("yosys is not installed"));
}

}  // namespace
}  // namespace lichen
