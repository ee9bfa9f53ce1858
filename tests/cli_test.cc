// The program `lichen` as its users meet it: exit codes, messages, JSON, and outputs that are whole or absent.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/npy.h"
#include "base/test_path.h"
#include "image/reader.h"
#include "tests/shared_data.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteText(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// A folder with rendered pictures and a codec fitted to them, made by the program itself.
class Cli : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = TestPath("cli");
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "pictures");
    for (const char* seed : {"1", "2", "3"}) {
      const std::string picture = fmt::format("pictures/{}.png", seed);
      ASSERT_EQ(Run({"render", picture, "--size", "200x264", "--seed", seed}).exit_code, 0);
    }
    WriteText(folder_ / "pictures/readme.txt", "no picture");
    ASSERT_EQ(Run({"fit", "--calib", "pictures", "-o", "float.lichen"}).exit_code, 0);
    ASSERT_EQ(
        Run({"quantize", "float.lichen", "--calib", "pictures", "-o", "int.lichen"}).exit_code, 0);
    ASSERT_EQ(Run({"quantize", "float.lichen", "--bits", "8", "--calib", "pictures", "-o",
                   "other.lichen"})
                  .exit_code,
              0);
    ASSERT_EQ(Run({"encode", "pictures/1.png", "1.lic", "--model", "int.lichen"}).exit_code, 0);
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  // Runs the program in the folder.
  static Ran Run(const std::vector<std::string>& arguments, const std::string& environment = "") {
    std::string line =
        fmt::format("cd '{}' && {} '{}'", folder_.string(), environment, LICHEN_PROGRAM);
    for (const std::string& argument : arguments) line += fmt::format(" '{}'", argument);
    const fs::path out = folder_ / ".out", err = folder_ / ".err";
    line += fmt::format(" >'{}' 2>'{}'", out.string(), err.string());
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadText(out), ReadText(err)};
  }

  static Json RunJson(std::vector<std::string> arguments, const std::string& environment = "") {
    arguments.push_back("--json");
    const Ran ran = Run(arguments, environment);
    EXPECT_EQ(ran.exit_code, 0) << arguments[0] << ": " << ran.err;
    const Json json = Json::parse(ran.out, nullptr, false);
    EXPECT_TRUE(json.is_object()) << arguments[0] << " printed: " << ran.out;
    return json;
  }

  // Expects failure with a message that holds `words`, nothing on standard output and no file `output`.
  static void ExpectFailure(int exit_code, const std::vector<std::string>& arguments,
                            const std::string& words, const std::string& output = "") {
    const Ran ran = Run(arguments);
    const std::string what = testing::PrintToString(arguments) + ": " + ran.err;
    EXPECT_EQ(ran.exit_code, exit_code) << what;
    EXPECT_NE(ran.err.find(words), std::string::npos) << what;
    EXPECT_EQ(ran.out, "") << what;
    if (!output.empty()) {
      EXPECT_FALSE(fs::exists(folder_ / output)) << what;
    }
    for (const auto& entry : fs::directory_iterator(folder_)) {
      EXPECT_EQ(entry.path().string().find(".part"), std::string::npos) << what;
    }
  }

  static inline fs::path folder_;
};

TEST_F(Cli, EveryCommandExplainsItself) {
  const Ran all = Run({"--help"});
  EXPECT_EQ(all.exit_code, 0);
  for (const char* command : {"import", "export", "info", "run", "quantize", "encode", "decode",
                              "eval", "fit", "report", "bench", "compare", "render"}) {
    EXPECT_NE(all.out.find(command), std::string::npos) << command;
    const Ran ran = Run({command, "--help"});
    EXPECT_EQ(ran.exit_code, 0) << command;
    for (const char* option : {"--json", "--threads", "--cpu-targets"}) {
      EXPECT_NE(ran.out.find(option), std::string::npos) << command << " " << option;
    }
  }
  EXPECT_EQ(Run({"--version"}).exit_code, 0);
}

