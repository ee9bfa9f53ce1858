#include "train/cnn/cnn_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "net/model_file.h"
#include "train/recipe_file.h"
#include "train/train_test_support.h"

namespace lichen {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

constexpr int kSide = 28;

void PutIdx(const std::filesystem::path& path, const std::vector<int>& sides,
            const std::vector<uint8_t>& values) {
  std::vector<uint8_t> bytes = {0, 0, 8, static_cast<uint8_t>(sides.size())};
  for (const int side : sides) {
    bytes.insert(bytes.end(),
                 {0, 0, static_cast<uint8_t>(side >> 8), static_cast<uint8_t>(side & 255)});
  }
  bytes.insert(bytes.end(), values.begin(), values.end());
  ASSERT_TRUE(WriteFile(path, std::span<const uint8_t>(bytes)));
}

// Class c has a bright bar at height 4 + 2c, on noise.
void PutDigits(const std::filesystem::path& folder, const std::string& prefix, int count) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::vector<uint8_t> samples, labels;
  for (int i = 0; i < count; ++i) {
    labels.push_back(static_cast<uint8_t>(i % 10));
    for (int p = 0; p < kSide * kSide; ++p) {
      const bool is_bar = p / kSide == 4 + 2 * (i % 10);
      samples.push_back(static_cast<uint8_t>(random() % 60 + (is_bar ? 150 : 0)));
    }
  }
  PutIdx(folder / (prefix + "-images-idx3-ubyte"), {count, kSide, kSide}, samples);
  PutIdx(folder / (prefix + "-labels-idx1-ubyte"), {count}, labels);
}

class CnnTrainer : public testing::Test {
 protected:
  void SetUp() override {
    PutDigits(folder_.path(), "train", 300);
    PutDigits(folder_.path(), "t10k", 50);
    recipe_.model = "lenet5";
    recipe_.output = folder_ / "out";
    recipe_.precision = {.weight_bits = {4, 4, 4, 4, 4}, .activation_bits = {4, 4, 4, 4, 4}};
    recipe_.data = {.folder = folder_.path()};
    recipe_.training = {.batch = 20,
                        .steps = 60,
                        .learning_rate = 5e-3,
                        .final_learning_rate = 1e-4,
                        .max_gradient_norm = 10,
                        .log_steps = 1,
                        .checkpoint_steps = 25};
  }

  std::vector<double> Losses() {
    std::vector<double> losses;
    for (const auto& line : StepsOfLog(recipe_.output / "log.jsonl")) {
      losses.push_back(line["loss"].get<double>());
    }
    return losses;
  }

  ScratchFolder folder_;
  CnnRecipe recipe_;
};

TEST_F(CnnTrainer, LearnsAndExports) {
  const auto result = TrainCnn(recipe_, {.threads = 1});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->last.step, 60);
  EXPECT_EQ(result->test_count, 50);
  EXPECT_GT(result->test_score, 0.9);
  const auto model = LoadModel(result->model);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(std::get<IntNet>(*model).metadata.at("bitw"), "44444");
}

TEST_F(CnnTrainer, SaysThatItDiverged) {
  recipe_.training.learning_rate = recipe_.training.final_learning_rate = 1e12;
  const auto result = TrainCnn(recipe_, {.threads = 1});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("if the training has diverged"));
}

TEST_F(CnnTrainer, ResumedRunsGiveTheSameLosses) {
  ASSERT_TRUE(TrainCnn(recipe_, {.threads = 1}));
  const std::vector<double> whole = Losses();
  ASSERT_EQ(whole.size(), 60U);
  recipe_.output = folder_ / "parts";
  std::atomic<bool> stop = false;
  CnnTrainOptions options{.threads = 1};
  options.stop = &stop;
  options.on_progress = [&](const CnnProgress& p) { stop = p.step == 31; };
  const auto stopped = TrainCnn(recipe_, options);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_TRUE(stopped->is_stopped);
  options = {.is_resumed = true, .threads = 1};
  const auto resumed = TrainCnn(recipe_, options);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(resumed->first_step, 31);
  EXPECT_THAT(Losses(), ElementsAreArray(whole));
}

// Else --resume after a crash would take the replaced run for its own.
TEST_F(CnnTrainer, ARestartedRunReplacesTheCheckpointAtOnce) {
  recipe_.training.steps = 3;
  const auto whole = TrainCnn(recipe_, {.threads = 1});
  ASSERT_TRUE(whole) << whole.error().message;
  const auto before = ReadFile(whole->checkpoint);
  CnnTrainOptions options{.is_restarted = true, .threads = 1};
  Result<std::vector<uint8_t>> during = before;
  options.on_progress = [&](const CnnProgress& p) {
    if (p.step == 1) during = ReadFile(whole->checkpoint);
  };
  ASSERT_TRUE(TrainCnn(recipe_, options));
  ASSERT_TRUE(before && during);
  EXPECT_NE(*before, *during);
  EXPECT_EQ(*before, *ReadFile(whole->checkpoint));
}

