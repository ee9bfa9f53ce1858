// The encoder with its analysis on the RTL, through the driver that a board has. Needs Verilator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "accel/tile/simulate.h"
#include "driver.h"
#include "engine/run_model.h"
#include "flow/model_input.h"
#include "net/model_file.h"
#include "pipe_bus.h"
#include "tests/codec_fixture.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kDesign = R"(
pif = 4
pof = 8
poy = 1
pox = 4
epilogue_lanes = 4
input_buffer_words = 1024
weight_buffer_words = 2048
parameter_buffer_words = 64
middle_buffer_words = 128
output_buffer_words = 1024
)";

class EncodeOnEngine : public testing::Test {
 protected:
  int Run(const std::string& line) {
    const int status = std::system(
        fmt::format("cd {} && {{ {}; }} >out.txt 2>err.txt", folder_.string(), line).c_str());
    return WEXITSTATUS(status);
  }
  int Lichen(const std::string& arguments) {
    return Run(fmt::format("{} {}", LICHEN_PROGRAM, arguments));
  }
  int Encode(const std::string& arguments) {
    return Run(fmt::format("{} {}", LICHEN_ENCODE_ON_ENGINE, arguments));
  }
  std::string Read(const std::string& name) const {
    const auto bytes = ReadFile(folder_ / name);
    return bytes ? std::string(bytes->begin(), bytes->end()) : "";
  }
  // The bundle of a graph, in a folder of its name.
  void Emit(const std::string& graph) {
    ASSERT_TRUE(SaveModel(folder_ / "m.lichen", Model(TestNet())));
    ASSERT_TRUE(WriteFile(folder_ / "d.toml", std::string_view(kDesign)));
    ASSERT_EQ(Lichen(fmt::format(
                  "compile m.lichen --design d.toml --size 48x64 --graph {0} -o {0}.plan", graph)),
              0)
        << Read("err.txt");
    ASSERT_EQ(Lichen(fmt::format("emit {0}.plan -o {0}", graph)), 0) << Read("err.txt");
  }
  // Packs rows of a tensor as run_engine wants them, or takes them apart.
  static tile::TensorPlace Packed(tile::TensorPlace place) {
    place.address_bytes = 0;
    place.row_stride_bytes = place.width * place.pixel_elements * place.element_bytes;
    return place;
  }

  // The bundle's own program, compiled as its comment says, in simulation.
  void RunEngineGivesWhatTheNetworkGives(const tile::Plan& plan, const Image& image) {
    ASSERT_EQ(Run("cd analysis/sw && g++ -std=c++20 -O1 -Wall -Wextra -Werror run_engine.cc "
                  "driver.cc uio_bus.cc pipe_bus.cc -o run_engine"),
              0)
        << Read("err.txt");
    auto input = PictureInput(plan.net, image);
    ASSERT_TRUE(input);
    const auto memory = tile::MakeMemory(plan, *input);
    ASSERT_TRUE(memory);
    auto run = RunModel(plan.net, std::move(*input), {}, Threads(1));
    ASSERT_TRUE(run);
    std::vector<uint8_t> raw;
    for (int64_t y = 0; y < plan.input().height; ++y) {
      const auto row =
          memory->begin() + plan.input().address_bytes + y * plan.input().row_stride_bytes;
      raw.insert(raw.end(), row, row + Packed(plan.input()).row_stride_bytes);
    }
    ASSERT_TRUE(WriteFile(folder_ / "in.raw", std::span<const uint8_t>(raw)));
    const std::string line =
        "analysis/sw/run_engine simulate analysis/build/verify "
        "analysis/image/constants.bin {} out.raw";
    ASSERT_EQ(Run(fmt::format(fmt::runtime(line), "in.raw")), 0) << Read("err.txt");
    const auto out = ReadFile(folder_ / "out.raw");
    ASSERT_TRUE(out);
    const Tensor<int32_t>* wanted = run->Find(plan.output().name);
    ASSERT_TRUE(wanted);
    const tile::TensorPlace packed = Packed(plan.output());
    ASSERT_EQ(out->size(), static_cast<size_t>(packed.height * packed.row_stride_bytes));
    EXPECT_TRUE(std::ranges::equal(tile::ReadTensor(packed, *out).span(), wanted->span()));
    EXPECT_EQ(Run(fmt::format(fmt::runtime(line), "m.lichen")), 1);
    EXPECT_THAT(Read("err.txt"), HasSubstr("m.lichen: has "));
  }