TEST_F(Cli, WrongUsageExitsWithTwo) {
  ExpectFailure(2, {}, "Usage");
  ExpectFailure(2, {"frobnicate"}, "unknown command 'frobnicate'");
  ExpectFailure(2, {"info", "1.lic", "--frobnicate"}, "--frobnicate");
  ExpectFailure(2, {"encode", "pictures/1.png"}, "OUT");
  ExpectFailure(2, {"encode", "pictures/1.png", "x.lic", "--threads", "many"}, "--threads");
  ExpectFailure(2, {"import", "nosuch", "in", "-o", "x.lichen"}, "nosuch", "x.lichen");
  ExpectFailure(2, {"import", "xlic"}, "import");
  ExpectFailure(2, {"export", "int.lichen", "-o", "x"}, "--format", "x");
  ExpectFailure(2, {"export", "int.lichen", "--format", "onnx", "-o", "x"}, "onnx", "x");
  ExpectFailure(2, {"report", "log.jsonl"}, "--output");
  ExpectFailure(2, {"encode", "pictures/1.png", "x.lic", "--quality", "0"}, "--quality", "x.lic");
  ExpectFailure(2, {"encode", "pictures/1.png", "x.lic", "--bpp", "0"}, "--bpp", "x.lic");
  ExpectFailure(2, {"encode", "pictures/1.png", "x.lic", "--bpp", "1", "--psnr", "30"}, "excludes",
                "x.lic");
  ExpectFailure(2, {"encode", "pictures/1.png", "x.lic", "--bpp", "1", "--model", "int.lichen"},
                "excludes", "x.lic");
  ExpectFailure(2, {"render", "x.png", "--size", "12"}, "HEIGHTxWIDTH", "x.png");
  ExpectFailure(2, {"run", "int.lichen"}, "--image");
  ExpectFailure(2, {"decode", "1.lic", "x.png", "--model", "int.lichen", "--crop", "1,2,3"},
                "X,Y,WIDTH,HEIGHT", "x.png");
  ExpectFailure(2, {"decode", "1.lic", "x.png", "--model", "int.lichen", "--crop", "0,0,265,1"},
                "not within", "x.png");
  ExpectFailure(
      2, {"quantize", "float.lichen", "--calib", "pictures", "-o", "x.lichen", "--bits", "12"},
      "--bits", "x.lichen");
  ExpectFailure(
      2, {"quantize", "float.lichen", "--calib", "pictures", "-o", "x.lichen", "--layer", "y"},
      "NAME=OPERAND/WEIGHT", "x.lichen");
}

TEST_F(Cli, UnknownCpuTargetIsRefused) {
  const Ran ran = Run({"info", "int.lichen", "--cpu-targets", "z80"});
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_NE(ran.err.find("z80"), std::string::npos);
}

TEST_F(Cli, BadPicturesExitWithOneAndLeaveNothing) {
  const auto encode = [](const std::string& input) {
    return std::vector<std::string>{"encode", input, "x.lic", "--model", "int.lichen"};
  };
  WriteText(folder_ / "empty.png", "");
  WriteText(folder_ / "text.png", "this is no picture");
  const std::string png = ReadText(folder_ / "pictures/1.png");
  WriteText(folder_ / "short.png", png.substr(0, png.size() / 2));
  ExpectFailure(1, encode("missing.png"), "missing.png", "x.lic");
  ExpectFailure(1, encode("pictures"), "directory", "x.lic");
  ExpectFailure(1, encode("empty.png"), "empty.png", "x.lic");
  ExpectFailure(1, encode("text.png"), "not a PNG", "x.lic");
  ExpectFailure(1, encode("short.png"), "short.png", "x.lic");
  ExpectFailure(1, {"run", "int.lichen", "--image", "text.png", "--output", "x.png"}, "text.png",
                "x.png");
  ExpectFailure(1, {"compare", "pictures/1.png", "text.png"}, "text.png");
  ExpectFailure(1, {"encode", "pictures/1.png", "pictures", "--model", "int.lichen"}, "directory");
}

