// `lichen train` as its users meet it. All but the first skip where this build found no libtorch.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/test_path.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::HasSubstr;

constexpr const char* kRecipe = R"(model = "bls2017"
output = "run"
[network]
width = 8
latent_channels = 12
[data]
folder = "pictures"
crop_px = 32
min_short_side_px = 64
max_short_side_px = 96
[training]
lambdas = [0.02]
batch = 2
steps = 20
learning_rate = 1e-3
log_steps = 5
)";

class TrainCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TestPath("train");
    fs::create_directories(folder_ / "pictures");
    PutText("recipe.toml", kRecipe);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void PutText(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  std::string ReadText(const std::string& name) {
    std::ifstream file(folder_ / name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  // Runs a shell line in the folder, with the program as $LICHEN; out_ and err_ hold its outputs.
  int Run(const std::string& line) {
    const int status = std::system(fmt::format("cd '{}' && LICHEN='{}' && {{ {}; }} >.out 2>.err",
                                               folder_.string(), LICHEN_PROGRAM, line)
                                       .c_str());
    out_ = ReadText(".out");
    err_ = ReadText(".err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  void MakePictures() {
    for (const char* seed : {"1", "2"}) {
      ASSERT_EQ(Run(fmt::format("$LICHEN render pictures/{0}.png --size 96x128 --seed {0}", seed)),
                0);
    }
  }

  static bool HasTraining() {
    return fs::exists(fs::path(LICHEN_PROGRAM).parent_path() / "lichen-train");
  }

  fs::path folder_;
  std::string out_;
  std::string err_;
};

TEST_F(TrainCommand, SaysWhenTheBuildHasNoTraining) {
  fs::create_directories(folder_ / "bin");
  fs::copy_file(LICHEN_PROGRAM, folder_ / "bin/lichen");
  EXPECT_EQ(Run("bin/lichen train recipe.toml"), 1);
  EXPECT_THAT(err_, HasSubstr("libtorch-dev"));
  EXPECT_EQ(Run("bin/lichen train --help"), 0);
  EXPECT_THAT(out_, HasSubstr("--resume"));
  EXPECT_EQ(Run("bin/lichen train"), 2);
  EXPECT_EQ(Run("bin/lichen train recipe.toml --resume --restart"), 2);
}

TEST_F(TrainCommand, NamesMistakesOfTheRecipe) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  EXPECT_EQ(Run("$LICHEN train absent.toml"), 1);
  EXPECT_THAT(err_, HasSubstr("absent.toml"));
  EXPECT_EQ(Run("sed s/width/widht/ recipe.toml >wrong.toml; $LICHEN train wrong.toml"), 1);
  EXPECT_THAT(err_, HasSubstr("wrong.toml: line 4: network.widht: unknown key"));
  EXPECT_EQ(Run("sed s/pictures/nowhere/ recipe.toml >wrong.toml; $LICHEN train wrong.toml"), 1);
  EXPECT_THAT(err_, HasSubstr("line 7: data.folder"));
  EXPECT_EQ(Run("$LICHEN train recipe.toml"), 1);  // the folder is empty
  EXPECT_THAT(err_, HasSubstr("holds no picture"));
  MakePictures();
  EXPECT_EQ(Run("$LICHEN train recipe.toml --device abacus"), 2);
  EXPECT_EQ(Run("$LICHEN train recipe.toml --resume"), 1);
  EXPECT_THAT(err_, HasSubstr("no run to resume"));
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(TrainCommand, NamesMistakesOfProcesses) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  EXPECT_EQ(Run("$LICHEN train recipe.toml --rank 1"), 2);
  EXPECT_EQ(Run("$LICHEN train recipe.toml --processes 2"), 2);
  EXPECT_THAT(err_, HasSubstr("needs --rendezvous HOST:PORT"));
  EXPECT_EQ(Run("$LICHEN train recipe.toml --processes 2 --rank 2 --rendezvous localhost:1"), 2);
  EXPECT_THAT(err_, HasSubstr("--rank 2: must be 0 to 1"));
  EXPECT_EQ(Run("$LICHEN train recipe.toml --processes 2 --rank 1 --rendezvous localhost"), 2);
  EXPECT_THAT(err_, HasSubstr("--rendezvous localhost: must be HOST:PORT"));
}

TEST_F(TrainCommand, MakesACodec) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  MakePictures();
  PutText("pictures/torn.png", "\x89PNG\r\n\x1a\n");
  ASSERT_EQ(Run("$LICHEN train recipe.toml --threads 1 --json"), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("torn.png"));
  const Json json = Json::parse(out_, nullptr, false);
  ASSERT_TRUE(json.is_object()) << out_;
  EXPECT_EQ(json["step"], 20);
  EXPECT_EQ(json["pictures"], 2);
  EXPECT_EQ(json["skipped"].size(), 1U);
  EXPECT_GT(json["bpp"], 0);
  ASSERT_EQ(Run("$LICHEN quantize run/model.lichen -o int.lichen --calib pictures"), 0) << err_;
  ASSERT_EQ(Run("$LICHEN encode pictures/1.png 1.lic --model int.lichen"), 0) << err_;
  ASSERT_EQ(Run("$LICHEN decode 1.lic 1.png --model int.lichen"), 0) << err_;
  ASSERT_EQ(Run("$LICHEN compare pictures/1.png 1.png --json"), 0) << err_;
}

TEST_F(TrainCommand, LeavesACheckpointWhenInterrupted) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  MakePictures();
  ASSERT_EQ(Run("sed 's/steps = 20/steps = 1000000/' recipe.toml >long.toml"), 0);
  const int code =
      Run("$LICHEN train long.toml --threads 1 & pid=$!; n=0; "
          "until grep -q loss run/log.jsonl || [ $n = 600 ]; do sleep 0.1; n=$((n+1)); done; "
          "kill -TERM $pid; wait $pid");
  EXPECT_EQ(code, 1);
  EXPECT_THAT(err_, HasSubstr("--resume continues"));
  const std::string log = ReadText("run/log.jsonl");
  const Json end = Json::parse(log.substr(log.rfind('{', log.size() - 2)), nullptr, false);
  ASSERT_TRUE(end.is_object()) << log;
  const int64_t step = end["step"];
  EXPECT_GT(step, 0);
  ASSERT_EQ(Run(fmt::format("sed 's/steps = 20/steps = {}/' recipe.toml >long.toml; "
                            "$LICHEN train long.toml --resume --json --threads 1",
                            step + 3)),
            0)
      << err_;
  EXPECT_EQ(Json::parse(out_)["first_step"], step);
}

