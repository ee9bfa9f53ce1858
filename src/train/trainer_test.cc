#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/files.h"
#include "net/check.h"
#include "net/model_file.h"
#include "train/evaluate_checkpoint.h"
#include "train/train_test_support.h"

namespace lichen {
namespace {

using testing::HasSubstr;

class Training : public testing::Test {
 protected:
  Training() { PutPictures(folder_ / "in", 3, 70, 60); }

  Recipe Tiny(const std::string& output) { return TinyRecipe(folder_ / "in", folder_ / output); }

  static TrainResult MustTrain(const Recipe& recipe, const TrainOptions& options = {}) {
    TrainOptions with_threads = options;
    with_threads.threads = 1;
    auto result = Train(recipe, with_threads);
    EXPECT_TRUE(result) << result.error().message;
    return result ? std::move(*result) : TrainResult{};
  }

  static std::string WhyNot(const Recipe& recipe, const TrainOptions& options = {}) {
    const auto result = Train(recipe, options);
    return result ? "" : result.error().message;
  }

  ScratchFolder folder_;
};

TEST_F(Training, OverfitsOnePicture) {
  PutPictures(folder_ / "one", 1, 32, 32);  // as large as a crop: flips are all that varies
  Recipe recipe = Tiny("run");
  recipe.data.folder = folder_ / "one";
  recipe.network = {.width = 16, .latent_channels = 64};
  recipe.training.lambdas = {0.02};
  recipe.training.steps = 1200;
  recipe.training.learning_rate = 5e-3;
  recipe.training.final_learning_rate = 1e-4;
  recipe.training.checkpoint_steps = 1000;
  recipe.training.log_steps = 100;
  MustTrain(recipe);
  const auto lines = StepsOfLog(folder_ / "run/log.jsonl");
  ASSERT_EQ(lines.size(), 12U);
  EXPECT_LT(lines.back()["loss"], lines.front()["loss"].get<double>() / 10);
  EXPECT_GT(lines.back()["psnr"], 27);
  EXPECT_LT(lines.back()["bpp"], 4);
}

TEST_F(Training, ResumedEqualsUninterrupted) {
  Recipe recipe = Tiny("whole");
  recipe.training.lambdas = {0.05, 0.005};
  MustTrain(recipe);
  const auto whole = StepsOfLog(folder_ / "whole/log.jsonl");
  ASSERT_EQ(whole.size(), 12U);

  recipe.output = folder_ / "parts";
  std::atomic<bool> stop = false;
  TrainOptions options = {.stop = &stop};
  options.on_progress = [&](const TrainProgress& p) { stop = p.step == 7; };
  EXPECT_TRUE(MustTrain(recipe, options).is_stopped);
  EXPECT_EQ(StepsOfLog(folder_ / "parts/log.jsonl").size(), 7U);
  // As if the process had been killed between checkpoints: the log is ahead and torn.
  {
    std::ofstream log(folder_ / "parts/log.jsonl", std::ios::app);
    log << R"({"step":8,"loss":1})"
        << "\n"
        << R"({"step":9,"lo)";
  }
  stop = false;
  const TrainResult rest = MustTrain(recipe, {.is_resumed = true});
  EXPECT_EQ(rest.first_step, 7);
  EXPECT_FALSE(rest.is_stopped);
  const auto parts = StepsOfLog(folder_ / "parts/log.jsonl");
  ASSERT_EQ(parts.size(), whole.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(parts[i]["step"], whole[i]["step"]);
    EXPECT_EQ(parts[i]["loss"], whole[i]["loss"]) << "step " << i + 1;
    EXPECT_EQ(parts[i]["gradient_norm"], whole[i]["gradient_norm"]) << "step " << i + 1;
  }
  for (const char* name : {"model_0.05.lichen", "model_0.005.lichen"}) {
    EXPECT_EQ(*ReadFile(folder_ / "whole" / name), *ReadFile(folder_ / "parts" / name)) << name;
  }
}

TEST_F(Training, LeavesAnExportedNetAtEveryCheckpoint) {
  const Recipe recipe = Tiny("run");
  const TrainResult result = MustTrain(recipe);
  ASSERT_EQ(result.models.size(), 1U);
  const auto model = LoadModel(result.models[0]);
  ASSERT_TRUE(model) << model.error().message;
  const auto* net = std::get_if<FloatNet>(&*model);
  ASSERT_NE(net, nullptr);
  EXPECT_EQ(net->metadata.at("steps"), "12");
  EXPECT_EQ(net->metadata.at("lambda"), "0.05");
}

TEST_F(Training, KeepsARunUnlessTold) {
  const Recipe recipe = Tiny("run");
  EXPECT_THAT(WhyNot(recipe, {.is_resumed = true}), HasSubstr("no run to resume"));
  MustTrain(recipe);
  EXPECT_THAT(WhyNot(recipe), HasSubstr("--resume"));
  MustTrain(recipe, {.is_restarted = true});
  EXPECT_EQ(StepsOfLog(folder_ / "run/log.jsonl").size(), 12U);
}

TEST_F(Training, StopsWhenTheLossIsNotFinite) {
  Recipe recipe = Tiny("run");
  MustTrain(recipe);
  const auto before = ReadFile(folder_ / "run/checkpoint.pt");
  recipe.training.steps = 500;
  recipe.training.learning_rate = 10;
  recipe.training.warmup_steps = 0;
  recipe.training.checkpoint_steps = 1000;
  recipe.training.max_gradient_norm = 1e9;
  const std::string why = WhyNot(recipe, {.is_resumed = true});
  EXPECT_THAT(why, HasSubstr("is not finite"));
  EXPECT_THAT(why, HasSubstr("checkpoint.pt (step 12)"));
  EXPECT_EQ(*before, *ReadFile(folder_ / "run/checkpoint.pt"));
}

TEST_F(Training, ContinuesFromAnotherNetworksWeights) {
  Recipe high = Tiny("high");
  MustTrain(high);
  Recipe recipe = Tiny("all");
  recipe.training.lambdas = {0.05, 0.005};
  recipe.training.learning_rate = 0;
  recipe.training.final_learning_rate = 0;
  recipe.training.start_from = folder_ / "high/checkpoint.pt";
  MustTrain(recipe);
  const auto one = LoadModel(folder_ / "high/model.lichen");
  const auto first = LoadModel(folder_ / "all/model_0.05.lichen");
  const auto second = LoadModel(folder_ / "all/model_0.005.lichen");
  ASSERT_TRUE(one && first && second);
  const auto weights = [](const Model& model, size_t node) {
    return std::get<FloatNet>(model).graphs[0].nodes[node].params.weights;
  };
  EXPECT_EQ(weights(*one, 0), weights(*first, 0));
  EXPECT_EQ(weights(*one, 4), weights(*first, 4));  // gain 1
  EXPECT_NE(weights(*one, 4), weights(*second, 4));
}

TEST_F(Training, NamesADamagedOrForeignCheckpoint) {
  Recipe recipe = Tiny("run");
  MustTrain(recipe);
  Recipe wider = recipe;
  wider.network.width = 7;
  EXPECT_THAT(WhyNot(wider, {.is_resumed = true}), HasSubstr("network/width = 6"));
  const auto path = folder_ / "run/checkpoint.pt";
  auto bytes = ReadFile(path);
  ASSERT_TRUE(bytes);
  bytes->resize(bytes->size() / 2);
  ASSERT_TRUE(WriteFile(path, *bytes));
  const std::string why = WhyNot(recipe, {.is_resumed = true});
  EXPECT_THAT(why, HasSubstr(path.string()));
  EXPECT_THAT(why, HasSubstr("damaged"));
}

// A full disk, as far as a test can make one: files may not grow beyond a size.
TEST_F(Training, KeepsTheCheckpointWhenTheDiskIsFull) {
  Recipe recipe = Tiny("run");
  MustTrain(recipe);
  const auto before = ReadFile(folder_ / "run/checkpoint.pt");
  ASSERT_TRUE(before);
  recipe.training.steps = 20;
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small = {before->size() / 2, old.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string why = WhyNot(recipe, {.is_resumed = true, .threads = 1});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_THAT(why, HasSubstr("checkpoint.pt"));
  EXPECT_EQ(*before, *ReadFile(folder_ / "run/checkpoint.pt"));
  MustTrain(recipe, {.is_resumed = true});
}

TEST_F(Training, RefusesDevicesThatAreNotThere) {
  EXPECT_THAT(WhyNot(Tiny("run"), {.device = "abacus"}), HasSubstr("--device abacus"));
  EXPECT_THAT(WhyNot(Tiny("run"), {.device = "cuda:77"}), HasSubstr("--device cuda:77"));
}

constexpr const char* kStages = R"(model = "streamlic"
output = "out"
[network]
width = 12
latent_channels = 24
hyper_channels = 12
[data]
folder = "in"
crop_px = 64
min_short_side_px = 64
max_short_side_px = 80
[training]
lambdas = [0.05, 0.005]
batch = 2
steps = 4
learning_rate = 1e-3
log_steps = 1
checkpoint_steps = 3
average_decay = 0.5
[[stage]]
name = "noise"
[[stage]]
name = "mask"
mask = true
masks_after = 0.5
context_blocks = 5
row_blocks = 4
parameter_blocks = 3
[[stage]]
name = "quantise"
quantise = true
[[stage]]
name = "hard"
quantise = true
fixed_encoder = true
hard_rounding = true
[[stage]]
name = "tables"
quantise = true
fixed_encoder = true
hard_rounding = true
tables = true
)";

TEST_F(Training, OverfitsOnePictureWithStreamLic) {
  PutPictures(folder_ / "one", 1, 64, 64);
  Recipe recipe = Tiny("run");
  recipe.model = "streamlic";
  recipe.data.folder = folder_ / "one";
  recipe.data.crop_px = 64;
  recipe.data.min_short_side_px = 64;
  recipe.data.max_short_side_px = 64;
  recipe.network = {.width = 12, .latent_channels = 48, .hyper_channels = 12};
  recipe.training.lambdas = {0.02};
  recipe.training.steps = 500;
  recipe.training.learning_rate = 3e-3;
  recipe.training.final_learning_rate = 1e-4;
  recipe.training.checkpoint_steps = 500;
  recipe.training.log_steps = 50;
  MustTrain(recipe);
  const auto lines = StepsOfLog(folder_ / "run/log.jsonl");
  ASSERT_EQ(lines.size(), 10U);
  EXPECT_LT(lines.back()["loss"], lines.front()["loss"].get<double>() / 10);
  EXPECT_GT(lines.back()["psnr"], 27);
  EXPECT_LT(lines.back()["bpp"], 4);
}

class StagedTraining : public Training {
 protected:
  StagedTraining() {
    PutPictures(folder_ / "in", 2, 70, 90);
    PutText(folder_ / "r.toml", kStages);
    auto stages = ReadRecipe(folder_ / "r.toml", {});
    EXPECT_TRUE(stages) << stages.error().message;
    stages_ = std::move(*stages);
  }
  std::vector<Recipe> stages_;
};

TEST_F(StagedTraining, EachStageBeginsWhereTheOneBeforeEnded) {
  ASSERT_EQ(stages_.size(), 5U);
  for (const Recipe& stage : stages_) {
    const TrainResult result = MustTrain(stage);
    ASSERT_EQ(result.models.size(), 2U);
    const auto lines = StepsOfLog(stage.output / "log.jsonl");
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[0]["stage"], stage.stage);
    for (const auto& path : result.models) {
      const auto model = LoadModel(path);
      ASSERT_TRUE(model) << model.error().message;
      ASSERT_TRUE(std::holds_alternative<IntNet>(*model));
      const auto& net = std::get<IntNet>(*model);
      const auto check = CheckIntNet(net);
      EXPECT_TRUE(check) << check.error().message;
      EXPECT_NE(net.FindTables("latent"), nullptr);
      EXPECT_NE(net.FindTables("hyper_latent"), nullptr);
      const IntGraph* context = net.Find("context");
      ASSERT_NE(context, nullptr);
      const std::vector<uint8_t>& mask = context->nodes[0].params.mask;
      const bool is_dense = std::count(mask.begin(), mask.end(), 0) == 0;
      EXPECT_EQ(is_dense, stage.stage == "noise") << stage.stage;
    }
  }
}

