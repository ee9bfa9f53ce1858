#include <gmock/gmock.h>
#include <zlib.h>

#include "image/image_test_support.h"
#include "image/png_filter.h"
#include "image/writer.h"

namespace lichen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void Put32(std::vector<uint8_t>& out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<uint8_t>(value >> (24 - 8 * i)));
}

// Builds PNG files chunk by chunk, right or wrong.
struct PngBuilder {
  std::vector<uint8_t> bytes = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

  PngBuilder& Chunk(std::string_view type, const std::vector<uint8_t>& content) {
    Put32(bytes, static_cast<uint32_t>(content.size()));
    const size_t start = bytes.size();
    bytes.insert(bytes.end(), type.begin(), type.end());
    bytes.insert(bytes.end(), content.begin(), content.end());
    Put32(bytes, static_cast<uint32_t>(
                     crc32(0, bytes.data() + start, static_cast<uInt>(bytes.size() - start))));
    return *this;
  }
  PngBuilder& Header(uint32_t width, uint32_t height, int depth, int color_type,
                     int interlace = 0) {
    std::vector<uint8_t> content;
    Put32(content, width);
    Put32(content, height);
    for (const int v : {depth, color_type, 0, 0, interlace}) {
      content.push_back(static_cast<uint8_t>(v));
    }
    return Chunk("IHDR", content);
  }
  // rows: filter byte and packed samples, one after the other.
  PngBuilder& Pixels(const std::vector<uint8_t>& rows) {
    std::vector<uint8_t> packed(compressBound(rows.size()));
    uLongf count = packed.size();
    compress(packed.data(), &count, rows.data(), rows.size());
    packed.resize(count);
    return Chunk("IDAT", packed);
  }
  PngBuilder& End() { return Chunk("IEND", {}); }
};

Result<Image> Read(const ScratchFolder& folder, const PngBuilder& png) {
  PutFile(folder / "p.png", png.bytes);
  return ReadImage(folder / "p.png");
}

std::string WhyNot(const ScratchFolder& folder, const PngBuilder& png) {
  const auto image = Read(folder, png);
  return image ? "" : image.error().message;
}

TEST(PngReader, ExpandsFewBitsToEight) {
  const ScratchFolder folder;
  const auto one = Read(folder, PngBuilder().Header(9, 1, 1, 0).Pixels({0, 0xa5, 0x80}).End());
  ASSERT_TRUE(one.has_value()) << one.error().message;
  EXPECT_EQ(one->info.channels, 1);
  EXPECT_THAT(one->samples, ElementsAre(255, 0, 255, 0, 0, 255, 0, 255, 255));
  const auto two = Read(folder, PngBuilder().Header(4, 1, 2, 0).Pixels({0, 0x1b}).End());
  ASSERT_TRUE(two.has_value());
  EXPECT_THAT(two->samples, ElementsAre(0, 85, 170, 255));
  const auto four = Read(folder, PngBuilder().Header(2, 1, 4, 0).Pixels({0, 0x1f}).End());
  ASSERT_TRUE(four.has_value());
  EXPECT_THAT(four->samples, ElementsAre(17, 255));
}

TEST(PngReader, ExpandsPalettesWithAndWithoutTransparency) {
  const ScratchFolder folder;
  const std::vector<uint8_t> palette = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const auto opaque =
      Read(folder, PngBuilder().Header(3, 1, 2, 3).Chunk("PLTE", palette).Pixels({0, 0x24}).End());
  ASSERT_TRUE(opaque.has_value()) << opaque.error().message;
  EXPECT_THAT(opaque->samples, ElementsAre(1, 2, 3, 7, 8, 9, 4, 5, 6));
  const auto clear = Read(folder, PngBuilder()
                                      .Header(2, 1, 8, 3)
                                      .Chunk("PLTE", palette)
                                      .Chunk("tRNS", {40})
                                      .Pixels({0, 0, 1})
                                      .End());
  ASSERT_TRUE(clear.has_value()) << clear.error().message;
  EXPECT_EQ(clear->info.channels, 4);
  EXPECT_THAT(clear->samples, ElementsAre(1, 2, 3, 40, 4, 5, 6, 255));
  EXPECT_THAT(
      WhyNot(folder,
             PngBuilder().Header(2, 1, 8, 3).Chunk("PLTE", palette).Pixels({0, 0, 3}).End()),
      HasSubstr("row 0: pixel 1 has palette index 3"));
}

