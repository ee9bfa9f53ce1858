#include "image/synthetic.h"

#include <gmock/gmock.h>

#include <set>

#include "base/hash.h"
#include "image/image_test_support.h"

namespace lichen {
namespace {

std::string Digest(const Image& image) {
  Sha256 hash;
  for (const uint16_t s : image.samples) {
    const uint8_t bytes[2] = {static_cast<uint8_t>(s), static_cast<uint8_t>(s >> 8)};
    hash.Update(bytes);
  }
  return ToHex(hash.Finish()).substr(0, 16);
}

// Other rooms' expectations depend on these pictures: they never change by themselves.
TEST(TestPicture, IsTheSameOnEveryMachine) {
  EXPECT_EQ(Digest(RenderTestPicture(64, 96, 1)), "d9b49907ca995a31");
  EXPECT_EQ(Digest(RenderTestPicture(33, 20, 2, 4, 16)), "86685e2d1539b048");
}

TEST(TestPicture, DrawsAnyRowAlone) {
  const Image image = RenderTestPicture(40, 50, 9);
  std::vector<uint16_t> row(150);
  RenderTestRow(40, 50, 9, 23, row);
  EXPECT_TRUE(std::equal(row.begin(), row.end(), image.Row(23).begin()));
}

TEST(TestPicture, HasEveryKindAndSize) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 200}, {200, 1}, {7, 5}}) {
    for (int channels = 1; channels <= 4; ++channels) {
      EXPECT_TRUE(CheckImage(RenderTestPicture(height, width, 1, channels, 8)).has_value());
      EXPECT_TRUE(CheckImage(RenderTestPicture(height, width, 1, channels, 16)).has_value());
    }
  }
}

TEST(TestPicture, IsVariedAndDependsOnTheSeed) {
  const Image image = RenderTestPicture(128, 128, 1);
  EXPECT_NE(image.samples, RenderTestPicture(128, 128, 2).samples);
  const std::set<uint16_t> values(image.samples.begin(), image.samples.end());
  EXPECT_GT(values.size(), 150u);
  const Image alpha = RenderTestPicture(128, 128, 1, 4);
  EXPECT_EQ(alpha.At(32, 32, 3), 0);
  EXPECT_GT(alpha.At(127, 127, 3), 100);
}

}  // namespace
}  // namespace lichen