  // Errors of memory reach the driver's report.
  void FaultsAreReported(const tile::Plan& plan) {
    std::string error;
    rtl::PipeBus::Options options;
    options.memory_bytes = static_cast<uint64_t>(plan.memory_bytes);
    options.fault_begin = static_cast<uint64_t>(plan.output().address_bytes);
    options.fault_end = options.fault_begin + 1;
    const std::string model = (folder_ / "analysis/build/verify").string();
    const auto bus = rtl::PipeBus::Start(model, options, error);
    ASSERT_TRUE(bus) << error;
    rtl::Driver driver(*bus);
    EXPECT_EQ(driver.Load(plan.constants), "");
    uint64_t cycles = 0;
    EXPECT_THAT(driver.Run(cycles), HasSubstr("a write that memory answered with an error"));
    EXPECT_GT(cycles, 0U);
    EXPECT_EQ(driver.Write(options.memory_bytes, std::vector<uint8_t>(1)),
              "the engine's memory cannot be written");
    std::vector<uint8_t> two(2);
    EXPECT_EQ(driver.Read(options.memory_bytes - 1, two), "the engine's memory cannot be read");
    EXPECT_EQ(driver.Read(options.memory_bytes - 2, two), "");
    EXPECT_THAT(driver.Check({.pif = 4, .pof = 8, .poy = 1, .pox = 5}, 0),
                HasSubstr("the engine has pox = 4, the plan is for 5"));
    EXPECT_THAT(driver.Check({4, 8, 1, 4, 4, 16}, options.memory_bytes + 1), HasSubstr("needed"));
    EXPECT_EQ(driver.Check({4, 8, 1, 4, 4, 16}, options.memory_bytes), "");
    EXPECT_FALSE(rtl::PipeBus::Start("/bin/true", options, error));
    EXPECT_THAT(error, HasSubstr("does not answer as an engine"));
  }

  const fs::path folder_ = TestFolder();
};

TEST_F(EncodeOnEngine, GivesTheBytesOfLichenEncode) {
  if (std::system("command -v verilator >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "Verilator is not installed";
  }
  Emit("analysis");
  const Image image = RenderTestPicture(48, 64, 5, 4);  // its alpha goes around the engine
  ASSERT_TRUE(WriteImage(folder_ / "in.png", image));
  ASSERT_EQ(Lichen("encode in.png a.lic --model m.lichen"), 0) << Read("err.txt");

  EXPECT_EQ(Encode("--bundle analysis --simulate in.png b.lic"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("analysis/build/verify: No such file"));
  ASSERT_EQ(Lichen("verify analysis"), 0) << Read("err.txt");
  ASSERT_EQ(Encode("--bundle analysis --simulate in.png b.lic"), 0) << Read("err.txt");
  EXPECT_THAT(Read("out.txt"), HasSubstr("analysis on the engine in simulation: "));
  ASSERT_GT(Read("a.lic").size(), 100U);
  EXPECT_EQ(Read("a.lic"), Read("b.lic"));
  // A grey picture, which the network sees as colour.
  ASSERT_TRUE(WriteImage(folder_ / "grey.png", RenderTestPicture(48, 64, 6, 1)));
  ASSERT_EQ(Lichen("encode grey.png grey.lic --model m.lichen"), 0) << Read("err.txt");
  ASSERT_EQ(Encode("--bundle analysis --simulate grey.png b.lic"), 0) << Read("err.txt");
  EXPECT_EQ(Read("grey.lic"), Read("b.lic"));

  const auto plan = tile::LoadPlan(folder_ / "analysis.plan");
  ASSERT_TRUE(plan);
  RunEngineGivesWhatTheNetworkGives(*plan, image);
  FaultsAreReported(*plan);
}

TEST_F(EncodeOnEngine, BadInputIsNamed) {
  Emit("analysis");
  Emit("synthesis");
  ASSERT_TRUE(WriteImage(folder_ / "in.png", RenderTestPicture(48, 64, 5)));
  ASSERT_TRUE(WriteImage(folder_ / "big.png", RenderTestPicture(49, 64, 5)));
  EXPECT_EQ(Encode("--bundle synthesis --simulate in.png b.lic"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("is of graph 'synthesis'"));
  EXPECT_EQ(Encode("--bundle analysis --simulate big.png b.lic"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("big.png: is 49x64, the bundle is for 48x64"));
  EXPECT_EQ(Encode("--bundle analysis --uio /dev/absent --udmabuf /dev/absent in.png b.lic"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("/dev/absent: No such file"));
  EXPECT_EQ(Encode("--bundle nowhere --simulate in.png b.lic"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("nowhere/plan.plan"));
  EXPECT_EQ(Encode("--bundle analysis in.png b.lic"), 2);
  EXPECT_EQ(Encode("--bundle analysis --uio /dev/absent in.png b.lic"), 2);
  EXPECT_FALSE(fs::exists(folder_ / "b.lic"));
}

}  // namespace
}  // namespace lichen
