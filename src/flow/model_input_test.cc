#include "flow/model_input.h"

#include <gtest/gtest.h>

namespace lichen {
namespace {

IntNet PictureNet(int64_t channels, int64_t raw_max, int32_t size_multiple) {
  IntNet net;
  net.graphs.push_back({.name = "main",
                        .tensors = {{.name = "x", .channels = channels, .range = {0, raw_max}}},
                        .inputs = {{0}},
                        .outputs = {{0}}});
  net.coding.size_multiple = size_multiple;
  return net;
}

Image Ramp(int64_t height, int64_t width, int channels, int bit_depth = 8) {
  Image image =
      MakeImage({.height = height, .width = width, .channels = channels, .bit_depth = bit_depth});
  for (size_t i = 0; i < image.samples.size(); ++i) {
    image.samples[i] = static_cast<uint16_t>(i * 7 % (image.info.MaxSample() + 1));
  }
  return image;
}

TEST(PictureInput, PadsByRepeatingEdgesAndScalesToTheRange) {
  const Image image = Ramp(3, 5, 3);
  const auto input = PictureInput(PictureNet(3, 4080, 4), image);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->shape(), (Shape{1, 4, 8, 3}));
  EXPECT_EQ((*input)(0, 1, 2, 1), 16 * image.At(1, 2, 1));
  EXPECT_EQ((*input)(0, 3, 7, 2), 16 * image.At(2, 4, 2));
}

TEST(PictureInput, TurnsToBgrDropsAlphaAndRepeatsGrey) {
  IntNet net = PictureNet(3, 255, 1);
  net.metadata["colour"] = "bgr";
  const Image rgba = Ramp(2, 2, 4);
  const auto bgr = PictureInput(net, rgba);
  ASSERT_TRUE(bgr);
  EXPECT_EQ((*bgr)(0, 1, 0, 0), rgba.At(1, 0, 2));
  EXPECT_EQ((*bgr)(0, 1, 0, 2), rgba.At(1, 0, 0));
  const Image grey = Ramp(2, 2, 1);
  const auto repeated = PictureInput(net, grey);
  ASSERT_TRUE(repeated);
  EXPECT_EQ((*repeated)(0, 1, 1, 0), grey.At(1, 1, 0));
  EXPECT_EQ((*repeated)(0, 1, 1, 2), grey.At(1, 1, 0));
  EXPECT_FALSE(PictureInput(PictureNet(1, 255, 1), rgba));
  EXPECT_FALSE(PictureInput(PictureNet(5, 255, 1), rgba));
}

TEST(PictureInput, ResizesToTheStatedSize) {
  IntNet net = PictureNet(3, 255, 1);
  net.metadata["input_size"] = "4x6";
  const auto input = PictureInput(net, Ramp(8, 12, 3));
  ASSERT_TRUE(input);
  EXPECT_EQ(input->shape(), (Shape{1, 4, 6, 3}));
  const Image ramp = Ramp(8, 12, 3);
  EXPECT_EQ((*input)(0, 1, 2, 0),
            (ramp.At(2, 4, 0) + ramp.At(2, 5, 0) + ramp.At(3, 4, 0) + ramp.At(3, 5, 0)) / 4);
  net.metadata["resize"] = "nearest";
  EXPECT_EQ((*PictureInput(net, ramp))(0, 1, 2, 0), ramp.At(3, 5, 0));
  net.metadata["resize"] = "cubic";
  EXPECT_FALSE(PictureInput(net, ramp));
  net.metadata.erase("resize");
  net.metadata["input_size"] = "big";
  EXPECT_FALSE(PictureInput(net, Ramp(8, 12, 3)));
}

TEST(PictureInput, RoundsSixteenBitsToNearest) {
  const Image image = Ramp(1, 300, 1, 16);
  const auto input = PictureInput(PictureNet(1, 255, 1), image);
  ASSERT_TRUE(input);
  for (int64_t x = 0; x < 300; ++x) {
    EXPECT_EQ((*input)(0, 0, x, 0), (image.At(0, x, 0) * 255 + 32767) / 65535);
  }
}

TEST(ArrayInput, TurnsChwIntoNhwcAndBack) {
  NpyArray array{.shape = {2, 2, 3}, .integers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
  const auto input = ArrayInput(PictureNet(2, 255, 1), array);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->shape(), (Shape{1, 2, 3, 2}));
  EXPECT_EQ((*input)(0, 1, 0, 1), 9);
  EXPECT_EQ(ToNpy(*input, false).integers, array.integers);
  EXPECT_EQ(ToNpy(*input, true).shape, (std::vector<int64_t>{1, 2, 2, 3}));
}

TEST(ArrayInput, RefusesWhatTheNetworkDoesNotTake) {
  const IntNet net = PictureNet(1, 10, 1);
  EXPECT_FALSE(ArrayInput(net, {.shape = {1, 1}, .integers = {1}}));
  EXPECT_FALSE(ArrayInput(net, {.shape = {2, 1, 1}, .integers = {1, 1}}));
  EXPECT_FALSE(ArrayInput(net, {.shape = {1, 1, 1}, .integers = {11}}));
  EXPECT_FALSE(ArrayInput(net, {.shape = {1, 1, 1}, .is_float = true, .floats = {1}}));
  EXPECT_FALSE(ArrayInput(net, {.shape = {1, 0, 1}}));
}

TEST(OutputPicture, CropsClampsAndRoundsHalfUp) {
  FloatNet net;
  net.graphs.push_back({.name = "synthesis",
                        .tensors = {{.name = "p", .channels = 1}},
                        .inputs = {{0}},
                        .outputs = {{0}}});
  Tensor<float> tensor({1, 2, 4, 1});
  const float values[] = {-1, 0.5F, 2, 9};
  std::copy(std::begin(values), std::end(values), tensor.data());
  const auto picture = OutputPicture(net, tensor, {1, 3}, 8);
  ASSERT_TRUE(picture) << picture.error().message;
  EXPECT_EQ(picture->samples, (std::vector<uint16_t>{0, 128, 255}));
  EXPECT_FALSE(OutputPicture(net, tensor, {3, 3}, 8));
  EXPECT_FALSE(OutputPicture(FloatNet{}, tensor, {1, 1}, 8));
}

TEST(ParseSize, IsHeightByWidth) {
  const auto size = ParseSize("3x17");
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, (Size2{3, 17}));
  for (const char* text : {"", "3", "x4", "3x", "0x4", "3x4x5", "-1x2", "3 x4"}) {
    const auto wrong = ParseSize(text);
    ASSERT_FALSE(wrong) << text;
    EXPECT_EQ(wrong.error().kind, Error::Kind::kUsage);
  }
}

}  // namespace
}  // namespace lichen
