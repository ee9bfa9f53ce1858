#include "quant/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "base/test_path.h"
#include "image/synthetic.h"
#include "image/writer.h"
#include "quant/statistics.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

fs::path Scratch(const std::string& name) {
  const fs::path path = TestPath(name);
  fs::remove_all(path);
  return path;
}

void Write(const fs::path& path, const Image& image) {
  const auto written = WriteImage(path, image);
  ASSERT_TRUE(written) << written.error().message;
}

TEST(LoadCalibration, SkipsAndCountsWhatIsNoPicture) {
  const fs::path folder = Scratch("skips");
  Write(folder / "b.png", RenderTestPicture(40, 30, 1));
  Write(folder / "a.ppm", RenderTestPicture(20, 300, 2));
  Write(folder / "sub" / "unseen.png", RenderTestPicture(8, 8, 3));
  auto bytes = ReadFile(folder / "b.png");
  ASSERT_TRUE(bytes);
  bytes->resize(bytes->size() / 2);
  ASSERT_TRUE(WriteFile(folder / "c.png", *bytes));
  ASSERT_TRUE(WriteFile(folder / "notes.txt", "not a picture"));
  ASSERT_TRUE(WriteFile(folder / "empty.jpg", ""));

  const auto calibration = LoadCalibration(folder, {.crop_px = 100}, Threads(2));
  ASSERT_TRUE(calibration) << calibration.error().message;
  ASSERT_EQ(calibration->pictures.size(), 2);
  EXPECT_EQ(calibration->pictures[0].name, "a.ppm");
  EXPECT_EQ(calibration->pictures[0].image.info.height, 20);
  EXPECT_EQ(calibration->pictures[0].image.info.width, 100);
  EXPECT_EQ(calibration->pictures[1].name, "b.png");
  ASSERT_EQ(calibration->skipped.size(), 3);
  EXPECT_EQ(calibration->skipped[0].name, "c.png");
  EXPECT_EQ(calibration->skipped[1].name, "empty.jpg");
  EXPECT_EQ(calibration->skipped[2].name, "notes.txt");
  EXPECT_FALSE(calibration->skipped[2].reason.empty());
}

TEST(LoadCalibration, RefusesFoldersWithoutPictures) {
  const fs::path folder = Scratch("none");
  ASSERT_TRUE(WriteFile(folder / "notes.txt", "not a picture"));
  const auto without = LoadCalibration(folder, {}, Threads(1));
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().message, testing::HasSubstr("holds no picture"));
  EXPECT_FALSE(LoadCalibration(folder / "absent", {}, Threads(1)));
}

TEST(LoadCalibration, TakesPicturesAtEvenDistances) {
  const fs::path folder = Scratch("many");
  for (int i = 0; i < 10; ++i) {
    Write(folder / fmt::format("{}.ppm", i), RenderTestPicture(4, 4, static_cast<uint64_t>(i)));
  }
  const auto calibration = LoadCalibration(folder, {.max_pictures = 3}, Threads(2));
  ASSERT_TRUE(calibration);
  ASSERT_EQ(calibration->pictures.size(), 3);
  EXPECT_EQ(calibration->pictures[1].name, "3.ppm");
  EXPECT_EQ(calibration->pictures[2].name, "6.ppm");
}

TEST(LoadCalibrationCrop, AveragesLargePicturesAndCutsTheCentre) {
  Image image = MakeImage({.height = 8, .width = 16, .channels = 4, .bit_depth = 16});
  for (int64_t y = 0; y < 8; ++y) {
    for (int64_t x = 0; x < 16; ++x) {
      const auto at = static_cast<size_t>((y * 16 + x) * 4);
      image.samples[at] = static_cast<uint16_t>(257 * (x + 2 * (y % 2)));
      image.samples[at + 3] = 1234;
    }
  }
  const fs::path path = Scratch("average") / "a.png";
  Write(path, image);
  const auto crop = LoadCalibrationCrop(path, {.crop_px = 2, .target_side_px = 4});
  ASSERT_TRUE(crop) << crop.error().message;
  EXPECT_EQ(crop->info.channels, 3);
  EXPECT_EQ(crop->info.bit_depth, 8);
  // Columns 6 and 7, then 8 and 9, of rows of which every second is larger by 2.
  EXPECT_THAT(crop->samples, testing::ElementsAre(8, 0, 0, 10, 0, 0, 8, 0, 0, 10, 0, 0));
}

TEST(FloatPicture, PadsByRepeatingAndTurnsGrey) {
  Image image = MakeImage({.height = 1, .width = 3, .channels = 3, .bit_depth = 8});
  image.samples = {255, 0, 0, 0, 255, 0, 51, 51, 51};
  const Tensor<float> colour = FloatPicture(image, 3, 4);
  EXPECT_EQ(colour.shape(), (Shape{1, 4, 4, 3}));
  EXPECT_EQ(colour(0, 3, 1, 1), 1.0F);
  EXPECT_FLOAT_EQ(colour(0, 2, 3, 2), 0.2F);
  const Tensor<float> grey = FloatPicture(image, 1, 1);
  EXPECT_EQ(grey(0, 0, 0, 0), 0.25F);
  EXPECT_EQ(grey(0, 0, 1, 0), 0.5F);
  EXPECT_FLOAT_EQ(grey(0, 0, 2, 0), 0.2F);
}

TEST(ChannelStatistics, KnowsMomentsAndQuantiles) {
  ChannelStatistics a;
  ChannelStatistics b;
  std::vector<float> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(static_cast<float>(i % 2 ? i : -i));
  a.Add(values.data(), 500, 1);
  b.Add(values.data() + 500, 500, 1);
  a.Merge(b);
  EXPECT_EQ(a.count(), 1000);
  EXPECT_EQ(a.min(), -1000);
  EXPECT_EQ(a.max(), 999);
  EXPECT_NEAR(a.Mean(), -0.5, 1e-9);
  EXPECT_NEAR(a.MeanAbs(), 500.5, 1e-9);
  EXPECT_EQ(a.Percentile(100), 1000);
  EXPECT_NEAR(a.Percentile(50), 500, 0.07 * 500);
  EXPECT_GE(a.Percentile(50), 500);
}

TEST(ChannelStatistics, ClipsOutliersWhenLevelsAreFew) {
  ChannelStatistics c;
  std::vector<float> values(10000, 1.0F);
  values[0] = 100;
  c.Add(values.data(), static_cast<int64_t>(values.size()), 1);
  EXPECT_LT(c.BestClip(7), 60);
  EXPECT_EQ(c.BestClip(32767), 100);
}

}  // namespace
}  // namespace lichen