TEST_F(StagedTraining, ResumedEqualsUninterruptedInEveryStage) {
  for (Recipe stage : stages_) {
    const Recipe whole = stage;
    MustTrain(whole);
    // A later stage's start is the whole run's.
    stage.output = folder_ / ("parts_" + stage.stage);
    std::atomic<bool> stop = false;
    TrainOptions options = {.stop = &stop};
    options.on_progress = [&](const TrainProgress& p) { stop = p.step == 3; };
    EXPECT_TRUE(MustTrain(stage, options).is_stopped);
    MustTrain(stage, {.is_resumed = true});
    const auto expected = StepsOfLog(whole.output / "log.jsonl");
    const auto lines = StepsOfLog(stage.output / "log.jsonl");
    ASSERT_EQ(lines.size(), expected.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      EXPECT_EQ(lines[i]["loss"], expected[i]["loss"]) << stage.stage << " step " << i + 1;
    }
  }
}

TEST_F(StagedTraining, RatesOfTheCheckpointAreThoseOfTheLatents) {
  MustTrain(stages_[0]);
  const auto figures = EvaluateCheckpoint(stages_[0], folder_ / "in", {.threads = 1});
  ASSERT_TRUE(figures) << figures.error().message;
  ASSERT_EQ(figures->size(), 2U);
  EXPECT_GT((*figures)[0].bpp, (*figures)[1].bpp);
  EXPECT_GT((*figures)[0].psnr_db, 10);
}

}  // namespace
}  // namespace lichen
