#include <gmock/gmock.h>
#include <unistd.h>

#include "image/image_test_support.h"
#include "image/synthetic.h"
#include "image/writer.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> Bytes(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST(RoundTrip, KeepsEverySampleInEveryFormat) {
  const ScratchFolder folder;
  for (const std::string extension : {"png", "pam", "ppm", "pgm", "pnm", "PNG"}) {
    for (const auto& [height, width] : {std::pair{1, 1}, {1, 17}, {33, 97}, {17, 1}}) {
      for (int channels = 1; channels <= 4; ++channels) {
        for (const int bit_depth : {8, 16}) {
          ImageInfo info{.height = height, .width = width, .channels = channels};
          info.bit_depth = bit_depth;
          if (!CheckWritable("x." + extension, info)) continue;
          const Image image = RandomPicture(info, 7);
          const auto path = folder / ("picture." + extension);
          const auto written = WriteImage(path, image);
          ASSERT_TRUE(written.has_value()) << written.error().message;
          const auto read = ReadImage(path);
          ASSERT_TRUE(read.has_value()) << read.error().message;
          EXPECT_EQ(read->info, image.info) << extension << ' ' << Describe(info);
          EXPECT_EQ(read->samples, image.samples) << extension << ' ' << Describe(info);
        }
      }
    }
  }
}

TEST(RoundTrip, KeepsSmoothPicturesThatUseEveryFilter) {
  const ScratchFolder folder;
  for (const int bit_depth : {8, 16}) {
    const Image image = RenderTestPicture(200, 300, 3, 4, bit_depth);
    ASSERT_TRUE(WriteImage(folder / "p.png", image).has_value());
    const auto read = ReadImage(folder / "p.png");
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->samples, image.samples);
  }
}

TEST(RoundTrip, ReturnsMetadataByteIdentical) {
  const ScratchFolder folder;
  for (const size_t count : {size_t{1}, size_t{3144}, size_t{300'000}}) {
    Image image = RandomPicture({.height = 3, .width = 5}, 1);
    image.info.metadata = {
        .icc = Bytes(count, 2), .icc_name = "A name", .exif = Bytes(count + 1, 3)};
    ASSERT_TRUE(WriteImage(folder / "p.png", image).has_value());
    const auto info = ReadImageInfo(folder / "p.png");
    ASSERT_TRUE(info.has_value()) << info.error().message;
    EXPECT_EQ(*info, image.info);
  }
}

TEST(RoundTrip, HoldsMetadataTellsTheFormats) {
  EXPECT_TRUE(HoldsMetadata("a.png"));
  EXPECT_FALSE(HoldsMetadata("a.ppm"));
}

TEST(ImageReader, GoesByContentNotByName) {
  const ScratchFolder folder;
  const Image image = RandomPicture({.height = 4, .width = 4}, 1);
  ASSERT_TRUE(WriteImage(folder / "p.png", image).has_value());
  std::filesystem::rename(folder / "p.png", folder / "p.jpg");
  const auto read = ReadImage(folder / "p.jpg");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->samples, image.samples);
}

TEST(ImageReader, RefusesWhatIsNoPicture) {
  const ScratchFolder folder;
  PutFile(folder / "empty.png", {});
  EXPECT_THAT(WhyUnreadable(folder / "empty.png"), HasSubstr("is empty"));
  EXPECT_THAT(WhyUnreadable(folder / "."), HasSubstr("directory"));
  EXPECT_THAT(WhyUnreadable(folder / "absent.png"), HasSubstr("absent.png: cannot be opened"));
  ASSERT_TRUE(WriteFile(folder / "text.png", std::string_view("hello")).has_value());
  EXPECT_THAT(WhyUnreadable(folder / "text.png"), HasSubstr("convert it to PNG"));
}

TEST(ImageReader, RefusesToHoldTooMuch) {
  const ScratchFolder folder;
  ASSERT_TRUE(
      WriteImage(folder / "p.png", RandomPicture({.height = 10, .width = 10}, 1)).has_value());
  const auto read = ReadImage(folder / "p.png", 299);
  ASSERT_FALSE(read.has_value());
  EXPECT_THAT(read.error().message, HasSubstr("too large"));
  EXPECT_TRUE(ReadImage(folder / "p.png", 300).has_value());
}

TEST(ImageReader, RepeatsItsError) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFile(folder / "p.pgm", std::string_view("P5 1 2 9 \x0a\x01")).has_value());
  auto reader = OpenImage(folder / "p.pgm");
  ASSERT_TRUE(reader.has_value());
  uint16_t sample = 0;
  const auto first = (*reader)->ReadRow({&sample, 1});
  const auto second = (*reader)->ReadRow({&sample, 1});
  ASSERT_FALSE(first.has_value());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(first.error().message, second.error().message);
}

