#include "flow/model_search.h"

#include <gtest/gtest.h>

namespace lichen {
namespace {

using Kind = EncodeTarget::Kind;

// Models whose files have so many bits per pixel, and 30 dB and 6 more for each doubling.
ModelSearch Search(const std::vector<double>& bpp, EncodeTarget target) {
  std::vector<int> tries(bpp.size());
  const auto search = SearchModels(bpp.size(), target, [&](size_t model) -> Result<ModelTrial> {
    EXPECT_EQ(++tries[model], 1);
    return ModelTrial{.model = model,
                      .stats = {.file_bytes = static_cast<uint64_t>(1000 * bpp[model])},
                      .bpp = bpp[model],
                      .psnr_db = 30 + 6 * std::log2(bpp[model])};
  });
  EXPECT_TRUE(search.has_value());
  EXPECT_LE(search->trials.size(), std::log2(bpp.size()) + 2);
  return *search;
}

size_t Chosen(const ModelSearch& search) { return search.trials[search.chosen].model; }

TEST(SearchModels, TakesTheLargestFileThatFits) {
  for (size_t count = 1; count < 12; ++count) {
    std::vector<double> bpp;
    for (size_t i = 0; i < count; ++i) bpp.push_back(0.5 + static_cast<double>(i));
    for (size_t want = 0; want < count; ++want) {
      const ModelSearch search = Search(bpp, {Kind::kBpp, bpp[want] + 0.25});
      EXPECT_EQ(Chosen(search), want);
      EXPECT_TRUE(search.is_met);
      EXPECT_EQ(Chosen(Search(bpp, {Kind::kBpp, bpp[want]})), want);
    }
    const ModelSearch none = Search(bpp, {Kind::kBpp, 0.25});
    EXPECT_EQ(Chosen(none), 0u);
    EXPECT_FALSE(none.is_met);
  }
}

TEST(SearchModels, TakesTheSmallestFileThatIsGoodEnough) {
  for (size_t count = 1; count < 12; ++count) {
    std::vector<double> bpp;
    for (size_t i = 0; i < count; ++i) bpp.push_back(std::exp2(static_cast<double>(i)));
    for (size_t want = 0; want < count; ++want) {
      const ModelSearch search =
          Search(bpp, {Kind::kPsnr, 30 + 6.0 * static_cast<double>(want) - 1});
      EXPECT_EQ(Chosen(search), want);
      EXPECT_TRUE(search.is_met);
    }
    const ModelSearch none = Search(bpp, {Kind::kPsnr, 200});
    EXPECT_EQ(Chosen(none), count - 1);
    EXPECT_FALSE(none.is_met);
  }
}

// Of a picture to which the order of the models does not apply the best one tried wins.
TEST(SearchModels, TakesTheBestOfThoseTriedWhereRatesDoNotRise) {
  EXPECT_EQ(Chosen(Search({1, 3, 2, 4}, {Kind::kBpp, 2.5})), 2u);
  EXPECT_EQ(Chosen(Search({2, 1, 3}, {Kind::kBpp, 1.5})), 1u);
}

TEST(SearchModels, GivesTheErrorOfAModel) {
  const auto search = SearchModels(
      3, {Kind::kBpp, 1}, [](size_t) -> Result<ModelTrial> { return Fail("no such model"); });
  ASSERT_FALSE(search.has_value());
  EXPECT_EQ(search.error().message, "no such model");
}

}  // namespace
}  // namespace lichen
