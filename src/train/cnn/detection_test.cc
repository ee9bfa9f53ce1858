#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "image/reader.h"
#include "image/resize.h"
#include "image/writer.h"
#include "train/cnn/cnn_task.h"
#include "train/cnn/scene_folder.h"
#include "train/train_test_support.h"

namespace lichen {
namespace {

using testing::HasSubstr;

void PutFlat(const std::filesystem::path& folder, int count, int test_value, int training_value) {
  for (int i = 0; i < count; ++i) {
    Image image = MakeImage({.height = 90, .width = 160, .channels = 3});
    std::fill(image.samples.begin(), image.samples.end(),
              static_cast<uint16_t>(i % 5 == 4 ? test_value : training_value));
    ASSERT_TRUE(WriteImage(folder / fmt::format("{:02}.png", i), image));
  }
}

TEST(SceneSet, SharesNoPhotographBetweenTrainingAndTests) {
  const ScratchFolder folder;
  PutFlat(folder.path(), 10, 0, 255);
  PutText(folder / "notes.txt", "no picture");
  const auto set = SceneSet::Open(folder.path(), {{300, 400, 100, 200}}, 5, Threads(1));
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->photograph_count(Split::kTraining), 8);
  EXPECT_EQ(set->photograph_count(Split::kTest), 2);
  for (int64_t i = 0; i < 20; ++i) {
    for (const Split split : {Split::kTraining, Split::kTest}) {
      const Scene scene = set->Make(split, i);
      const int ground = split == Split::kTest ? 0 : 255;
      EXPECT_EQ(scene.picture.At(0, 0, 0), ground);
      EXPECT_EQ(scene.picture.At(kSceneHeight - 1, kSceneWidth - 1, 1), ground);
      // Colours have one channel below 64; at most 60 % of the colour is mixed into the texture.
      const auto y = static_cast<int64_t>((scene.box.ymin + scene.box.ymax) / 2);
      const auto x = static_cast<int64_t>((scene.box.xmin + scene.box.xmax) / 2);
      const int least = std::min(
          {scene.picture.At(y, x, 0), scene.picture.At(y, x, 1), scene.picture.At(y, x, 2)});
      EXPECT_EQ(least < 64, split == Split::kTest) << least;
    }
  }
}

TEST(SceneSet, BoxesHoldTheObjectTightly) {
  const ScratchFolder folder;
  PutFlat(folder.path(), 10, 0, 0);
  const auto set =
      SceneSet::Open(folder.path(), {{20, 90, 30, 90}, {500, 630, 200, 350}}, 1, Threads(1));
  ASSERT_TRUE(set) << set.error().message;
  for (int64_t i = 0; i < 10; ++i) {
    const Scene scene = set->Make(Split::kTraining, i);
    Box seen = {kSceneWidth, 0, kSceneHeight, 0};
    for (int64_t y = 0; y < kSceneHeight; ++y) {
      for (int64_t x = 0; x < kSceneWidth; ++x) {
        const auto row = scene.picture.Row(y);
        const auto at = static_cast<size_t>(3 * x);
        if (row[at] + row[at + 1] + row[at + 2] == 0) continue;
        seen = {std::min<double>(seen.xmin, x), std::max<double>(seen.xmax, x + 1),
                std::min<double>(seen.ymin, y), std::max<double>(seen.ymax, y + 1)};
      }
    }
    EXPECT_GT(Iou(seen, scene.box), 0.8) << i;
    EXPECT_EQ(set->Make(Split::kTraining, i).picture.samples, scene.picture.samples);
  }
}

TEST(SceneSet, NeedsPhotographs) {
  const ScratchFolder folder;
  PutFlat(folder.path(), 9, 0, 0);
  const auto set = SceneSet::Open(folder.path(), {{0, 20, 0, 20}}, 1, Threads(1));
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("9 photographs are too few"));
}