TEST_F(Cli, BadModelsExitWithOneAndLeaveNothing) {
  const auto encode = [](const std::string& model) {
    return std::vector<std::string>{"encode", "pictures/1.png", "x.lic", "--model", model};
  };
  const std::string model = ReadText(folder_ / "int.lichen");
  WriteText(folder_ / "short.lichen", model.substr(0, model.size() - 9));
  WriteText(folder_ / "stub.lichen", model.substr(0, 6));
  std::string flipped = model;
  flipped[model.size() / 2] ^= 4;
  WriteText(folder_ / "flipped.lichen", flipped);
  for (const char* name : {"missing.lichen", "short.lichen", "stub.lichen", "flipped.lichen",
                           "pictures", "pictures/1.png"}) {
    ExpectFailure(1, encode(name), name, "x.lic");
    ExpectFailure(1, {"info", name}, name);
  }
  ExpectFailure(1, encode("float.lichen"), "lichen quantize", "x.lic");
  ExpectFailure(1, {"quantize", "int.lichen", "--calib", "pictures", "-o", "x.lichen"},
                "integer network already", "x.lichen");
  ExpectFailure(1, {"quantize", "float.lichen", "--calib", "missing", "-o", "x.lichen"}, "missing",
                "x.lichen");
}

TEST_F(Cli, BadBitstreamsExitWithOneAndLeaveNothing) {
  const auto decode = [](const std::string& input, const std::string& model) {
    return std::vector<std::string>{"decode", input, "x.png", "--model", model};
  };
  const std::string stream = ReadText(folder_ / "1.lic");
  for (const size_t size : {size_t{0}, size_t{3}, size_t{70}, stream.size() - 1}) {
    WriteText(folder_ / "short.lic", stream.substr(0, size));
    ExpectFailure(1, decode("short.lic", "int.lichen"), "short.lic", "x.png");
  }
  ExpectFailure(1, decode("1.lic", "other.lichen"), "--model", "x.png");
  ExpectFailure(1, decode("missing.lic", "int.lichen"), "missing.lic", "x.png");
  ExpectFailure(1, decode("pictures", "int.lichen"), "directory", "x.png");
  ExpectFailure(1, decode("pictures/1.png", "int.lichen"), "pictures/1.png", "x.png");
  ExpectFailure(1, {"decode", "1.lic", "x.tiff", "--model", "int.lichen"}, "x.tiff", "x.tiff");
}

TEST_F(Cli, AKilledEncodeLeavesNothing) {
  ASSERT_EQ(Run({"render", "large.ppm", "--size", "3000x4000"}).exit_code, 0);
  const std::string line = fmt::format(
      "cd '{}' && timeout -s KILL 0.3 '{}' encode large.ppm killed/large.lic --model int.lichen "
      "--cpu-targets scalar --threads 1",
      folder_.string(), LICHEN_PROGRAM);
  ASSERT_NE(std::system(line.c_str()), 0) << "it was done before it could be killed";
  EXPECT_TRUE(fs::is_empty(folder_ / "killed"));
  fs::remove(folder_ / "large.ppm");
}

TEST_F(Cli, TheDefaultModelComesFromTheEnvironment) {
  fs::create_directories(folder_ / "models");
  const std::vector<std::string> encode = {"encode", "pictures/1.png", "default.lic"};
  Ran ran = Run(encode, "LICHEN_MODELS=models");
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("--model"), std::string::npos) << ran.err;
  fs::copy(folder_ / "int.lichen", folder_ / "models/default.lichen");
  ran = Run(encode, "LICHEN_MODELS=models");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ReadText(folder_ / "default.lic"), ReadText(folder_ / "1.lic"));
}

