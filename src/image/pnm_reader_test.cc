#include <gmock/gmock.h>

#include "image/image_test_support.h"
#include "image/writer.h"

namespace lichen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Image> ReadText(const ScratchFolder& folder, std::string_view text) {
  EXPECT_TRUE(WriteFile(folder / "p.pnm", text).has_value());
  return ReadImage(folder / "p.pnm");
}

std::string WhyNot(const ScratchFolder& folder, std::string_view text) {
  const auto image = ReadText(folder, text);
  return image ? "" : image.error().message;
}

TEST(PnmReader, SkipsCommentsAndTakesOneByteOfWhiteSpaceBeforeThePixels) {
  const ScratchFolder folder;
  const auto image = ReadText(folder, "P5 # grey\n2#w\n 1\n#m\n255\n\n#");
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_THAT(image->samples, ElementsAre('\n', '#'));
}

TEST(PnmReader, ScalesOtherMaxvalsToTheFullRange) {
  const ScratchFolder folder;
  const auto narrow = ReadText(folder, std::string_view("P5 4 1 15\n\x00\x01\x08\x0f", 14));
  ASSERT_TRUE(narrow.has_value()) << narrow.error().message;
  EXPECT_THAT(narrow->samples, ElementsAre(0, 17, 136, 255));
  EXPECT_EQ(narrow->info.bit_depth, 8);
  const auto wide = ReadText(folder, std::string_view("P5 3 1 1023\n\x00\x00\x02\x00\x03\xff", 18));
  ASSERT_TRUE(wide.has_value()) << wide.error().message;
  EXPECT_THAT(wide->samples, ElementsAre(0, 32800, 65535));  // 512 * 65535 / 1023 = 32799.56
  EXPECT_EQ(wide->info.bit_depth, 16);
  EXPECT_THAT(WhyNot(folder, "P5 1 1 15\n\x10"),
              HasSubstr("row 0: sample 16 is above the maxval 15"));
}

TEST(PnmReader, ReadsPamByItsNamedLines) {
  const ScratchFolder folder;
  const auto image = ReadText(folder,
                              "P7\n# a comment\nHEIGHT 1\nWIDTH 2\nDEPTH 2\nMAXVAL 255\n"
                              "TUPLTYPE GRAYSCALE_ALPHA\nENDHDR\nabcd");
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_EQ(image->info.channels, 2);
  EXPECT_THAT(image->samples, ElementsAre('a', 'b', 'c', 'd'));
}

TEST(PnmReader, RefusesBadHeaders) {
  const ScratchFolder folder;
  EXPECT_THAT(WhyNot(folder, "P5 0 1 255\nx"), HasSubstr("width is missing or 0"));
  EXPECT_THAT(WhyNot(folder, "P5 1 -1 255\nx"), HasSubstr("height is not a sensible number"));
  EXPECT_THAT(WhyNot(folder, "P5 1 1 65536\nxx"), HasSubstr("maxval is 65536"));
  EXPECT_THAT(WhyNot(folder, "P5 99999999999999999999 1 255\nx"), HasSubstr("width is not"));
  EXPECT_THAT(WhyNot(folder, "P5 16777217 1 255\nx"), HasSubstr("sides are 1 to 16777216"));
  EXPECT_THAT(WhyNot(folder, "P6 16777216 16777216 65535\nx"), HasSubstr("truncated in row 0"));
  EXPECT_THAT(WhyNot(folder, "P7\nHEIGHT 1\nWIDTH 1\nDEPTH 5\nMAXVAL 255\nENDHDR\nabcde"),
              HasSubstr("5 channels"));
  EXPECT_THAT(
      WhyNot(folder, "P7\nHEIGHT 1\nWIDTH 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\nabcd"),
      HasSubstr("TUPLTYPE"));
  EXPECT_THAT(WhyNot(folder, "P7\nHEIGHT 1\nENDHDR\nabcd"), HasSubstr("maxval is 0"));
  EXPECT_THAT(WhyNot(folder, "P3\n1 1 255\n1 2 3"), HasSubstr("convert it to PNG"));
}

TEST(PnmReader, FindsEveryTruncation) {
  const ScratchFolder folder;
  for (const char* name : {"p.ppm", "p.pam"}) {
    ASSERT_TRUE(WriteImage(folder / name, RandomPicture({.height = 5, .width = 7}, 1)).has_value());
    const auto whole = ReadFile(folder / name);
    ExpectEveryTruncationFails(*whole, folder / "cut.ppm");
  }
}

TEST(PnmReader, SurvivesEveryBitFlip) {
  const ScratchFolder folder;
  ASSERT_TRUE(
      WriteImage(folder / "p.pam", RandomPicture({.height = 2, .width = 2}, 1)).has_value());
  EXPECT_GT(CountFlipsFound(*ReadFile(folder / "p.pam"), folder / "flipped.pam"), 0u);
}

}  // namespace
}  // namespace lichen