TEST(PngReader, TurnsKeyColoursIntoAlpha) {
  const ScratchFolder folder;
  const auto grey =
      Read(folder, PngBuilder().Header(2, 1, 4, 0).Chunk("tRNS", {0, 1}).Pixels({0, 0x1f}).End());
  ASSERT_TRUE(grey.has_value()) << grey.error().message;
  EXPECT_THAT(grey->samples, ElementsAre(17, 0, 255, 255));
  const auto rgb = Read(folder, PngBuilder()
                                    .Header(2, 1, 8, 2)
                                    .Chunk("tRNS", {0, 1, 0, 2, 0, 3})
                                    .Pixels({0, 1, 2, 3, 1, 2, 4})
                                    .End());
  ASSERT_TRUE(rgb.has_value()) << rgb.error().message;
  EXPECT_THAT(rgb->samples, ElementsAre(1, 2, 3, 0, 1, 2, 4, 255));
  const auto wide = Read(folder, PngBuilder()
                                     .Header(2, 1, 16, 0)
                                     .Chunk("tRNS", {0x12, 0x34})
                                     .Pixels({0, 0x12, 0x34, 0x12, 0x35})
                                     .End());
  ASSERT_TRUE(wide.has_value()) << wide.error().message;
  EXPECT_THAT(wide->samples, ElementsAre(0x1234, 0, 0x1235, 65535));
}

// Adam7: pass p takes the pixels (y0 + i * dy, x0 + j * dx).
std::vector<uint8_t> Interlace(const Image& image) {
  static constexpr int kPasses[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                        {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
  std::vector<uint8_t> rows;
  for (const auto& [y0, x0, dy, dx] : kPasses) {
    for (int64_t y = y0; y < image.info.height && x0 < image.info.width; y += dy) {
      rows.push_back(0);
      for (int64_t x = x0; x < image.info.width; x += dx) {
        for (int c = 0; c < image.info.channels; ++c) {
          rows.push_back(static_cast<uint8_t>(image.At(y, x, c)));
        }
      }
    }
  }
  return rows;
}

TEST(PngReader, ReadsInterlacedPictures) {
  const ScratchFolder folder;
  for (const auto& [height, width] : {std::pair{1, 1}, {3, 2}, {13, 21}, {5, 1}}) {
    const Image image = RandomPicture({.height = height, .width = width}, 5);
    const auto read = Read(
        folder, PngBuilder()
                    .Header(static_cast<uint32_t>(width), static_cast<uint32_t>(height), 8, 2, 1)
                    .Pixels(Interlace(image))
                    .End());
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->samples, image.samples);
  }
}

TEST(PngReader, FindsExifBehindThePixels) {
  const ScratchFolder folder;
  const auto image = Read(
      folder,
      PngBuilder().Header(1, 1, 8, 0).Pixels({0, 9}).Chunk("eXIf", {'M', 'M', 0, '*', 1}).End());
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_THAT(image->info.metadata.exif, ElementsAre('M', 'M', 0, '*', 1));
}

TEST(PngReader, ReadsPixelsFromManyChunksAmongOthers) {
  const ScratchFolder folder;
  PngBuilder png;
  png.Header(2, 2, 8, 0).Chunk("tEXt", {'a', 0, 'b'});
  PngBuilder whole;
  whole.bytes.clear();
  whole.Pixels({0, 1, 2, 0, 3, 4});
  for (size_t i = 8; i + 4 < whole.bytes.size(); ++i) png.Chunk("IDAT", {whole.bytes[i]});
  const auto image = Read(folder, png.Chunk("tIME", {7, 1, 1, 1, 1, 1, 1}).End());
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_THAT(image->samples, ElementsAre(1, 2, 3, 4));
}

TEST(PngReader, RefusesSizesThatTheDataCannotHold) {
  const ScratchFolder folder;
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(1 << 24, 1 << 24, 16, 6).Pixels({0}).End()),
              HasSubstr("cannot be in"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(1 << 24, 1 << 24, 16, 6, 1).Pixels({0}).End()),
              HasSubstr("cannot be in"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(0, 1, 8, 0).Pixels({0}).End()),
              HasSubstr("sides are 1"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(0x7fffffff, 1, 1, 0).Pixels({0}).End()),
              HasSubstr("p.png: "));
}