TEST(WriteScenes, GivesThePicturesAndBoxesOfTheTest) {
  const ScratchFolder folder;
  PutFlat(folder / "photographs", 10, 10, 20);
  PutText(folder / "boxes.csv", "file,xmin,xmax,ymin,ymax\na.png,100,230,50,140\n");
  CnnRecipe recipe;
  recipe.model = "ultranet";
  recipe.data.folder = folder / "photographs";
  recipe.data.boxes = folder / "boxes.csv";
  recipe.training.seed = 3;
  recipe.training.batch = 2;
  const auto scenes = OpenScenes(recipe, Threads(1));
  ASSERT_TRUE(scenes) << scenes.error().message;
  ASSERT_TRUE(WriteScenes(*scenes, Split::kTest, 2, folder / "out", Threads(2)));
  const auto written = ReadLabelledBoxes(folder / "out");
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_EQ(written->size(), 2u);
  // What the test of a training reads, by way of the network's input.
  const CnnDefinition net = *FindCnn("ultranet");
  const auto task = OpenDetection(recipe, net, Threads(1));
  ASSERT_TRUE(task) << task.error().message;
  const auto batch = (*task)->TestBatch(0, 2);
  ASSERT_TRUE(batch) << batch.error().message;
  for (int64_t i = 0; i < 2; ++i) {
    const LabelledBox& label = (*written)[static_cast<size_t>(i)];
    const auto picture = ReadImage(label.picture);
    ASSERT_TRUE(picture) << picture.error().message;
    const Image small = *ResizeBilinear(*picture, net.height, net.width);
    for (const auto& [y, x] : {std::pair{0, 0}, std::pair{80, 160}, std::pair{40, 90}}) {
      EXPECT_EQ(batch->samples[i][1][y][x].item<float>(), small.At(y, x, 1));
    }
    EXPECT_FLOAT_EQ(batch->targets[i][1].item<float>(),
                    static_cast<float>(label.box.xmax * 320 / kSceneWidth));
  }
  ASSERT_TRUE(WriteScenes(*scenes, Split::kTraining, 1, folder / "more", Threads(1)));
  EXPECT_EQ(ReadImage(folder / "more/images/00000.png")->samples,
            scenes->Make(Split::kTraining, 0).picture.samples);
  EXPECT_FALSE(WriteScenes(*scenes, Split::kTest, 0, folder / "none", Threads(1)));
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
  recipe.data.boxes.clear();
  EXPECT_THAT(OpenScenes(recipe, Threads(1)).error().message, HasSubstr("names no boxes"));
}

class DetectionTask : public testing::Test {
 protected:
  void SetUp() override {
    std::string csv = "file,xmin,xmax,ymin,ymax\n";
    for (int i = 0; i < 10; ++i) csv += fmt::format("{:02}.png,40,60,{},80\n", i, 30 + i);
    PutFlat(folder_ / "images", 10, 10, 20);
    PutText(folder_ / "labels.csv", csv);
    recipe_.model = "ultranet";
    recipe_.data.folder = folder_.path();
    recipe_.training.batch = 4;
    auto opened = OpenDetection(recipe_, *FindCnn("ultranet"), Threads(1));
    ASSERT_TRUE(opened) << opened.error().message;
    task_ = std::move(*opened);
  }

  ScratchFolder folder_;
  CnnRecipe recipe_;
  std::unique_ptr<CnnTask> task_;
};

TEST_F(DetectionTask, RefusesABadPictureBeforeTraining) {
  const auto error = [&] {
    const auto opened = OpenDetection(recipe_, *FindCnn("ultranet"), Threads(2));
    return opened ? "no error" : opened.error().message;
  };
  ASSERT_TRUE(WriteImage(folder_ / "images/07.png",
                         MakeImage({.height = 90, .width = 160, .channels = 1})));
  EXPECT_THAT(error(), HasSubstr("07.png: is 160x90 grey"));
  std::filesystem::remove(folder_ / "images/07.png");
  EXPECT_THAT(error(), HasSubstr("07.png: cannot be opened"));
}

TEST_F(DetectionTask, GivesBoxesInPixelsOfTheNetwork) {
  EXPECT_EQ(task_->training_count(), 9);
  EXPECT_EQ(task_->test_count(), 1);
  const auto batch = task_->TestBatch(0, 1);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->samples.sizes(), torch::IntArrayRef({1, 3, 160, 320}));
  // 160x90 to 320x160.
  EXPECT_TRUE(torch::allclose(batch->targets,
                              torch::tensor({{80.0, 120.0, 39 * 160.0 / 90, 80 * 160.0 / 90}})));
}

// The head's formula, backwards: centre (100, 106), size 40 x 72, in cell (6, 6) of 16 pixels.
TEST_F(DetectionTask, ScoresADecodedBox) {
  const torch::Tensor box = torch::tensor({{80.0F, 120.0F, 70.0F, 142.0F}});
  torch::Tensor head = torch::zeros({1, 36, 10, 20});
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  for (int64_t anchor = 0; anchor < 6; ++anchor) {
    torch::Tensor cell = head[0].slice(0, 6 * anchor, 6 * anchor + 6).select(1, 6).select(1, 6);
    cell[0] = logit(100 / 16.0 - 6);
    cell[1] = logit(106 / 16.0 - 6);
    cell[2] = std::log(40 / 20.0);
    cell[3] = std::log(72 / 20.0);
    cell[4] = 9;
  }
  EXPECT_NEAR(task_->Scores(head, box).item<double>(), 1, 1e-4);
  const double good = task_->Loss(head, box).item<double>();
  EXPECT_LT(good, 1e-3);
  head[0][4][0][0] = 100;  // now another cell wins
  EXPECT_NEAR(task_->Scores(head, box).item<double>(), 0, 1e-4);
  EXPECT_GT(task_->Loss(head, box).item<double>(), 10);
}

}  // namespace
}  // namespace lichen
