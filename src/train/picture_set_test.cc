#include "train/picture_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "train/batch_loader.h"
#include "train/train_test_support.h"

namespace lichen {
namespace {

using testing::HasSubstr;

RgbPicture Ramp(int64_t h, int64_t w) {
  RgbPicture picture{{h, w}, {}};
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      for (const int64_t v : {y * 8, x * 8, y + x}) {
        picture.samples.push_back(static_cast<uint8_t>(v));
      }
    }
  }
  return picture;
}

std::vector<uint8_t> Cut(const RgbPicture& picture, const CropPlace& place) {
  std::vector<uint8_t> out(static_cast<size_t>(place.side_px * place.side_px * 3));
  CutCrop(picture, place, out);
  return out;
}

TEST(CutCrop, CopiesAndFlips) {
  const RgbPicture picture = Ramp(20, 30);
  for (const bool flip_y : {false, true}) {
    for (const bool flip_x : {false, true}) {
      const auto out = Cut(
          picture, {.y = 3, .x = 7, .side_px = 16, .is_flipped_y = flip_y, .is_flipped_x = flip_x});
      for (int64_t y = 0; y < 16; ++y) {
        for (int64_t x = 0; x < 16; ++x) {
          const auto at = static_cast<size_t>((y * 16 + x) * 3);
          EXPECT_EQ(out[at], 8 * (3 + (flip_y ? 15 - y : y)));
          EXPECT_EQ(out[at + 1], 8 * (7 + (flip_x ? 15 - x : x)));
        }
      }
    }
  }
}

TEST(CutCrop, TakesTheMeanOfTheAreaOfEachSample) {
  const RgbPicture picture = Ramp(30, 30);
  const auto halved = Cut(picture, {.y = 1, .x = 2, .factor = 2, .side_px = 8});
  const auto fractional = Cut(picture, {.y = 0.25, .x = 1.5, .factor = 1.75, .side_px = 8});
  for (int64_t y = 0; y < 8; ++y) {
    for (int64_t x = 0; x < 8; ++x) {
      const auto at = static_cast<size_t>((y * 8 + x) * 3);
      EXPECT_EQ(halved[at], 8 * (1 + 2 * y) + 4);
      EXPECT_EQ(halved[at + 1], 8 * (2 + 2 * x) + 4);
      // A ramp's mean over an area is its value in the middle, but for the steps of the pixels.
      const double middle = 0.25 + 1.75 * (static_cast<double>(y) + 0.5);
      EXPECT_NEAR(fractional[at], 8 * (middle - 0.5), 1.7);
    }
  }
}

TEST(CutCrop, StaysWithinThePicture) {
  const RgbPicture picture = Ramp(30, 30);
  const double factor = 30.0 / 16;
  Cut(picture, {.y = 0, .x = 0, .factor = factor, .side_px = 16});  // under sanitizers
}

class PictureFolder : public testing::Test {
 protected:
  PictureFolder() { PutPictures(folder_ / "in", 3, 80, 100); }

  PictureSet Open(int64_t cache_bytes = int64_t{1} << 30, int thread_count = 2) {
    auto set = PictureSet::Open(folder_ / "in",
                                {.crop_px = 32,
                                 .min_short_side_px = 48,
                                 .max_short_side_px = 64,
                                 .cache_bytes = cache_bytes},
                                Threads(thread_count));
    EXPECT_TRUE(set) << set.error().message;
    return std::move(*set);
  }

  ScratchFolder folder_;
};

std::vector<uint8_t> CropOf(const PictureSet& set, uint64_t key) {
  std::vector<uint8_t> out(32 * 32 * 3);
  const auto result = set.Crop(key, out);
  EXPECT_TRUE(result) << result.error().message;
  return out;
}

TEST_F(PictureFolder, GivesTheSameCropsCachedOrNot) {
  const PictureSet cached = Open();
  const PictureSet partly = Open(80 * 100 * 3, 1);
  const PictureSet uncached = Open(0);
  for (uint64_t key = 0; key < 20; ++key) {
    const auto crop = CropOf(cached, key);
    EXPECT_EQ(crop, CropOf(partly, key));
    EXPECT_EQ(crop, CropOf(uncached, key));
    EXPECT_NE(crop, CropOf(cached, key + 1000));
  }
}

TEST_F(PictureFolder, SkipsAndNamesWhatItCannotUse) {
  PutText(folder_ / "in/notes.txt", "no picture");
  ASSERT_TRUE(WriteImage(folder_ / "in/small.png", Rendered(20, 200, 9)));
  auto bytes = ReadFile(folder_ / "in/0.png");
  ASSERT_TRUE(bytes);
  bytes->resize(bytes->size() / 2);
  ASSERT_TRUE(WriteFile(folder_ / "in/torn.png", *bytes));
  const PictureSet set = Open();
  EXPECT_EQ(set.picture_count(), 3);
  std::vector<std::string> names;
  for (const SkippedPicture& skipped : set.Skipped()) {
    names.push_back(skipped.name);
    EXPECT_THAT(skipped.reason, HasSubstr(skipped.name == "small.png" ? "smaller" : skipped.name));
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("notes.txt", "small.png", "torn.png"));
  // Where nothing is cached, a torn picture shows only when it is drawn.
  const PictureSet uncached = Open(0);
  for (uint64_t key = 0; key < 30; ++key) CropOf(uncached, key);
  EXPECT_EQ(uncached.Skipped().size(), 3U);
}

TEST_F(PictureFolder, RefusesAFolderWithoutPictures) {
  std::filesystem::create_directories(folder_ / "empty");
  const auto set = PictureSet::Open(folder_ / "empty", {}, Threads(1));
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("holds no picture"));
  EXPECT_FALSE(PictureSet::Open(folder_ / "absent", {}, Threads(1)));
}

TEST_F(PictureFolder, BatchesDependOnTheStepAlone) {
  const PictureSet set = Open();
  const BatchOptions options = {.batch = 3, .crop_px = 32, .rate_count = 2, .seed = 5};
  BatchOptions crowded = options;
  crowded.workers = 3;
  crowded.first_step = 4;
  BatchLoader one(set, options);
  BatchLoader three(set, crowded);
  for (int64_t step = 0; step < 12; ++step) {
    const auto a = one.Next();
    ASSERT_TRUE(a);
    EXPECT_EQ(a->step, step);
    EXPECT_EQ(a->rates.size(), 3U);
    EXPECT_NE(a->rates[0], a->rates[1]);
    if (step < 4) continue;
    const auto b = three.Next();
    ASSERT_TRUE(b);
    EXPECT_EQ(a->samples, b->samples);
    EXPECT_EQ(a->rates, b->rates);
  }
}

}  // namespace
}  // namespace lichen