// Three codecs of rising rate, and an index of them.
class CliModels : public Cli {
 protected:
  static void SetUpTestSuite() {
    Cli::SetUpTestSuite();
    fs::create_directories(folder_ / "set");
    std::string index = "default = \"step24\"\n";
    for (const char* step : {"64", "8", "24"}) {  // in any order
      const std::string file = fmt::format("set/step{}.lichen", step);
      ASSERT_EQ(Run({"fit", "--calib", "pictures", "-o", "f.lichen", "--step", step}).exit_code, 0);
      ASSERT_EQ(Run({"quantize", "f.lichen", "--calib", "pictures", "-o", file}).exit_code, 0);
      const Json json = RunJson({"encode", "pictures/1.png", "x.lic", "--model", file});
      ASSERT_EQ(Run({"decode", "x.lic", "x.png", "--model", file}).exit_code, 0);
      const Json compared = RunJson({"compare", "pictures/1.png", "x.png"});
      bpp_[step] = json.at("bpp");
      psnr_[step] = compared.at("psnr_db");
      index += Entry("step" + std::string(step), bpp_[step]);
    }
    WriteText(folder_ / "set/index.toml", index);
    fs::create_directories(folder_ / "one");
    fs::copy(folder_ / "set/step24.lichen", folder_ / "one/step24.lichen");
    WriteText(folder_ / "one/index.toml", "default = \"step24\"\n" + Entry("step24", 1));
  }

  static std::string Entry(const std::string& name, double bpp) {
    return fmt::format(
        "[[model]]\nname = \"{0}\"\nfile = \"{0}.lichen\"\nfamily = \"klt\"\nbpp = {1:.6f}\n", name,
        bpp);
  }

  static Json Encode(std::vector<std::string> options, const std::string& folder = "set") {
    options.insert(options.begin(), {"encode", "pictures/1.png", "chosen.lic"});
    return RunJson(options, "LICHEN_MODELS=" + folder);
  }

  static inline std::map<std::string, double> bpp_, psnr_;
};

TEST_F(CliModels, BppPicksTheLargestFileThatFits) {
  for (const auto& [step, bpp] : bpp_) {
    const Json json = Encode({"--bpp", fmt::format("{:.6f}", bpp + 0.01)});
    EXPECT_EQ(json.at("model_name"), "step" + step);
    EXPECT_EQ(json.at("bytes"), fs::file_size(folder_ / "chosen.lic"));
    EXPECT_EQ(json.at("is_met"), true);
    EXPECT_FALSE(json.contains("warning"));
    EXPECT_LE(json.at("trials").size(), 2u);
    // The bitstream is what that model gives, and decoding finds the model by itself.
    ASSERT_EQ(
        Run({"encode", "pictures/1.png", "direct.lic", "--model", "set/step" + step + ".lichen"})
            .exit_code,
        0);
    EXPECT_EQ(ReadText(folder_ / "chosen.lic"), ReadText(folder_ / "direct.lic"));
    const Json decoded = RunJson({"decode", "chosen.lic", "chosen.png"}, "LICHEN_MODELS=set");
    EXPECT_EQ(decoded.at("model"), "set/step" + step + ".lichen");
  }
}

TEST_F(CliModels, PsnrPicksTheSmallestFileThatIsGoodEnough) {
  for (const auto& [step, psnr] : psnr_) {
    const Json json = Encode({"--psnr", fmt::format("{:.6f}", psnr - 0.01)});
    EXPECT_EQ(json.at("model_name"), "step" + step);
    EXPECT_EQ(json.at("is_met"), true);
    bool is_listed = false;
    for (const Json& trial : json.at("trials")) {
      is_listed = is_listed || std::abs(trial.at("psnr_db").get<double>() - psnr) < 1e-6;
    }
    EXPECT_TRUE(is_listed);
  }
}

TEST_F(CliModels, TargetsOutOfReachGiveTheNearestAndAWarning) {
  const Json low = Encode({"--bpp", "0.001"});
  EXPECT_EQ(low.at("model_name"), "step64");
  EXPECT_EQ(low.at("is_met"), false);
  EXPECT_NE(low.at("warning").get<std::string>().find("0.001"), std::string::npos);
  EXPECT_EQ(Encode({"--psnr", "90"}).at("model_name"), "step8");
  const Ran ran =
      Run({"encode", "pictures/1.png", "chosen.lic", "--psnr", "90"}, "LICHEN_MODELS=set");
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_NE(ran.err.find("warning"), std::string::npos) << ran.err;
}

