#include "train/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/cnn/definition.h"
#include "train/recipe_file.h"
#include "train/schedule.h"
#include "train/train_test_support.h"

namespace lichen {
namespace {

using testing::HasSubstr;

constexpr const char* kGood = R"(model = "bls2017"
output = "out"
[network]
width = 24
[data]
folder = "pictures"
crop_px = 64
min_short_side_px = 64
[training]
lambdas = [0.01, 0.1]
steps = 10
)";

class RecipeText : public testing::Test {
 protected:
  RecipeText() { std::filesystem::create_directories(folder_ / "pictures"); }

  Result<Recipe> Read(const std::string& text, const RecipeOverrides& overrides = {}) {
    PutText(folder_ / "r.toml", text);
    LICHEN_TRY(std::vector<Recipe> stages, ReadRecipe(folder_ / "r.toml", overrides));
    return std::move(stages[0]);
  }

  // kGood with `from` replaced by `to` gives an error with these words.
  void ExpectError(const std::string& from, const std::string& to,
                   const std::vector<std::string>& words) {
    std::string text = kGood;
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    const auto result = Read(text.replace(at, from.size(), to));
    ASSERT_FALSE(result) << to;
    EXPECT_EQ(result.error().kind, Error::Kind::kBadInput);
    EXPECT_THAT(result.error().message, HasSubstr((folder_ / "r.toml").string()));
    for (const std::string& word : words) EXPECT_THAT(result.error().message, HasSubstr(word));
  }

  ScratchFolder folder_;
};

TEST_F(RecipeText, GivesValuesAndDefaults) {
  const auto recipe = Read(kGood);
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->network.width, 24);
  EXPECT_EQ(recipe->network.latent_channels, 24);
  EXPECT_EQ(recipe->output, folder_ / "out");
  EXPECT_EQ(recipe->data.folder, folder_ / "pictures");
  EXPECT_EQ(recipe->data.crop_px, 64);
  EXPECT_EQ(recipe->training.lambdas, (std::vector<double>{0.01, 0.1}));
  EXPECT_EQ(recipe->training.batch, 16);
}

TEST_F(RecipeText, NamesLineAndKeyOfEveryMistake) {
  ExpectError("width", "widht", {"line 4", "network.widht", "unknown key", "width"});
  ExpectError("[network]", "[netwrok]", {"line 3", "netwrok", "unknown key"});
  ExpectError("\"pictures\"", "\"nowhere\"", {"line 6", "data.folder", "nowhere", "no folder"});
  ExpectError("folder = \"pictures\"", "", {"line 5", "data.folder", "is missing"});
  ExpectError("crop_px = 64", "crop_px = 40", {"line 7", "data.crop_px", "multiple of 16"});
  ExpectError("crop_px = 64", "crop_px = \"64\"", {"line 7", "data.crop_px", "integer"});
  ExpectError("crop_px = 64", "crop_px = 64.5", {"line 7", "data.crop_px", "integer"});
  ExpectError("crop_px = 64", "crop_px = 96", {"line 8", "data.min_short_side_px", "below 96"});
  ExpectError("steps = 10", "steps = 0", {"line 11", "training.steps", "from 1"});
  ExpectError("lambdas = [0.01, 0.1]", "lambdas = []", {"line 10", "training.lambdas"});
  ExpectError("lambdas = [0.01, 0.1]", "lambdas = [-1]", {"line 10", "training.lambdas"});
  ExpectError("lambdas = [0.01, 0.1]", "lambdas = [1, 1.0]", {"training.lambdas", "differ"});
  ExpectError("lambdas = [0.01, 0.1]", "", {"line 9", "training.lambdas", "is missing"});
  ExpectError("steps = 10", "learning_rate = nan", {"line 11", "training.learning_rate"});
  ExpectError("steps = 10", "start_from = \"x.pt\"", {"line 11", "training.start_from", "x.pt"});
  ExpectError("bls2017", "bls2018", {"line 1", "model", "known are"});
  ExpectError("[network]", "network = 3\n[other]", {"line 3", "network", "table"});
  ExpectError("width = 24", "width = = 24", {"line 4"});
}

TEST_F(RecipeText, GivesWayToTheCommandLine) {
  std::string text = kGood;
  text.replace(text.find("pictures"), 8, "nowhere!");
  const auto recipe =
      Read(text, {.data_folder = folder_ / "pictures", .output = folder_ / "other", .seed = 12});
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->data.folder, folder_ / "pictures");
  EXPECT_EQ(recipe->output, folder_ / "other");
  EXPECT_EQ(recipe->training.seed, 12);
  const auto wrong = Read(text, {.data_folder = folder_ / "absent"});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("--data"));
}

TEST_F(RecipeText, EveryCommittedRecipeReads) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(LICHEN_SOURCE_DIR "/models/recipes")) {
    if (entry.path().extension() != ".toml") continue;
    if (IsCnn(ModelOfRecipe(entry.path()).value_or(""))) continue;  // cnn_trainer_test.cc
    auto recipe = ReadRecipe(entry.path(), {.data_folder = folder_ / "pictures"});
    // A part of a chain names the checkpoint that the part before it leaves.
    const bool waits = !recipe && recipe.error().message.find("start_from") != std::string::npos;
    EXPECT_TRUE(recipe || waits) << recipe.error().message;
    ++count;
  }
  EXPECT_GE(count, 2);
}

TEST(Recipe, ContinuesOnlyTheSameRun) {
  const Recipe recipe = TinyRecipe("data", "out");
  EXPECT_TRUE(CheckSameRun(ToJson(recipe), recipe));
  Recipe longer = recipe;
  longer.training.steps *= 2;
  longer.training.learning_rate = 0.5;
  longer.data.folder = "moved";
  EXPECT_TRUE(CheckSameRun(ToJson(recipe), longer));
  Recipe wider = recipe;
  wider.network.width = 7;
  const auto result = CheckSameRun(ToJson(recipe), wider);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("network/width = 6, the recipe says 7"));
  EXPECT_FALSE(CheckSameRun("no json", recipe));
}

TEST(LearningRate, WarmsUpAndDecays) {
  const TrainingRecipe t = {
      .steps = 110, .learning_rate = 1, .final_learning_rate = 0.1, .warmup_steps = 10};
  EXPECT_DOUBLE_EQ(LearningRate(t, 0), 0.1);
  EXPECT_DOUBLE_EQ(LearningRate(t, 9), 1);
  EXPECT_DOUBLE_EQ(LearningRate(t, 10), 1);
  EXPECT_NEAR(LearningRate(t, 60), 0.55, 1e-12);
  EXPECT_NEAR(LearningRate(t, 110), 0.1, 1e-12);
  EXPECT_NEAR(LearningRate(t, 1000), 0.1, 1e-12);
}

}  // namespace
}  // namespace lichen
