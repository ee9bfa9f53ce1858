// The original's instruction streams: its compiler's results for 275 sets of arguments, and the program `lichen fusion`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "accel/fusion/stream_file.h"
#include "accel/fusion/stream_run.h"
#include "accel/fusion/stream_writer.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"
#include "base/test_path.h"
#include "net/graph_builder.h"
#include "net/model_file.h"
#include "tests/shared_data.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using fusion::WindowJob;
using testing::HasSubstr;

constexpr const char* kGolden = "golden/bitfusion";

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Hash(std::string_view text) {
  Sha256 hash;
  hash.Update(text);
  return ToHex(hash.Finish());
}

using Row = std::map<std::string, std::string>;

std::vector<Row> ReadCsv(const fs::path& path) {
  std::ifstream file(path);
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, ',');) {
      if (cell.ends_with('\r')) cell.pop_back();
      cells.push_back(cell);
    }
    return cells;
  };
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> names = split(line);
  std::vector<Row> rows;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = split(line);
    Row row;
    for (size_t i = 0; i < names.size(); ++i) row[names[i]] = i < cells.size() ? cells[i] : "";
    rows.push_back(std::move(row));
  }
  return rows;
}

WindowJob JobOf(const Row& row) {
  WindowJob job;
  job.mode = fusion::Mode::kCompat;
  job.input = *fusion::ParseShape3(row.at("input_image_shape"));
  job.kernel = *fusion::ParseShape3(row.at("kernel_shape"));
  job.padding = std::stoll(row.at("padding"));
  job.array = *fusion::ParseArray(row.at("bitfusion_dim"));
  job.ibuf_bytes = std::stoll(row.at("ibuf_size"));
  job.wbuf_bytes = std::stoll(row.at("wbuf_size"));
  job.obuf_bytes = std::stoll(row.at("obuf_size"));
  job.pair = {std::stoi(row.at("input_quant")), std::stoi(row.at("weight_quant"))};
  return job;
}

TEST(FusionGolden, EveryRowOfTheOracleIsReproduced) {
  LICHEN_NEEDS_SHARED(kGolden);
  int succeeded = 0, hashes = 0, failed_there = 0;
  for (const Row& row : ReadCsv(SharedData() / kGolden / "compiler_oracle.csv")) {
    SCOPED_TRACE(testing::PrintToString(row));
    const auto prepared = fusion::Prepare(JobOf(row));
    ASSERT_TRUE(prepared) << prepared.error().message;
    const auto text = fusion::WriteStream(prepared->job);
    ASSERT_TRUE(text) << text.error().message;
    if (row.at("gen_rc") != "0") {
      // (2,4), which works here.
      EXPECT_EQ(prepared->job.pair, (fusion::OperandPair{2, 4}));
      ++failed_there;
      continue;
    }
    ++succeeded;
    const fusion::Counts counts = fusion::Count(prepared->job);
    EXPECT_EQ(counts.cycles, std::stoll(row.at("cycles_used")));
    EXPECT_EQ(counts.bricks_used, std::stoll(row.at("bitbricks_used")));
    EXPECT_EQ(counts.bricks_total, std::stoll(row.at("bitbricks_total")));
    EXPECT_EQ(counts.units_used, std::stoll(row.at("fusionunits_used")));
    EXPECT_EQ(counts.units_total, std::stoll(row.at("fusionunits_total")));
    EXPECT_EQ(prepared->job.Windows(), std::stoll(row.at("windows")));
    if (!row.at("instr").empty()) {
      EXPECT_EQ(counts.instructions, std::stoll(row.at("instr")));
    }
    if (!row.at("max_cols_per_window").empty()) {
      EXPECT_EQ(prepared->job.ColumnsPerWindow(), std::stoll(row.at("max_cols_per_window")));
    }
    if (row.at("stream_sha256").empty()) continue;
    ++hashes;
    EXPECT_EQ(Hash(text->view()), row.at("stream_sha256"));
  }
  EXPECT_EQ(succeeded, 259);
  EXPECT_EQ(hashes, 250);
  EXPECT_EQ(failed_there, 16);
}

// NxHxW_KxRxS[_padP]_RxC_qI_W
WindowJob JobOfName(const std::string& name) {
  WindowJob job;
  job.mode = fusion::Mode::kCompat;
  std::istringstream parts(name);
  std::string part;
  std::getline(parts, part, '_');
  job.input = *fusion::ParseShape3(part);
  std::getline(parts, part, '_');
  job.kernel = *fusion::ParseShape3(part);
  std::getline(parts, part, '_');
  if (part.starts_with("pad")) {
    job.padding = std::stoll(part.substr(3));
    std::getline(parts, part, '_');
  }
  job.array = *fusion::ParseArray(part);
  std::getline(parts, part, '_');
  job.pair.input_bits = std::stoi(part.substr(1));
  std::getline(parts, part, '_');
  job.pair.weight_bits = std::stoi(part);
  job.ibuf_bytes = 256;
  job.obuf_bytes = 16384;
  return job;
}