TEST_F(CliModels, QualityPicksByPlace) {
  EXPECT_EQ(Encode({"--quality", "1"}).at("model_name"), "step64");
  EXPECT_EQ(Encode({"--quality", "50"}).at("model_name"), "step24");
  EXPECT_EQ(Encode({"--quality", "100"}).at("model_name"), "step8");
  EXPECT_EQ(Encode({"--family", "klt"}).at("model_name"), "step24");
  EXPECT_EQ(Encode({}).at("model"), "set/step24.lichen");
}

TEST_F(CliModels, OneModelServesEveryWish) {
  for (const char* option : {"--bpp", "--psnr", "--quality"}) {
    const Json json = Encode({option, "20"}, "one");
    EXPECT_EQ(json.at("model_name"), "step24");
    EXPECT_EQ(json.at("bytes"), fs::file_size(folder_ / "chosen.lic"));
  }
  EXPECT_TRUE(Encode({"--bpp", "0.01"}, "one").contains("warning"));
  // A folder without an index, as it was before there were any.
  fs::create_directories(folder_ / "plain");
  fs::copy(folder_ / "int.lichen", folder_ / "plain/default.lichen",
           fs::copy_options::overwrite_existing);
  EXPECT_EQ(Encode({"--bpp", "20"}, "plain").at("model_name"), "default");
}

TEST_F(CliModels, BadIndexesAndStrangeStreamsAreErrors) {
  Ran ran = Run({"encode", "pictures/1.png", "y.lic", "--family", "none"}, "LICHEN_MODELS=set");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("klt"), std::string::npos) << ran.err;
  ran = Run({"decode", "1.lic", "y.png"}, "LICHEN_MODELS=set");  // int.lichen's
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("1.lic: was encoded with"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("--model"), std::string::npos) << ran.err;
  EXPECT_FALSE(fs::exists(folder_ / "y.png"));
  fs::create_directories(folder_ / "bad");
  WriteText(folder_ / "bad/index.toml", "default = \"gone\"\n" + Entry("gone", 1));
  ran = Run({"encode", "pictures/1.png", "y.lic", "--bpp", "1"}, "LICHEN_MODELS=bad");
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("gone.lichen"), std::string::npos) << ran.err;
  WriteText(folder_ / "bad/index.toml", "default = 3\n");
  ran = Run({"encode", "pictures/1.png", "y.lic"}, "LICHEN_MODELS=bad");
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("index.toml: line 1"), std::string::npos) << ran.err;
  EXPECT_FALSE(fs::exists(folder_ / "y.lic"));
}

TEST_F(Cli, EncodeAndDecodeAgreeForThreadsAndCpuTargets) {
  for (const char* target : {"scalar", ""}) {
    for (const char* threads : {"1", "2"}) {
      std::vector<std::string> options = {"--model", "int.lichen", "--threads", threads};
      if (*target) options.insert(options.end(), {"--cpu-targets", target});
      std::vector<std::string> encode = {"encode", "pictures/1.png", "again.lic"};
      std::vector<std::string> decode = {"decode", "1.lic",
                                         fmt::format("{}{}.png", threads, target)};
      encode.insert(encode.end(), options.begin(), options.end());
      decode.insert(decode.end(), options.begin(), options.end());
      ASSERT_EQ(Run(encode).exit_code, 0);
      ASSERT_EQ(Run(decode).exit_code, 0);
      EXPECT_EQ(ReadText(folder_ / "again.lic"), ReadText(folder_ / "1.lic"));
      EXPECT_EQ(ReadText(folder_ / decode[2]), ReadText(folder_ / "1scalar.png"));
    }
  }
}

TEST_F(Cli, CompareSaysNoWithThree) {
  EXPECT_EQ(Run({"compare", "pictures/1.png", "pictures/1.png", "--equal"}).exit_code, 0);
  EXPECT_EQ(Run({"compare", "pictures/1.png", "pictures/2.png", "--equal"}).exit_code, 3);
  EXPECT_EQ(Run({"compare", "pictures/1.png", "pictures/2.png"}).exit_code, 0);
  EXPECT_EQ(RunJson({"compare", "pictures/1.png", "pictures/2.png"}).at("equal"), false);
}

