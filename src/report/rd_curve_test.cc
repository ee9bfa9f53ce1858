#include "report/rd_curve.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/files.h"
#include "base/test_path.h"

namespace lichen {
namespace {

const std::filesystem::path kRd = std::filesystem::path(LICHEN_SOURCE_DIR) / "../shared/rd";

RdCurve Scaled(const RdCurve& curve, double factor) {
  RdCurve scaled = curve;
  for (RdPoint& p : scaled.points) p.bpp *= factor;
  return scaled;
}

const RdCurve kCurve{"c", {{0.1, 27}, {0.3, 30.5}, {0.7, 34}, {1.5, 38}, {2.4, 40}}};

TEST(BdRate, OfAConstantFactorIsThatFactor) {
  EXPECT_NEAR(*BdRatePercent(kCurve, Scaled(kCurve, 0.8)), -20, 1e-9);
  EXPECT_NEAR(*BdRatePercent(kCurve, Scaled(kCurve, 1.25)), 25, 1e-9);
}

TEST(BdRate, IgnoresTheOrderOfPointsAndDuplicates) {
  RdCurve shuffled = Scaled(kCurve, 0.5);
  std::swap(shuffled.points[0], shuffled.points[3]);
  shuffled.points.push_back({9, 34});
  EXPECT_NEAR(*BdRatePercent(kCurve, shuffled), -50, 1e-9);
}

TEST(BdRate, OfTwoPointsIsLogLinear) {
  const RdCurve line{"l", {{1, 30}, {2, 32}}};
  const RdCurve partly{"p", {{2, 31}, {4, 33}}};  // twice the square root of two, over [31, 32]
  EXPECT_NEAR(*BdRatePercent(line, partly), 100 * (2 / std::sqrt(2.0) - 1), 1e-9);
}

TEST(BdRate, NeedsAnOverlapAndTwoPoints) {
  EXPECT_FALSE(BdRatePercent(kCurve, {"far", {{1, 50}, {2, 52}}}));
  EXPECT_FALSE(BdRatePercent(kCurve, {"one", {{1, 35}}}));
}

TEST(CompareAtPoint, FindsThePointsDistance) {
  const auto same = CompareAtPoint(kCurve, kCurve.points[2]);
  ASSERT_TRUE(same);
  EXPECT_NEAR(same->psnr_gain_db, 0, 1e-9);
  EXPECT_NEAR(same->rate_ratio, 1, 1e-9);
  const auto better = CompareAtPoint(kCurve, {0.35, 34});
  ASSERT_TRUE(better);
  EXPECT_NEAR(better->rate_ratio, 0.5, 1e-9);
  EXPECT_GT(better->psnr_gain_db, 2);
  EXPECT_FALSE(CompareAtPoint(kCurve, {3, 34}));
}

TEST(LoadRdCurves, RejectsWhatAreNoCurves) {
  const auto path = TestPath("rd_curve_test.json");
  for (const char* text : {"", "[1]", R"({"a": 3})", R"({"a": [[1]]})", R"({"a": [["1", 2]]})"}) {
    ASSERT_TRUE(WriteFile(path, std::string_view(text)));
    EXPECT_FALSE(LoadRdCurves(path)) << text;
  }
  std::filesystem::remove(path);
  EXPECT_FALSE(LoadRdCurves(path));
}

// Rows of the published table: name, then BD-rates against BPG, VTM and JPEG.
std::map<std::string, std::vector<std::string>> TableRows() {
  std::map<std::string, std::vector<std::string>> rows;
  std::ifstream file(kRd / "bd_table.md");
  for (std::string line; std::getline(file, line);) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '|');) {
      const size_t first = cell.find_first_not_of(' ');
      const size_t last = cell.find_last_not_of(' ');
      row.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
    }
    if (row.size() > 6 && row[2].find_first_not_of("0123456789") == std::string::npos) {
      rows[row[1]] = {row[3], row[4], row[5]};
    }
  }
  return rows;
}

TEST(BdRate, AgreesWithThePublishedTable) {
  if (!std::filesystem::exists(kRd)) GTEST_SKIP() << "needs ../shared/rd, which is absent";
  const auto loaded = LoadRdCurves(kRd / "all_kodak_psnr_curves.json");
  ASSERT_TRUE(loaded) << loaded.error().message;
  std::map<std::string, RdCurve> curves;
  for (const RdCurve& curve : *loaded) curves[curve.name] = curve;
  const std::vector<std::string> anchors = {"bpg_444_x265_ycbcr", "vtm", "jpeg"};
  int compared = 0;
  for (const auto& [name, values] : TableRows()) {
    ASSERT_TRUE(curves.contains(name)) << name;
    // It repeats PSNRs, at which the table's maker divided by 0: its own row holds a nan.
    if (name == "tfc/johnston-2017-cvpr") continue;
    for (size_t i = 0; i < anchors.size(); ++i) {
      const auto bd = BdRatePercent(curves[anchors[i]], curves[name]);
      ASSERT_TRUE(bd) << name;
      EXPECT_NEAR(*bd, std::stod(values[i]), 0.1) << name << " against " << anchors[i];
      ++compared;
    }
  }
  EXPECT_GE(compared, 200);
}

}  // namespace
}  // namespace lichen