// Forty digits in which the class is the height of a bar, as MNIST's files hold them.
class TrainDigits : public TrainCommand {
 protected:
  void SetUp() override {
    TrainCommand::SetUp();
    for (const char* prefix : {"train", "t10k"}) {
      std::string pictures("\0\0\x08\x03\0\0\0\x28\0\0\0\x1c\0\0\0\x1c", 16);
      std::string labels("\0\0\x08\x01\0\0\0\x28", 8);
      for (int i = 0; i < 40; ++i) {
        labels.push_back(static_cast<char>(i % 10));
        for (int y = 0; y < 28; ++y) pictures.append(28, y == 4 + 2 * (i % 10) ? '\xff' : '\0');
      }
      PutText(fmt::format("pictures/{}-images-idx3-ubyte", prefix), pictures);
      PutText(fmt::format("pictures/{}-labels-idx1-ubyte", prefix), labels);
    }
    PutText("digits.toml", R"(model = "lenet5"
output = "run"
[network]
bitw = "84448"
bita = "84444"
[data]
folder = "pictures"
[training]
batch = 20
steps = 40
learning_rate = 5e-3
log_steps = 10
[search]
strength = 0.1
)");
  }
};

TEST_F(TrainDigits, ScoresWhatTheEngineScores) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  ASSERT_EQ(Run("$LICHEN train digits.toml --threads 1 --json"), 0) << err_;
  const Json trained = Json::parse(out_, nullptr, false);
  ASSERT_TRUE(trained.is_object()) << out_;
  EXPECT_GT(trained["test_accuracy"], 0.5);
  ASSERT_EQ(
      Run("$LICHEN eval pictures --task classify --model run/model.lichen --csv a.csv --json"), 0)
      << err_;
  const Json scored = Json::parse(out_, nullptr, false);
  ASSERT_TRUE(scored.is_object()) << out_;
  EXPECT_EQ(scored["models"][0]["accuracy"], trained["test_accuracy"]);
  EXPECT_THAT(ReadText("a.csv"), HasSubstr("picture,label,run/model.lichen\n0,0,"));
  EXPECT_EQ(Run("$LICHEN train digits.toml --bitw 844 -o other"), 1);
  EXPECT_THAT(err_, HasSubstr("--bitw: '844' has 3 digits; the network has 5 layers"));
  EXPECT_EQ(Run("$LICHEN train digits.toml --stage noise"), 2);
  EXPECT_EQ(Run("$LICHEN train recipe.toml --bitw 84448"), 2);
  EXPECT_EQ(Run("$LICHEN eval pictures --task classify"), 2);
}

