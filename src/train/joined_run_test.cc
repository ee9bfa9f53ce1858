// Two processes train one network, as one process would.
#include "train/joined_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "train/gloo_transport.h"
#include "train/peer_process.h"
#include "train/train_test_support.h"
#include "train/trainer.h"

namespace lichen {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// What both processes train: "bls2017", "masks" or "integers".
Recipe RecipeOf(const std::string& kind, const std::filesystem::path& folder) {
  Recipe recipe = TinyRecipe(folder / "in", folder / "joined");
  recipe.training.lambdas = {0.05, 0.005};
  recipe.training.batch = 5;  // which two cannot halve
  if (kind == "bls2017") return recipe;
  recipe.model = "streamlic";
  recipe.network = {.width = 12, .latent_channels = 24, .hyper_channels = 12};
  recipe.data.crop_px = recipe.data.min_short_side_px = recipe.data.max_short_side_px = 64;
  recipe.training.steps = 6;
  if (kind == "masks") recipe.switches = {.mask = true, .masks_after = 0.5, .context_blocks = 2};
  if (kind == "integers") recipe.switches = {.quantise = true};
  return recipe;
}

Result<TrainResult> TrainAs(int64_t rank, const std::string& rendezvous, const Recipe& recipe,
                            TrainOptions options) {
  LICHEN_TRY(ProcessGroup group,
             ProcessGroup::Join({.size = 2, .rank = rank, .rendezvous = rendezvous}));
  options.threads = 1;
  options.group = &group;
  return Train(recipe, options);
}

// Process 1. It fails where, and with what, the argument WHY says.
TEST(DISABLED_Peer, Trains) {
  const std::filesystem::path folder = PeerArgument("FOLDER");
  Recipe recipe = RecipeOf(PeerArgument("KIND"), folder);
  recipe.output = folder / "nothing";
  if (!PeerArgument("STEPS").empty()) recipe.training.steps = std::stoll(PeerArgument("STEPS"));
  if (!PeerArgument("DATA").empty()) recipe.data.folder = PeerArgument("DATA");
  if (!PeerArgument("LAMBDA").empty()) {
    recipe.training.lambdas[1] = std::stod(PeerArgument("LAMBDA"));
    recipe.training.batch = 2;
  }
  const int64_t stop_step = PeerArgument("STOP").empty() ? -1 : std::stoll(PeerArgument("STOP"));
  std::atomic<bool> stop = false;
  TrainOptions options = {.stop = &stop};
  options.on_progress = [&](const TrainProgress& p) { stop = p.step == stop_step; };
  const auto result = TrainAs(1, PeerArgument("RENDEZVOUS"), recipe, options);
  const std::string why = result ? "" : result.error().message;
  if (!PeerArgument("WHY").empty()) {
    EXPECT_THAT(why, HasSubstr(PeerArgument("WHY")));
    return;
  }
  ASSERT_EQ(why, "");
  EXPECT_EQ(result->is_stopped, stop_step > 0);
  EXPECT_EQ(result->last.step, stop_step > 0 ? stop_step : recipe.training.steps);
  EXPECT_TRUE(result->models.empty());
  EXPECT_FALSE(std::filesystem::exists(recipe.output));
}

class JoinedRun : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasGloo()) GTEST_SKIP() << "this build found no Gloo";
    PutPictures(folder_ / "in", 3, 80, 70);
  }

  // Trains with another process; its arguments beside the common ones are given.
  Result<TrainResult> Joined(const std::string& kind, const Recipe& recipe,
                             const TrainOptions& options = {},
                             std::vector<std::string> arguments = {}) {
    const std::string rendezvous = FreeRendezvous();
    arguments.insert(arguments.end(), {"KIND=" + kind, "FOLDER=" + folder_.path().string(),
                                       "RENDEZVOUS=" + rendezvous});
    PeerProcess peer("Trains", arguments);
    auto result = TrainAs(0, rendezvous, recipe, options);
    EXPECT_TRUE(peer.Wait());
    return result;
  }

  std::string WhyNot(const std::string& kind, const Recipe& recipe,
                     const std::vector<std::string>& arguments) {
    const auto result = Joined(kind, recipe, {}, arguments);
    return result ? "" : result.error().message;
  }

  // The logs and weights of one process, and of two together.
  void TrainBoth(const std::string& kind) {
    Recipe recipe = RecipeOf(kind, folder_.path());
    const auto joined = Joined(kind, recipe);
    ASSERT_TRUE(joined) << joined.error().message;
    EXPECT_EQ(joined->last.step, recipe.training.steps);
    joined_ = StepsOfLog(recipe.output / "log.jsonl");
    const torch::Device cpu(torch::kCPU);
    auto joined_state = LoadCheckpoint(recipe.output / "checkpoint.pt", recipe, cpu);
    recipe.output = folder_ / "alone";
    const auto alone = Train(recipe, {.threads = 1});
    ASSERT_TRUE(alone) << alone.error().message;
    alone_ = StepsOfLog(recipe.output / "log.jsonl");
    auto alone_state = LoadCheckpoint(recipe.output / "checkpoint.pt", recipe, cpu);
    ASSERT_TRUE(joined_state && alone_state);
    ASSERT_EQ(joined_.size(), alone_.size());
    const auto weights = torch::nn::utils::parameters_to_vector(alone_state->module->parameters());
    const auto others = torch::nn::utils::parameters_to_vector(joined_state->module->parameters());
    const torch::Tensor is_off = (weights - others).abs() > 1e-5;
    off_share_ = is_off.to(torch::kFloat64).mean().item<double>();
    const auto buffers = alone_state->module->buffers();
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_TRUE(torch::allclose(buffers[i], joined_state->module->buffers()[i], 1e-5, 1e-7));
    }
    for (size_t i = 0; i < alone_.size(); ++i) {
      for (const char* key : {"loss", "bpp", "mse", "gradient_norm"}) {
        const double value = alone_[i][key];
        const double error = std::abs(joined_[i][key].get<double>() / value - 1);
        log_error_ = std::max(log_error_, error);
        if (i == 0) first_log_error_ = std::max(first_log_error_, error);
      }
    }
    RecordProperty("log_error", fmt::format("{:g}", log_error_));
    RecordProperty("off_share", fmt::format("{:g}", off_share_));
    // Gradients that are nothing but rounding become whole steps of Adam.
    EXPECT_LT(off_share_, 0.005);
  }

  ScratchFolder folder_;
  std::vector<nlohmann::json> joined_, alone_;
  double log_error_ = 0, first_log_error_ = 0;
  double off_share_ = 0;  // of the weights: by more than 1e-5
};

