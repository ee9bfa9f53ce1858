#include "image/resize.h"

#include <gmock/gmock.h>

#include "image/colour.h"
#include "image/image_test_support.h"

namespace lichen {
namespace {

using ::testing::ElementsAre;

Image GreyRow(std::vector<uint16_t> samples) {
  const int64_t width = static_cast<int64_t>(samples.size());
  Image image = MakeImage({.height = 1, .width = width, .channels = 1});
  image.samples = std::move(samples);
  return image;
}

TEST(ResizeBilinear, RoundsHalfToEven) {
  EXPECT_THAT(ResizeBilinear(GreyRow({0, 1, 1, 2, 2, 3}), 1, 3)->samples, ElementsAre(0, 2, 2));
}

TEST(ResizeBilinear, UsesHalfPixelCentresAndRepeatsEdges) {
  EXPECT_THAT(ResizeBilinear(GreyRow({0, 100}), 1, 4)->samples, ElementsAre(0, 25, 75, 100));
  EXPECT_THAT(ResizeBilinear(GreyRow({7}), 2, 2)->samples, ElementsAre(7, 7, 7, 7));
}

TEST(ResizeBilinear, KeepsAPictureOfTheSameSize) {
  const Image image = RandomPicture({.height = 9, .width = 13, .channels = 4, .bit_depth = 16}, 1);
  EXPECT_EQ(ResizeBilinear(image, 9, 13)->samples, image.samples);
  EXPECT_FALSE(ResizeBilinear(image, 0, 13).has_value());
}

TEST(ResizeNearest, TakesTheSampleUnderThePixelsCentre) {
  EXPECT_THAT(ResizeNearest(GreyRow({0, 1, 2, 3, 4, 5}), 1, 3)->samples, ElementsAre(1, 3, 5));
  // Centres at 1.125, 3.375, 5.625 and 7.875.
  EXPECT_THAT(ResizeNearest(GreyRow({0, 1, 2, 3, 4, 5, 6, 7, 8}), 1, 4)->samples,
              ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(ResizeNearest(GreyRow({7, 9}), 2, 4)->samples, ElementsAre(7, 7, 9, 9, 7, 7, 9, 9));
  const Image image = RandomPicture({.height = 9, .width = 13, .channels = 4, .bit_depth = 16}, 1);
  EXPECT_EQ(ResizeNearest(image, 9, 13)->samples, image.samples);
  EXPECT_EQ(ResizeNearest(image, 3, 13)->At(1, 5, 2), image.At(4, 5, 2));
  EXPECT_FALSE(ResizeNearest(image, 9, 0).has_value());
}

TEST(ResizeBilinear, GivesTheInputOfTheGoldenNetwork) {
  const auto jpeg_folder = SharedFolder() / "data/dacsdc/images";
  const auto golden_folder = SharedFolder() / "golden/ultranet";
  if (!std::filesystem::exists(jpeg_folder) || !std::filesystem::exists(golden_folder)) {
    GTEST_SKIP() << "no golden pictures in " << SharedFolder();
  }
  for (const std::string name : {"000", "040"}) {
    const auto picture = ReadImage(jpeg_folder / (name + ".jpg"));
    ASSERT_TRUE(picture.has_value()) << picture.error().message;
    const auto small = ResizeBilinear(*picture, 160, 320);
    ASSERT_TRUE(small.has_value());
    const auto golden = ReadFile(golden_folder / (name + "_input_bgr_3x160x320_u8.bin"));
    ASSERT_TRUE(golden.has_value()) << golden.error().message;
    EXPECT_TRUE(*PlanarBgr(*small) == *golden) << name;
  }
}

TEST(Kodak, PicturesHaveTheirKnownSizes) {
  const auto folder = SharedFolder() / "data/kodak";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no Kodak pictures in " << SharedFolder();
  const auto wide = ReadImage(folder / "kodim01.png");
  ASSERT_TRUE(wide.has_value()) << wide.error().message;
  EXPECT_EQ(Describe(wide->info), "768x512 RGB, 8 bit");
  const auto tall = ReadImage(folder / "kodim04.png");
  ASSERT_TRUE(tall.has_value()) << tall.error().message;
  EXPECT_EQ(Describe(tall->info), "512x768 RGB, 8 bit");
}

TEST(PlanarBgr, OrdersPlanesBlueGreenRed) {
  Image image = MakeImage({.height = 1, .width = 2});
  image.samples = {1, 2, 3, 4, 5, 6};
  EXPECT_THAT(*PlanarBgr(image), ElementsAre(3, 6, 2, 5, 1, 4));
  EXPECT_FALSE(PlanarBgr(GreyRow({1})).has_value());
}

TEST(Colour, GreyReturnsFromRgb) {
  std::vector<uint16_t> grey = {0, 1, 2, 254, 255, 65534, 65535};
  std::vector<uint16_t> rgb(21), back(7);
  GreyToRgb(grey, rgb);
  RgbToGrey(rgb, back);
  EXPECT_EQ(back, grey);
  rgb = {1, 1, 2, 1, 2, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  RgbToGrey(rgb, back);
  EXPECT_THAT(std::span(back).first(3), ElementsAre(1, 2, 0));
}

}  // namespace
}  // namespace lichen