TEST(PngReader, RefusesMalformedFiles) {
  const ScratchFolder folder;
  EXPECT_THAT(WhyNot(folder, PngBuilder().Pixels({0, 1}).End()), HasSubstr("instead of IHDR"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(1, 1, 8, 5).Pixels({0, 1}).End()),
              HasSubstr("colour type 5"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(1, 1, 3, 0).Pixels({0, 1}).End()),
              HasSubstr("with 3 bits"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(1, 2, 8, 0).Pixels({0, 1, 0}).End()),
              HasSubstr("row 1"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(1, 1, 8, 0).Pixels({9, 1}).End()),
              HasSubstr("row 0"));
  EXPECT_THAT(WhyNot(folder, PngBuilder().Header(1, 1, 8, 3).Pixels({0, 0}).End()),
              HasSubstr("p.png: "));
  EXPECT_THAT(
      WhyNot(folder, PngBuilder().Header(1, 1, 8, 0).Chunk("ABCD", {}).Pixels({0, 0}).End()),
      HasSubstr("p.png: "));
  EXPECT_THAT(
      WhyNot(
          folder,
          PngBuilder().Header(1, 1, 8, 0).Chunk("iCCP", {'a', 0, 0, 1, 2, 3}).Pixels({0, 0}).End()),
      HasSubstr("ICC"));
}

PngBuilder SmallPng() {
  return PngBuilder()
      .Header(6, 4, 8, 0)
      .Chunk("eXIf", {'M', 'M', 0, '*', 1})
      .Pixels({0, 1, 2, 3, 4, 5, 6, 1, 9, 8, 7, 6, 5, 4, 2, 9, 8, 7, 6, 5, 4, 4, 1, 2, 1, 2, 1, 2})
      .End();
}

TEST(PngReader, FindsEveryTruncation) {
  const ScratchFolder folder;
  ASSERT_EQ(WhyNot(folder, SmallPng()), "");
  ExpectEveryTruncationFails(SmallPng().bytes, folder / "cut.png");
}

TEST(PngReader, FindsEveryBitFlip) {
  const ScratchFolder folder;
  EXPECT_EQ(CountFlipsFound(SmallPng().bytes, folder / "flipped.png"), 8 * SmallPng().bytes.size());
}

TEST(PngFilter, MatchesTheDefinitionAtEveryLength) {
  std::mt19937_64 random(1);
  for (const size_t pixel_bytes : {1u, 3u, 8u}) {
    for (size_t count = 1; count < 80; ++count) {
      std::vector<uint8_t> row(count), previous(count), out(count);
      for (auto& byte : row) byte = static_cast<uint8_t>(random());
      for (auto& byte : previous) byte = static_cast<uint8_t>(random());
      for (const auto filter :
           {PngFilter::kNone, PngFilter::kSub, PngFilter::kUp, PngFilter::kPaeth}) {
        FilterPngRow(filter, row, previous, pixel_bytes, out);
        for (size_t i = 0; i < count; ++i) {
          const int a = i < pixel_bytes ? 0 : row[i - pixel_bytes];
          const int b = previous[i];
          const int c = i < pixel_bytes ? 0 : previous[i - pixel_bytes];
          const int pa = std::abs(b - c), pb = std::abs(a - c), pc = std::abs(a + b - 2 * c);
          const int paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
          const int prediction = filter == PngFilter::kSub     ? a
                                 : filter == PngFilter::kUp    ? b
                                 : filter == PngFilter::kPaeth ? paeth
                                                               : 0;
          ASSERT_EQ(out[i], static_cast<uint8_t>(row[i] - prediction));
        }
      }
    }
  }
  const std::vector<uint8_t> bytes = {0, 1, 255, 128, 127};
  EXPECT_EQ(PngFilterCost(bytes), 0u + 1 + 1 + 128 + 127);
}

}  // namespace
}  // namespace lichen
