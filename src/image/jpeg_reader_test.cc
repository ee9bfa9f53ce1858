#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>

// This one needs <cstdio> first.
#include <jpeglib.h>

#include "image/image_test_support.h"
#include "image/synthetic.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;

struct JpegOptions {
  bool progressive = false;
  bool arithmetic = false;
  J_COLOR_SPACE in_space = JCS_RGB;
  int restart_interval = 0;
  std::vector<uint8_t> icc;
  std::vector<uint8_t> exif;
};

std::vector<uint8_t> Encode(const Image& image, const JpegOptions& options = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long count = 0;
  jpeg_mem_dest(&info, &buffer, &count);
  info.image_height = static_cast<JDIMENSION>(image.info.height);
  info.image_width = static_cast<JDIMENSION>(image.info.width);
  info.input_components = image.info.channels;
  info.in_color_space = image.info.channels == 1 ? JCS_GRAYSCALE : options.in_space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  info.restart_interval = static_cast<unsigned>(options.restart_interval);
  info.arith_code = options.arithmetic ? TRUE : FALSE;
  if (options.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!options.exif.empty()) {
    std::vector<uint8_t> content = {'E', 'x', 'i', 'f', 0, 0};
    content.insert(content.end(), options.exif.begin(), options.exif.end());
    jpeg_write_marker(&info, JPEG_APP0 + 1, content.data(), static_cast<unsigned>(content.size()));
  }
  if (!options.icc.empty()) {
    jpeg_write_icc_profile(&info, options.icc.data(), static_cast<unsigned>(options.icc.size()));
  }
  std::vector<uint8_t> row(static_cast<size_t>(image.info.RowSamples()));
  for (int64_t y = 0; y < image.info.height; ++y) {
    std::copy(image.Row(y).begin(), image.Row(y).end(), row.begin());
    JSAMPROW rows[1] = {row.data()};
    jpeg_write_scanlines(&info, rows, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::vector<uint8_t> bytes(buffer, buffer + count);
  std::free(buffer);
  return bytes;
}

Result<Image> Read(const ScratchFolder& folder, const std::vector<uint8_t>& bytes) {
  PutFile(folder / "p.jpg", bytes);
  return ReadImage(folder / "p.jpg");
}

double MeanDifference(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.samples.size(); ++i) sum += std::abs(a.samples[i] - b.samples[i]);
  return sum / static_cast<double>(a.samples.size());
}

TEST(JpegReader, ReadsGreyAndColourBaselineAndProgressive) {
  const ScratchFolder folder;
  for (const int channels : {1, 3}) {
    const Image image = RenderTestPicture(61, 83, 4, channels);
    const auto baseline = Read(folder, Encode(image));
    ASSERT_TRUE(baseline.has_value()) << baseline.error().message;
    EXPECT_EQ(baseline->info.channels, channels);
    EXPECT_EQ(baseline->info.height, 61);
    EXPECT_EQ(baseline->info.width, 83);
    EXPECT_LT(MeanDifference(*baseline, image), 6);
    const auto progressive = Read(folder, Encode(image, {.progressive = true}));
    ASSERT_TRUE(progressive.has_value()) << progressive.error().message;
    EXPECT_EQ(progressive->samples, baseline->samples);
  }
}

TEST(JpegReader, ReturnsProfilesOfSeveralSegmentsAndExif) {
  const ScratchFolder folder;
  JpegOptions options;
  std::mt19937_64 random(1);
  for (int i = 0; i < 150'000; ++i) options.icc.push_back(static_cast<uint8_t>(random()));
  for (int i = 0; i < 60'000; ++i) options.exif.push_back(static_cast<uint8_t>(random()));
  auto bytes = Encode(RenderTestPicture(9, 9, 1), options);
  const auto image = Read(folder, bytes);
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_EQ(image->info.metadata.icc, options.icc);
  EXPECT_EQ(image->info.metadata.exif, options.exif);

  const std::string_view tag("ICC_PROFILE\0\2", 13);
  const auto second = std::search(bytes.begin(), bytes.end(), tag.begin(), tag.end());
  ASSERT_NE(second, bytes.end());
  *(second + 12) = 1;
  const auto doubled = Read(folder, bytes);
  ASSERT_FALSE(doubled.has_value());
  EXPECT_THAT(doubled.error().message, HasSubstr("numbered wrongly"));
}

TEST(JpegReader, RefusesCmykAndArithmeticCoding) {
  const ScratchFolder folder;
  const Image four = RandomPicture({.height = 9, .width = 9, .channels = 4}, 1);
  const auto cmyk = Read(folder, Encode(four, {.in_space = JCS_CMYK}));
  ASSERT_FALSE(cmyk.has_value());
  EXPECT_THAT(cmyk.error().message, HasSubstr("convert it to RGB"));
  const auto arithmetic = Read(folder, Encode(RenderTestPicture(9, 9, 1), {.arithmetic = true}));
  ASSERT_FALSE(arithmetic.has_value());
  EXPECT_THAT(arithmetic.error().message, HasSubstr("arithmetic"));
}

TEST(JpegReader, FindsEveryTruncation) {
  const ScratchFolder folder;
  const Image image = RenderTestPicture(24, 40, 2);
  ExpectEveryTruncationFails(Encode(image), folder / "cut.jpg");
  ExpectEveryTruncationFails(Encode(image, {.progressive = true}), folder / "cut.jpg");
}

TEST(JpegReader, SurvivesEveryBitFlip) {
  const ScratchFolder folder;
  const Image image = RenderTestPicture(16, 24, 2);
  EXPECT_GT(CountFlipsFound(Encode(image, {.restart_interval = 1}), folder / "flipped.jpg"), 0u);
  EXPECT_GT(CountFlipsFound(Encode(image, {.progressive = true}), folder / "flipped.jpg"), 0u);
}

TEST(JpegReader, FindsDataCutOutOfTheMiddle) {
  const ScratchFolder folder;
  auto bytes = Encode(RenderTestPicture(200, 300, 2));
  bytes.erase(bytes.begin() + static_cast<int64_t>(bytes.size() / 2), bytes.end() - 2);
  const auto image = Read(folder, bytes);  // the end-of-image marker is still there
  ASSERT_FALSE(image.has_value());
  EXPECT_THAT(image.error().message, HasSubstr("premature end"));
  EXPECT_THAT(image.error().message, HasSubstr("p.jpg: row "));
}

TEST(JpegReader, MissesTheEndOfImageMarker) {
  const ScratchFolder folder;
  auto bytes = Encode(RenderTestPicture(16, 24, 2));
  bytes.back() = 0xfe;  // a comment instead, so that the pixels still end in a marker
  EXPECT_FALSE(Read(folder, bytes).has_value());
}

TEST(JpegReader, RefusesSizesThatTheDataCannotHold) {
  const ScratchFolder folder;
  auto bytes = Encode(RenderTestPicture(16, 16, 1), {.progressive = true});
  const uint8_t frame[] = {0xff, 0xc2};
  const auto at = std::search(bytes.begin(), bytes.end(), std::begin(frame), std::end(frame));
  ASSERT_NE(at, bytes.end());
  for (const int i : {5, 6, 7, 8}) *(at + i) = 0xf0;  // height and width
  const auto image = Read(folder, bytes);
  ASSERT_FALSE(image.has_value());
  EXPECT_THAT(image.error().message, HasSubstr("cannot be in"));
}

}  // namespace
}  // namespace lichen