TEST_F(TrainDigits, HasNoScenesToWrite) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  EXPECT_EQ(Run("$LICHEN train digits.toml --write-scenes out"), 1);
  EXPECT_THAT(err_, HasSubstr("digits.toml: the recipe makes up no scenes"));
  EXPECT_EQ(Run("$LICHEN train recipe.toml --write-scenes out"), 2);
  EXPECT_THAT(err_, HasSubstr("--write-scenes is not for codecs"));
  EXPECT_EQ(Run("$LICHEN train digits.toml --scene-count 3"), 2);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(TrainCommand, WritesScenesAsLabelledPictures) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  for (int seed = 0; seed < 10; ++seed) {
    ASSERT_EQ(Run(fmt::format("$LICHEN render pictures/{0}.png --size 96x128 --seed {0}", seed)),
              0);
  }
  PutText("boxes.csv", "file,xmin,xmax,ymin,ymax\na.png,100,230,50,140\n");
  PutText("scenes.toml", R"(model = "ultranet"
output = "run"
[data]
folder = "pictures"
boxes = "boxes.csv"
test_scenes = 3
[training]
steps = 1
)");
  ASSERT_EQ(Run("$LICHEN train scenes.toml --write-scenes out --json"), 0) << err_;
  EXPECT_EQ(Json::parse(out_), Json({{"folder", "out"}, {"split", "test"}, {"scenes", 3}}));
  const std::string labels = ReadText("out/labels.csv");
  EXPECT_EQ(std::count(labels.begin(), labels.end(), '\n'), 4);
  EXPECT_TRUE(fs::exists(folder_ / "out/images/00002.png"));
  ASSERT_EQ(Run("$LICHEN train scenes.toml --write-scenes more --scene-count 5"), 0) << err_;
  const std::string more = ReadText("more/labels.csv");
  EXPECT_TRUE(more.starts_with(labels));
  ASSERT_EQ(Run("$LICHEN train scenes.toml --write-scenes other --training-scenes"), 0) << err_;
  EXPECT_FALSE(ReadText("other/labels.csv") == labels);
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(TrainDigits, SearchesWidths) {
  if (!HasTraining()) GTEST_SKIP() << "this build found no libtorch";
  std::string factors = "kernel,weight_bits,activation_bits,factor\n";
  for (const int kernel : {1, 5}) {
    for (int w = 2; w <= 8; ++w) {
      for (int a = 2; a <= 8; ++a)
        factors += fmt::format("{},{},{},{}\n", kernel, w, a, 64.0 / (w * a));
    }
  }
  PutText("factors.csv", factors);
  ASSERT_EQ(Run("$LICHEN search digits.toml --factors factors.csv --plot p.svg --threads 1 --json"),
            0)
      << err_;
  const Json found = Json::parse(out_, nullptr, false);
  ASSERT_TRUE(found.is_object()) << out_;
  EXPECT_EQ(found["bitw"].get<std::string>().size(), 5U);
  EXPECT_EQ(found["layers"].size(), 5U);
  EXPECT_LT(found["dsp_cycles"], found["dsp_cycles_at_8"]);
  EXPECT_THAT(ReadText("p.svg"), HasSubstr("<svg"));
  EXPECT_FALSE(fs::exists(folder_ / "run/model.lichen"));
  ASSERT_EQ(Run("$LICHEN search digits.toml --restart --threads 1 --json"), 0) << err_;
  EXPECT_EQ(Json::parse(out_)["layers"].size(), 5U);
  PutText("factors.csv", factors.substr(0, factors.rfind("5,8,8")));
  EXPECT_EQ(Run("$LICHEN search digits.toml --factors factors.csv"), 1);
  EXPECT_THAT(err_, HasSubstr("no line for kernel 5, weights of 8 and activations of 8 bits"));
  EXPECT_EQ(Run("$LICHEN search recipe.toml --factors factors.csv"), 2);
  // What widths cost needs neither data nor the checkpoint that a training would start from.
  std::string costly = ReadText("digits.toml");
  costly.replace(costly.find("[training]"), 10, "[training]\nstart_from = \"absent.pt\"");
  PutText("digits.toml", costly);
  fs::remove_all(folder_ / "digits");
  ASSERT_EQ(Run("$LICHEN search digits.toml --bitw 44444 --bita 44444 --json"), 0) << err_;
  EXPECT_EQ(Json::parse(out_)["layers"].size(), 5U);
  EXPECT_EQ(Run("$LICHEN search digits.toml --restart"), 1);
}

}  // namespace
}  // namespace lichen