TEST_F(JoinedRun, EqualsOneProcess) {
  TrainBoth("bls2017");
  EXPECT_LT(log_error_, 1e-5);
  for (size_t i = 0; i < alone_.size(); ++i) {
    ASSERT_EQ(joined_[i]["rates"].size(), 2U);
    for (size_t r = 0; r < 2; ++r) {
      EXPECT_NEAR(joined_[i]["rates"][r]["bpp"], alone_[i]["rates"][r]["bpp"], 1e-4);
    }
  }
}

TEST_F(JoinedRun, EqualsOneProcessThatMakesMasks) {
  TrainBoth("masks");
  EXPECT_LT(log_error_, 1e-5);
}

// Roundings that differ move values to the next integer.
TEST_F(JoinedRun, EqualsOneProcessWithIntegers) {
  TrainBoth("integers");
  EXPECT_LT(first_log_error_, 1e-5);
  EXPECT_LT(log_error_, 1e-2);
}

TEST_F(JoinedRun, StopsEverywhereAndResumes) {
  Recipe recipe = RecipeOf("bls2017", folder_.path());
  const auto whole = Joined("bls2017", recipe);
  ASSERT_TRUE(whole) << whole.error().message;
  const auto expected = StepsOfLog(recipe.output / "log.jsonl");
  recipe.output = folder_ / "parts";
  const auto begun = Joined("bls2017", recipe, {}, {"STOP=7"});
  ASSERT_TRUE(begun) << begun.error().message;
  EXPECT_TRUE(begun->is_stopped);
  EXPECT_EQ(begun->last.step, 7);
  const auto rest = Joined("bls2017", recipe, {.is_resumed = true});
  ASSERT_TRUE(rest) << rest.error().message;
  EXPECT_EQ(rest->first_step, 7);
  const auto parts = StepsOfLog(recipe.output / "log.jsonl");
  ASSERT_EQ(parts.size(), expected.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i]["loss"], expected[i]["loss"]) << "step " << i + 1;
  }
  EXPECT_EQ(*ReadFile(folder_ / "joined/model_0.05.lichen"),
            *ReadFile(folder_ / "parts/model_0.05.lichen"));
}

// One picture for each process, and a loss beyond all numbers for one of the two rates.
TEST_F(JoinedRun, EndsEverywhereWhenOneLossIsNotFinite) {
  Recipe recipe = RecipeOf("bls2017", folder_.path());
  recipe.training.batch = 2;
  recipe.training.lambdas[1] = 1e39;
  const std::string why =
      WhyNot("bls2017", recipe, {"LAMBDA=1e39", "WHY=the loss of step 1 is not finite"});
  EXPECT_THAT(why, HasSubstr("the loss of step 1 is not finite"));
}

TEST_F(JoinedRun, RefusesOtherRecipesAndPictures) {
  const Recipe recipe = RecipeOf("bls2017", folder_.path());
  std::string why = "process 1 has training/steps = 13, process 0 has 12";
  EXPECT_THAT(WhyNot("bls2017", recipe, {"STEPS=13", "WHY=" + why}), HasSubstr(why));
  PutPictures(folder_ / "other", 2, 80, 70);
  why = "process 1 has data/picture";
  EXPECT_THAT(WhyNot("bls2017", recipe, {"DATA=" + (folder_ / "other").string(), "WHY=" + why}),
              HasSubstr(why));
  why = "process 1: " + (folder_ / "none").string();
  EXPECT_THAT(WhyNot("bls2017", recipe,
                     {"DATA=" + (folder_ / "none").string(), "WHY=" + (folder_ / "none").string()}),
              HasSubstr(why));
}

TEST_F(JoinedRun, TellsOfErrorsThatProcess0Has) {
  const Recipe recipe = RecipeOf("bls2017", folder_.path());
  const std::string why = "there is no run to resume";
  const auto result = Joined("bls2017", recipe, {.is_resumed = true}, {"WHY=process 0: "});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr(why));
}

}  // namespace
}  // namespace lichen