// The same recipe, first for the widths and then with them.
TEST_F(CnnTrainer, ASearchLeavesTheFolderToTheTraining) {
  PutText(folder_ / "r.toml", "model = \"lenet5\"\noutput = \"both\"\n[data]\nfolder = \".\"\n");
  const auto search = ReadCnnRecipe(folder_ / "r.toml", {.is_search = true});
  const auto train = ReadCnnRecipe(folder_ / "r.toml", {});
  ASSERT_TRUE(search && train);
  EXPECT_EQ(search->output, folder_ / "both/search");
  EXPECT_EQ(train->output, folder_ / "both");
}

TEST_F(CnnTrainer, RefusesWhatDoesNotFit) {
  ASSERT_TRUE(TrainCnn(recipe_, {.threads = 1}));
  EXPECT_THAT(TrainCnn(recipe_, {}).error().message, HasSubstr("holds a run already"));
  recipe_.precision.weight_bits[2] = 5;
  EXPECT_THAT(TrainCnn(recipe_, {.is_resumed = true}).error().message,
              HasSubstr("was made with network"));
  recipe_.output = folder_ / "other";
  EXPECT_THAT(TrainCnn(recipe_, {.is_resumed = true}).error().message,
              HasSubstr("no run to resume"));
  recipe_.model = "vgg_tiny";
  recipe_.precision = {};
  EXPECT_THAT(TrainCnn(recipe_, {}).error().message, HasSubstr("vgg_tiny takes 10 of 32x32x3"));
}

TEST_F(CnnTrainer, OtherWidthsStartFromAFloatNetwork) {
  recipe_.precision = {};
  recipe_.training.steps = 20;
  const auto whole = TrainCnn(recipe_, {.threads = 1});
  ASSERT_TRUE(whole) << whole.error().message;
  const auto model = LoadModel(whole->model);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(std::holds_alternative<FloatNet>(*model));
  recipe_.training.start_from = whole->checkpoint;
  recipe_.precision = {.weight_bits = {8, 8, 8, 8, 8}, .activation_bits = {8, 8, 8, 8, 8}};
  recipe_.output = folder_ / "fixed";
  const double last = Losses().empty() ? 0 : whole->last.loss;
  const auto fixed = TrainCnn(recipe_, {.threads = 1});
  ASSERT_TRUE(fixed) << fixed.error().message;
  EXPECT_LT(Losses().front(), 2 * last + 0.3);  // it does not begin anew, at 2.3
}

class CnnRecipeFile : public testing::Test {
 protected:
  Result<CnnRecipe> Read(const std::string& network, const CnnOverrides& overrides = {}) {
    std::filesystem::create_directories(folder_ / "data");
    PutText(folder_ / "r.toml", "model = \"lenet5\"\noutput = \"out\"\n[network]\n" + network +
                                    "\n[data]\nfolder = \"data\"\n[training]\nsteps = 5\n");
    return ReadCnnRecipe(folder_ / "r.toml", overrides);
  }

  std::string ErrorOf(const std::string& network, const CnnOverrides& overrides = {}) {
    const auto recipe = Read(network, overrides);
    return recipe ? "no error" : recipe.error().message;
  }

  ScratchFolder folder_;
};

TEST_F(CnnRecipeFile, GivesValuesAndErrors) {
  const auto recipe = Read("bitw = \"82468\"\nbita = \"88888\"");
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(BitString(recipe->precision.weight_bits), "82468");
  EXPECT_EQ(recipe->training.steps, 5);
  EXPECT_TRUE(Read("")->precision.IsFloat());
  EXPECT_EQ(BitString(Read("", {.weight_bits = "22222", .activation_bits = "33333"})
                          ->precision.activation_bits),
            "33333");
  EXPECT_EQ(Read("", {.seed = 12})->training.seed, 12);
  EXPECT_THAT(ErrorOf("bitw = \"82468\""), HasSubstr("bitw and bita belong together"));
  EXPECT_THAT(ErrorOf("bitw = \"8246\"\nbita = \"88888\""),
              HasSubstr("network.bitw: '8246' has 4 digits; the network has 5 layers"));
  EXPECT_THAT(ErrorOf("", {.weight_bits = "82469", .activation_bits = "88888"}),
              HasSubstr("--bitw: '82469': widths are digits"));
  EXPECT_THAT(ErrorOf("widht = 2"), HasSubstr("line 4: network.widht: unknown key"));
  EXPECT_THAT(ErrorOf("quantiser = \"best\""), HasSubstr("known quantisers are hwgq and dorefa"));
}

TEST(CnnRecipes, OfTheRepositoryAreGood) {
  const ScratchFolder folder;
  int count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(LICHEN_SOURCE_DIR "/models/recipes")) {
    if (!IsCnn(ModelOfRecipe(file.path()).value_or(""))) continue;
    const auto recipe = ReadCnnRecipe(file.path(), {.data_folder = folder.path()});
    // One that goes on from another run names the checkpoint that it leaves.
    const bool waits = !recipe && recipe.error().message.find("start_from") != std::string::npos;
    EXPECT_TRUE(recipe || waits) << recipe.error().message;
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace lichen