TEST(FusionGolden, EveryStreamIsReproducedAndRuns) {
  LICHEN_NEEDS_SHARED(kGolden);
  std::set<std::pair<int, int>> pairs;
  for (const auto& entry : fs::directory_iterator(SharedData() / kGolden / "streams")) {
    SCOPED_TRACE(entry.path().filename());
    const auto prepared = fusion::Prepare(JobOfName(entry.path().stem().string()));
    ASSERT_TRUE(prepared) << prepared.error().message;
    const WindowJob& job = prepared->job;
    const std::string golden = ReadText(entry.path());
    const auto text = fusion::WriteStream(job);
    ASSERT_TRUE(text);
    EXPECT_TRUE(text->view() == golden);
    const fusion::Operands operands{
        std::vector<uint8_t>(static_cast<size_t>(job.InputBytes()), 1),
        std::vector<uint8_t>(static_cast<size_t>(job.WeightBytes()), 1)};
    const auto run = fusion::RunStream(job, operands, golden);
    ASSERT_TRUE(run) << run.error().message;
    EXPECT_EQ(run->sums, fusion::RunFast(job, operands).sums);
    pairs.insert({job.pair.input_bits, job.pair.weight_bits});
  }
  EXPECT_EQ(pairs.size(), 15U) << "all pairs but (2,4)";
}

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class FusionCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TestPath(testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    Write("x.npy", {1, 5, 5}, 255);
    Write("w.npy", {1, 2, 2}, 127);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& name, std::vector<int64_t> shape, int64_t value) {
    NpyArray array{.shape = std::move(shape)};
    array.integers.assign(static_cast<size_t>(array.Count()), value);
    ASSERT_TRUE(WriteNpy(folder_ / name, array));
  }

  // Runs `lichen fusion` in the folder.
  Ran Run(const std::string& arguments) {
    const int status = std::system(fmt::format("cd '{}' && '{}' fusion {} >.out 2>.err",
                                               folder_.string(), LICHEN_PROGRAM, arguments)
                                       .c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadText(folder_ / ".out"),
            ReadText(folder_ / ".err")};
  }

  void ExpectFailure(int exit_code, const std::string& arguments, const std::string& words) {
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.exit_code, exit_code) << arguments << ": " << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(words)) << arguments;
    EXPECT_EQ(ran.out, "") << arguments;
  }

  fs::path folder_;
};

constexpr const char* kExample =
    "--input-shape 1x5x5 --kernel-shape 1x2x2 --padding 0 --array 4x4 --ibuf 256 --wbuf 128 "
    "--obuf 16384 --input-bits 6 --weight-bits 6";

int CountOf(const std::string& text, const std::string& word) {
  int count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != text.npos; at += word.size()) ++count;
  return count;
}

TEST_F(FusionCommand, TheOriginalsExamplePrintsWhatItsReadmeSays) {
  for (const char* mode : {"compat", "fixed"}) {
    const Ran compiled = Run(fmt::format("compile {} --mode {} -o s.txt", kExample, mode));
    ASSERT_EQ(compiled.exit_code, 0) << compiled.err;
    EXPECT_EQ(compiled.err, "");
    EXPECT_THAT(compiled.out, HasSubstr("4 cycles, 576/1024 bricks, 48/64 units"));
    const Ran ran = Run("run s.txt --input x.npy --weights w.npy -o y.npy");
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    EXPECT_EQ(CountOf(ran.out, "7812"), 16) << ran.out;
    EXPECT_EQ(CountOf(ran.out, "255"), 25) << ran.out;
    EXPECT_EQ(CountOf(ran.out, "127"), 4) << ran.out;
    const auto output = ReadNpy(folder_ / "y.npy");
    ASSERT_TRUE(output);
    EXPECT_THAT(output->shape, testing::ElementsAre(1, 1, 4, 4));
    EXPECT_THAT(output->integers, testing::Each(7812));
  }
}

