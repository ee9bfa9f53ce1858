#include "net/model_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lichen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kIndex = R"(default = "b"
[[model]]
name = "c"
file = "c.lichen"
family = "klt"
bpp = 2
psnr_db = 36.5
[[model]]
name = "b"
file = "b.lichen"
family = "klt"
bpp = 1.0
identity = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
[[model]]
name = "other"
file = "other.lichen"
family = "bls2017"
bpp = 0.5
)";

TEST(ModelIndex, OrdersFamiliesByRate) {
  const auto index = ParseModelIndex(kIndex, "index.toml");
  ASSERT_TRUE(index.has_value()) << index.error().message;
  EXPECT_THAT(index->FamilyNames(), ElementsAre("bls2017", "klt"));
  const auto family = index->Family();
  ASSERT_EQ(family.size(), 2u);
  EXPECT_EQ(family[0].name, "b");
  EXPECT_EQ(family[1].psnr_db, 36.5);
  EXPECT_EQ(index->Family("bls2017")[0].name, "other");
  EXPECT_TRUE(index->Family("none").empty());
  EXPECT_EQ(index->Find("c")->file, "c.lichen");
}

TEST(ModelIndex, NamesTheLineOfAMistake) {
  const auto with = [](std::string from, std::string to) {
    std::string text(kIndex);
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto index = ParseModelIndex(text, "index.toml");
    return index ? std::string("accepted") : index.error().message;
  };
  EXPECT_THAT(with("default = \"b\"", "default = \"x\""), HasSubstr("line 1: default = 'x'"));
  EXPECT_THAT(with("default = \"b\"", ""), HasSubstr("'default' is missing"));
  EXPECT_THAT(with("bpp = 2", "bpp = \"2\""), HasSubstr("index.toml: line 6: 'bpp'"));
  EXPECT_THAT(with("bpp = 2", "bpp = 0"), HasSubstr("above 0"));
  EXPECT_THAT(with("bpp = 2", "bits = 2"), HasSubstr("line 6: unknown key 'bits'"));
  EXPECT_THAT(with("c.lichen", "../c.lichen"), HasSubstr("line 4: 'file' must be a name"));
  EXPECT_THAT(with("c.lichen", ".."), HasSubstr("'file' must be a name"));
  EXPECT_THAT(with("c.lichen", "b.lichen"), HasSubstr("twice"));
  EXPECT_THAT(with("\"c\"", "\"b\""), HasSubstr("twice"));
  EXPECT_THAT(with("0011", "0011x"), HasSubstr("'identity' must be 64 digits"));
  EXPECT_THAT(with("psnr_db = 36.5", "quality = 50"), HasSubstr("all models state a quality"));
  EXPECT_THAT(with("psnr_db = 36.5", "quality = 1.5"), HasSubstr("whole number"));
  EXPECT_THAT(with("[[model]]", "[[model"), HasSubstr("line "));
  const auto none = ParseModelIndex("default = \"a\"", "index.toml");
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("[[model]]"));
}

TEST(ModelIndex, QualityMustRiseWithRate) {
  std::string text(kIndex);
  text.replace(text.find("psnr_db = 36.5"), 14, "quality = 30  ");
  text.replace(text.find("bpp = 1.0"), 9, "bpp = 1.0\nquality = 40");
  const auto index = ParseModelIndex(text, "index.toml");
  ASSERT_FALSE(index.has_value());
  EXPECT_THAT(index.error().message, HasSubstr("model c has a higher bpp than b"));
}

TEST(ModelForQuality, CoversOneToAHundredByPlace) {
  const std::vector<ModelEntry> three(3);
  EXPECT_EQ(ModelForQuality(three, 1), 0u);
  EXPECT_EQ(ModelForQuality(three, 33), 0u);
  EXPECT_EQ(ModelForQuality(three, 34), 1u);
  EXPECT_EQ(ModelForQuality(three, 66), 1u);
  EXPECT_EQ(ModelForQuality(three, 67), 2u);
  EXPECT_EQ(ModelForQuality(three, 100), 2u);
  EXPECT_EQ(ModelForQuality(std::vector<ModelEntry>(1), 1), 0u);
  EXPECT_EQ(ModelForQuality(std::vector<ModelEntry>(1), 100), 0u);
}

TEST(ModelForQuality, FollowsTheQualitiesOfTheIndex) {
  std::vector<ModelEntry> two(2);
  two[0].quality = 20;
  two[1].quality = 80;
  EXPECT_EQ(ModelForQuality(two, 20), 0u);
  EXPECT_EQ(ModelForQuality(two, 21), 1u);
  EXPECT_EQ(ModelForQuality(two, 90), 1u);
}

}  // namespace
}  // namespace lichen