TEST(ImageWriter, LeavesNothingWithoutFinish) {
  const ScratchFolder folder;
  for (const char* name : {"p.png", "p.pam"}) {
    const Image image = RandomPicture({.height = 2, .width = 2}, 1);
    auto writer = CreateImageWriter(folder / name, image.info);
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE((*writer)->WriteRow(image.Row(0)).has_value());
    writer->reset();
    EXPECT_TRUE(folder.IsEmpty());
  }
}

TEST(ImageWriter, RefusesOtherFormatsAndNamesItsOwn) {
  const ScratchFolder folder;
  const ImageInfo rgb{.height = 1, .width = 1};
  const ImageInfo rgba{.height = 1, .width = 1, .channels = 4};
  const auto tiff = CreateImageWriter(folder / "p.tiff", rgb);
  ASSERT_FALSE(tiff.has_value());
  EXPECT_THAT(tiff.error().message, HasSubstr(".png, .ppm, .pgm, .pnm or .pam"));
  const auto ppm = CreateImageWriter(folder / "p.ppm", rgba);
  ASSERT_FALSE(ppm.has_value());
  EXPECT_THAT(ppm.error().message, HasSubstr("write .png or .pam"));
  EXPECT_FALSE(CreateImageWriter(folder / "p.pgm", rgb).has_value());
  EXPECT_FALSE(CreateImageWriter(folder / "p.png", ImageInfo{}).has_value());
  EXPECT_TRUE(folder.IsEmpty());
}

TEST(ImageWriter, RefusesSamplesAboveTheDepth) {
  const ScratchFolder folder;
  Image image = RandomPicture({.height = 2, .width = 2}, 1);
  image.samples[7] = 256;
  const auto written = WriteImage(folder / "p.png", image);
  ASSERT_FALSE(written.has_value());
  EXPECT_THAT(written.error().message, HasSubstr("row 1: sample 256"));
}

// Resident memory of this process now.
int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

TEST(Streaming, NeedsMemoryByTheWidthOnly) {
  const ScratchFolder folder;
  const ImageInfo info{.height = 20000, .width = 4096, .channels = 1};  // 82 MB
  for (const char* name : {"p.png", "p.pgm"}) {
    const int64_t before = ResidentBytes();
    int64_t most = before;
    auto writer = CreateImageWriter(folder / name, info);
    ASSERT_TRUE(writer.has_value()) << writer.error().message;
    std::vector<uint16_t> row(4096);
    for (int64_t y = 0; y < info.height; ++y) {
      for (size_t x = 0; x < row.size(); ++x)
        row[x] = static_cast<uint16_t>(x * (x + y) >> 6 & 255);
      ASSERT_TRUE((*writer)->WriteRow(row).has_value());
      if (y % 1000 == 999) most = std::max(most, ResidentBytes());
    }
    ASSERT_TRUE((*writer)->Finish().has_value());
    auto reader = OpenImage(folder / name);
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    for (int64_t y = 0; y < info.height; ++y) {
      ASSERT_TRUE((*reader)->ReadRow(row).has_value());
      if (y % 1000 == 999) most = std::max(most, ResidentBytes());
    }
    EXPECT_LT(most - before, int64_t{16} << 20) << name;
  }
}

}  // namespace
}  // namespace lichen