TEST_F(Cli, CodingPrintsItsFigures) {
  const Json encode =
      RunJson({"encode", "pictures/2.png", "new/folder/2.lic", "--model", "int.lichen"});
  EXPECT_EQ(encode.at("bytes"), fs::file_size(folder_ / "new/folder/2.lic"));
  EXPECT_NEAR(encode.at("bpp").get<double>(), encode.at("bytes").get<double>() * 8 / 200 / 264,
              1e-9);
  const double latent_bits = 8 * encode.at("latent_bytes").get<double>();
  EXPECT_NEAR(encode.at("ideal_bits").get<double>(), latent_bits, 0.01 * latent_bits);
  const Json info = RunJson({"info", "new/folder/2.lic"});
  EXPECT_EQ(info.at("width"), 264);
  EXPECT_EQ(info.at("height"), 200);
  EXPECT_EQ(info.at("model_identity"), encode.at("model_identity"));
  const Json decode = RunJson(
      {"decode", "new/folder/2.lic", "crop.png", "--model", "int.lichen", "--crop", "7,9,31,17"});
  EXPECT_EQ(decode.at("width"), 31);
  const auto crop = ReadImageInfo(folder_ / "crop.png");
  ASSERT_TRUE(crop) << crop.error().message;
  EXPECT_EQ(crop->height, 17);
}

TEST_F(Cli, InfoDumpsAModel) {
  const Json info = RunJson({"info", "int.lichen", "--size", "200x264"});
  EXPECT_EQ(info.at("kind"), "int_net");
  EXPECT_EQ(info.at("identity").get<std::string>().size(), 64u);
  EXPECT_FALSE(info.at("graphs").empty());
  EXPECT_FALSE(info.at("tables").empty());
  EXPECT_EQ(RunJson({"info", "float.lichen"}).at("kind"), "float_net");
  EXPECT_EQ(Run({"info", "int.lichen"}).exit_code, 0);
}

TEST_F(Cli, RunDumpsEveryActivation) {
  for (const char* model : {"float.lichen", "int.lichen"}) {
    const std::string dump = fmt::format("dump/{}", model);
    const Json run = RunJson({"run", model, "--image", "pictures/1.png", "--dump", dump, "--output",
                              "synthesised.png", "--no-round"});
    ASSERT_GE(run.at("layers").size(), 4u);
    for (const Json& layer : run.at("layers")) {
      const auto name = layer.at("name").get<std::string>();
      const auto array = ReadNpy(folder_ / dump / (name + ".npy"));
      ASSERT_TRUE(array) << array.error().message;
      EXPECT_EQ(array->is_float, std::string(model) == "float.lichen");
      const Json& shape = layer.at("output_shape");
      EXPECT_EQ(array->shape, (std::vector<int64_t>{shape[3], shape[1], shape[2]})) << name;
      EXPECT_GE(layer.at("milliseconds").get<double>(), 0);
    }
    const auto picture = ReadImageInfo(folder_ / "synthesised.png");
    ASSERT_TRUE(picture);
    EXPECT_EQ(picture->height, 200);
    EXPECT_EQ(picture->width, 264);
  }
  // The dumped input, fed back as an array, gives the same again.
  const auto name = RunJson({"run", "int.lichen", "--image", "pictures/1.png"})
                        .at("layers")[0]
                        .at("name")
                        .get<std::string>();
  const std::string input = "dump/int.lichen/" + name + ".npy";
  RunJson({"run", "int.lichen", "--input", input, "--dump", "again", "--no-round"});
  for (const auto& entry : fs::directory_iterator(folder_ / "again")) {
    EXPECT_EQ(ReadText(entry.path()),
              ReadText(folder_ / "dump/int.lichen" / entry.path().filename()));
  }
}