TEST_F(FusionCommand, JsonHasCountsHashAndOutput) {
  const Ran compiled = Run(fmt::format("compile {} --mode compat --json", kExample));
  const auto json = nlohmann::json::parse(compiled.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << compiled.out << compiled.err;
  EXPECT_EQ(json["mode"], "compat");
  EXPECT_EQ(json["cycles"], 4);
  EXPECT_EQ(json["bricks_used"], 576);
  EXPECT_EQ(json["bricks_total"], 1024);
  EXPECT_EQ(json["units_used"], 48);
  EXPECT_EQ(json["units_total"], 64);
  EXPECT_EQ(json["instructions"], 640);
  EXPECT_EQ(json["stream_sha256"],
            "852983e1892b51e37078d5a9e9d602c3cabc66c1a8d7a18005a64e2e81ea608b");
  EXPECT_EQ(Run(fmt::format("compile {} -o s.txt", kExample)).exit_code, 0);
  const Ran ran = Run("run s.txt --input x.npy --weights w.npy --fast --json");
  const auto result = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(result.is_object()) << ran.err;
  EXPECT_EQ(result["output"], std::vector<int>(16, 7812));
  EXPECT_EQ(result["output_shape"], (std::vector<int>{1, 1, 4, 4}));
  EXPECT_EQ(result["cycles"], 4);
}

TEST_F(FusionCommand, DefaultsAreTheOriginals) {
  const Ran ran = Run("compile --mode compat --json");
  const auto json = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << ran.err;
  EXPECT_EQ(json["input_shape"], (std::vector<int>{10, 28, 28}));
  EXPECT_EQ(json["kernel_shape"], (std::vector<int>{3, 3, 3}));
  EXPECT_EQ(json["array"], (std::vector<int>{16, 16}));
  EXPECT_EQ(json["cycles"], 10 * 3 * 26 * 26 / 16 + 1);
  EXPECT_THAT(ran.err, HasSubstr("exceed the input buffer's 128"));
  EXPECT_THAT(ran.err, HasSubstr("output buffer of 1024"));
  ExpectFailure(1, "compile", "give --ibuf 7840");
}

TEST_F(FusionCommand, CompatWarnsAndFixedComputes) {
  const std::string job =
      "--input-shape 5x5 --kernel-shape 2x2 --padding 2 --array 3x4 --ibuf 256 --obuf 4096 "
      "--input-bits 8 --weight-bits 8";
  const Ran compat = Run("compile " + job + " --mode compat -o c.txt");
  ASSERT_EQ(compat.exit_code, 0) << compat.err;
  EXPECT_THAT(compat.err, HasSubstr("padding 2 counts as 0"));
  EXPECT_THAT(compat.err, HasSubstr("partial sums of a window are not added"));
  const Ran parts = Run("run c.txt --input x.npy --weights w.npy -o c.npy");
  ASSERT_EQ(parts.exit_code, 0) << parts.err;
  EXPECT_THAT(ReadNpy(folder_ / "c.npy")->shape, testing::ElementsAre(1, 1, 4, 4, 2));
  const Ran fixed = Run("compile " + job + " -o f.txt");
  ASSERT_EQ(fixed.exit_code, 0) << fixed.err;
  EXPECT_EQ(fixed.err, "");
  const Ran ran = Run("run f.txt --input x.npy --weights w.npy -o f.npy");
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const auto output = ReadNpy(folder_ / "f.npy");
  EXPECT_THAT(output->shape, testing::ElementsAre(1, 1, 8, 8));
  EXPECT_EQ(output->integers[0], 0);
  EXPECT_EQ(output->integers[9], 255 * 127);
  EXPECT_EQ(output->integers[27], 4 * 255 * 127);
}

TEST_F(FusionCommand, AStreamAloneIsEnough) {
  ASSERT_EQ(Run(fmt::format("compile {} --padding 1 -o s.txt", kExample)).exit_code, 2)
      << "--padding twice";
  ASSERT_EQ(Run("compile --input-shape 5x5 --kernel-shape 2x2 --padding 1 --array 3x4 --obuf 4096 "
                "--input-bits 4 --weight-bits 6 -o s.txt")
                .exit_code,
            0);
  ASSERT_EQ(Run("run s.txt --input x.npy --weights w.npy -o a.npy").exit_code, 0);
  fs::remove(folder_ / "s.txt.json");
  const Ran alone = Run("run s.txt --input x.npy --weights w.npy -o b.npy --fast");
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_THAT(alone.err, HasSubstr("no s.txt.json: from the instructions padding 1"));
  EXPECT_TRUE(ReadText(folder_ / "a.npy") == ReadText(folder_ / "b.npy"));
}

TEST_F(FusionCommand, WrongFilesAndOptionsAreErrors) {
  ASSERT_EQ(Run(fmt::format("compile {} -o s.txt", kExample)).exit_code, 0);
  const std::string good = ReadText(folder_ / "s.txt");
  Write("six.npy", {1, 6, 6}, 1);
  Write("large.npy", {1, 5, 5}, 256);
  Write("line.npy", {25}, 1);
  ExpectFailure(2, "", "subcommand");
  ExpectFailure(2, "compile --input-shape 5", "'5' is no shape");
  ExpectFailure(2, "compile --mode wrong", "there are compat and fixed");
  ExpectFailure(2, "compile --layer conv", "--model");
  ExpectFailure(1, "compile --input-bits 3", "widths are 2, 4, 6 and 8");
  ExpectFailure(1, "compile --input-shape 0x5x5", "number of pictures is 0");
  ExpectFailure(1, "run s.txt --input six.npy --weights w.npy", "six.npy: has the shape 1x6x6");
  ExpectFailure(1, "run s.txt --input x.npy --weights six.npy", "compiled for 1x2x2");
  ExpectFailure(1, "run s.txt --input large.npy --weights w.npy", "the machine takes 0 to 255");
  ExpectFailure(1, "run s.txt --input line.npy --weights w.npy", "has 1 axes");
  ExpectFailure(1, "run s.txt --input x.npy --weights w.npy --padding 1", "line 644");
  ExpectFailure(1, "run absent --input x.npy --weights w.npy", "absent");
  // The stream changed under its description.
  std::string bad = good;
  bad.replace(bad.find("0x10-"), 5, "0x99-");
  ASSERT_TRUE(WriteFile(folder_ / "s.txt", std::string_view(bad)));
  ExpectFailure(1, "run s.txt --input x.npy --weights w.npy", "describes another stream");
  fs::remove(folder_ / "s.txt.json");
  ExpectFailure(1, "run s.txt --input x.npy --weights w.npy",
                "input byte 0x99: the padded pictures");
  bad = good;
  bad.replace(bad.find("0x10-"), 5, "0x11-");
  ASSERT_TRUE(WriteFile(folder_ / "s.txt", std::string_view(bad)));
  ExpectFailure(1, "run s.txt --input x.npy --weights w.npy --fast", "run it without --fast");
  for (const char* json :
       {"", "[]", "{}", R"({"mode": 5})",
        R"({"mode": "fixed", "input_shape": [1, -1, 5], "kernel_shape": [1, 2, 2]})"}) {
    ASSERT_TRUE(WriteFile(folder_ / "s.txt.json", std::string_view(json)));
    ExpectFailure(1, "run s.txt --input x.npy --weights w.npy", "s.txt.json: ");
  }
}

TEST_F(FusionCommand, TakesShapesAndWidthsFromALayer) {
  GraphBuilder<IntParams> b("main");
  const Geometry g{.kernel_h = 3,
                   .kernel_w = 3,
                   .stride_h = 2,
                   .stride_w = 2,
                   .pad_top = 1,
                   .pad_bottom = 1,
                   .pad_left = 1,
                   .pad_right = 1};
  IntParams p;
  p.weights.assign(4 * 9 * 2, -3);
  p.weight_bits = 3;
  p.requant.post_shift = 4;
  const TensorId x = b.Input({.name = "x", .channels = 2, .range = {0, 63}});
  b.Output(b.Add(OpKind::kConv2d, {x}, {.name = "conv", .channels = 4, .range = {0, 15}}, g, p));
  IntNet net;
  net.graphs.push_back(std::move(b).Build());
  ASSERT_TRUE(SaveModel(folder_ / "m.lichen", net));
  const Ran ran =
      Run("compile --model m.lichen --layer conv --size 7x9 --ibuf 4096 --obuf 4096 --json");
  const auto json = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << ran.err;
  EXPECT_EQ(json["input_shape"], (std::vector<int>{2, 7, 9}));
  EXPECT_EQ(json["kernel_shape"], (std::vector<int>{4, 3, 3}));
  EXPECT_EQ(json["padding"], 1);
  EXPECT_EQ(json["input_bits"], 6);
  EXPECT_EQ(json["weight_bits"], 4);
  EXPECT_EQ(json["bricks_used"], 2 * 4 * 7 * 9 * 9 * 6);
  for (const char* remark :
       {"weights of 3 bits take 4", "unsigned", "sum over input channels", "stride of 2x2"}) {
    EXPECT_THAT(ran.err, HasSubstr(remark));
  }
  ExpectFailure(1, "compile --model m.lichen --layer other --size 7x9", "convolutions: conv");
  ExpectFailure(2, "compile --model m.lichen --layer conv", "--size HEIGHTxWIDTH is required");
}

}  // namespace
}  // namespace lichen