TEST_F(Cli, QuantizeReports) {
  const Json json = RunJson({"quantize", "float.lichen", "--calib", "pictures", "-o",
                             "reported.lichen", "--prob-bits", "14", "--report", "report.json"});
  EXPECT_EQ(json.at("tables").at("prob_bits"), 14);
  const Json report = Json::parse(ReadText(folder_ / "report.json"), nullptr, false);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report.at("layers"), json.at("report").at("layers"));
  EXPECT_EQ(report.at("skipped").size(), 1u);
}

TEST_F(Cli, EvalScoresModels) {
  const Json json = RunJson({"eval", "pictures", "--model", "int.lichen", "--model", "float.lichen",
                             "--csv", "scores.csv", "--plot", "plot.svg", "--keep", "kept"});
  EXPECT_EQ(json.at("picture_count"), 3);
  EXPECT_EQ(json.at("skipped").size(), 1u);
  ASSERT_EQ(json.at("models").size(), 2u);
  const Json& first = json.at("models")[0].at("pictures")[0];
  EXPECT_EQ(first.at("bytes"), fs::file_size(folder_ / "1.lic"));
  EXPECT_EQ(ReadText(folder_ / "kept/int/1.png.lic"), ReadText(folder_ / "1.lic"));
  ASSERT_EQ(json.at("against_float").size(), 1u);
  EXPECT_LT(std::abs(json.at("against_float")[0].at("psnr_loss_db").get<double>()), 0.05);
  EXPECT_LT(std::abs(json.at("against_float")[0].at("size_change_percent").get<double>()), 0.5);
  EXPECT_TRUE(ReadText(folder_ / "plot.svg").starts_with("<svg"));
  EXPECT_TRUE(ReadText(folder_ / "scores.csv").starts_with("model,picture"));
  EXPECT_EQ(
      RunJson({"eval", "--model", "int.lichen", "other.lichen", "pictures"}).at("models").size(),
      2u);
  ExpectFailure(2, {"eval", "--model", "int.lichen"}, "DIR");
  ExpectFailure(2, {"eval", "pictures", "--model", "float.lichen"}, "--tables");
  ExpectFailure(1, {"eval", "dump-missing", "--model", "int.lichen"}, "dump-missing");
  ExpectFailure(1, {"eval", "pictures", "--task", "detect", "--model", "int.lichen"},
                "int.lichen: is no detection model");
}

TEST_F(Cli, EvalComparesWithCurves) {
  WriteText(folder_ / "curves.json",
            R"({"wide": [[0.01, 5], [0.5, 20], [2, 35], [30, 60]], "far": [[1, 90], [2, 95]]})");
  const Json one =
      RunJson({"eval", "pictures", "--model", "int.lichen", "--rd-curves", "curves.json"});
  ASSERT_EQ(one.at("against_curves").size(), 1u);
  EXPECT_TRUE(one.at("against_curves")[0].contains("rate_ratio"));
  ASSERT_EQ(Run({"fit", "--calib", "pictures", "-o", "coarse.lichen", "--step", "40"}).exit_code,
            0);
  ASSERT_EQ(
      Run({"quantize", "coarse.lichen", "--calib", "pictures", "-o", "coarse16.lichen"}).exit_code,
      0);
  const Json two = RunJson({"eval", "pictures", "--model", "int.lichen", "--model",
                            "coarse16.lichen", "--rd-curves", "curves.json"});
  ASSERT_EQ(two.at("against_curves").size(), 1u);
  EXPECT_TRUE(two.at("against_curves")[0].contains("bd_rate_percent"));
}

TEST_F(Cli, GreyAlphaAndSixteenBitsReturn) {
  for (const char* channels : {"1", "2", "3", "4"}) {
    ASSERT_EQ(
        Run({"render", "in.png", "--size", "33x97", "--channels", channels, "--bit-depth", "16"})
            .exit_code,
        0);
    ASSERT_EQ(Run({"encode", "in.png", "in.lic", "--model", "int.lichen"}).exit_code, 0);
    ASSERT_EQ(Run({"decode", "in.lic", "back.png", "--model", "int.lichen"}).exit_code, 0);
    const auto info = ReadImageInfo(folder_ / "back.png");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->channels, std::stoi(channels));
    EXPECT_EQ(info->bit_depth, 16);
    EXPECT_GT(RunJson({"compare", "in.png", "back.png"}).at("psnr_db").get<double>(), 20);
  }
}

TEST_F(Cli, ExportWritesWhatImportReads) {
  EXPECT_EQ(RunJson({"export", "--list"}).at("formats").size(), 3u);
  ExpectFailure(1, {"export", "int.lichen", "--format", "streamlic", "-o", "x.safetensors"},
                "int.lichen: cannot be written as streamlic", "x.safetensors");
  ExpectFailure(1, {"export", "float.lichen", "--format", "xlic", "-o", "x"},
                "cannot be written as xlic", "x");
  LICHEN_NEEDS_SHARED("weights/xlic/ana_w.bin");
  const std::string weights = (fs::canonical(SharedData()) / "weights/xlic").string();
  ASSERT_EQ(Run({"import", "xlic", weights, "-o", "xlic.lichen"}).exit_code, 0);
  ASSERT_EQ(Run({"export", "xlic.lichen", "--format", "xlic", "-o", "xlic"}).exit_code, 0);
  for (const char* file : {"ana_w.bin", "ana_b.bin", "syn_w.bin", "syn_b.bin"}) {
    EXPECT_EQ(ReadText(folder_ / "xlic" / file), ReadText(fs::path(weights) / file)) << file;
  }
}

TEST_F(Cli, ReportDrawsTrainingLogs) {
  const std::string line = R"({"step": 10, "stage": "noise", "loss": 3, "bpp": 1, "psnr": 30})";
  WriteText(folder_ / "log.jsonl", line + "\n{\"step\": 20, \"lo");
  for (const char* name : {"report.html", "report.svg", "report.md"}) {
    const Ran ran = Run({"report", "log.jsonl", "-o", name});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_NE(ran.err.find("log.jsonl: line 2 is torn"), std::string::npos) << ran.err;
    EXPECT_NE(ReadText(folder_ / name).find("noise"), std::string::npos) << name;
  }
  const Json json = RunJson({"report", "log.jsonl", "-o", "reports/again.svg"});
  EXPECT_EQ(json.at("runs")[0].at("last").at("step"), 10);
  EXPECT_EQ(ReadText(folder_ / "reports/again.svg"), ReadText(folder_ / "report.svg"));
  WriteText(folder_ / "bad.jsonl", line + "\nnonsense\n");
  ExpectFailure(1, {"report", "log.jsonl", "bad.jsonl", "-o", "x.svg"}, "bad.jsonl: line 2",
                "x.svg");
  ExpectFailure(1, {"report", "missing.jsonl", "-o", "x.svg"}, "missing.jsonl", "x.svg");
  ExpectFailure(2, {"report", "log.jsonl", "-o", "x.pdf"}, ".svg", "x.pdf");
}

TEST_F(Cli, ImportListsItsSources) {
  EXPECT_GE(RunJson({"import", "--list"}).at("sources").size(), 4u);
}

TEST_F(Cli, DetectionReachesTheReference) {
  LICHEN_NEEDS_SHARED("weights/ultranet/ultranet_4a4w8lf.qbin");
  LICHEN_NEEDS_SHARED("data/dacsdc/labels.csv");
  const std::string shared = fs::canonical(SharedData()).string();
  const Json import =
      RunJson({"import", "ultranet-qbin", shared + "/weights/ultranet/ultranet_4a4w8lf.qbin", "-o",
               "ultranet.lichen"});
  EXPECT_EQ(import.at("kind"), "int_net");
  const Json json = RunJson({"eval", "--task", "detect", shared + "/data/dacsdc/images", "--labels",
                             shared + "/data/dacsdc/labels.csv", "--model", "ultranet.lichen"});
  EXPECT_NEAR(json.at("mean_iou").get<double>(), 0.691, 0.002);
  EXPECT_EQ(json.at("picture_count"), 80);
}

}  // namespace
}  // namespace lichen
