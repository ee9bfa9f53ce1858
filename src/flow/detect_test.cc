#include "flow/detect.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/files.h"
#include "base/test_path.h"
#include "net/importer.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

const fs::path kShared = fs::path(LICHEN_SOURCE_DIR) / ".." / "shared";

TEST(DecodeBox, TakesTheCellOfLargestConfidence) {
  Tensor<int32_t> head({1, 2, 4, 12});  // two anchors
  head(0, 1, 2, 4) = 5;
  head(0, 1, 2, 10) = 6;
  head(0, 0, 0, 4) = 10;  // larger than each, smaller than the sum
  const Box box = DecodeBox(head, {.div = 7}, {32, 64}, {64, 64});
  // sigmoid(0) = 1/2, exp(0) = 1; cells of 16 px, twice as high in the picture.
  EXPECT_DOUBLE_EQ((box.xmin + box.xmax) / 2, 2.5 * 16);
  EXPECT_DOUBLE_EQ((box.ymin + box.ymax) / 2, 1.5 * 16 * 2);
  EXPECT_DOUBLE_EQ(box.xmax - box.xmin, 20);
  EXPECT_DOUBLE_EQ(box.ymax - box.ymin, 40);
}

TEST(DecodeBox, TakesTheAnchorOfLargestConfidence) {
  const DetectionHead kHead = {.div = 2, .anchors = {{10, 20}, {30, 40}}};
  Tensor<int32_t> head({1, 2, 4, 10});
  head(0, 0, 1, 4) = 8;
  head(0, 1, 3, 9) = 9;
  head(0, 1, 3, 4) = 7;  // of the other anchor, in the same cell
  const Box box = DecodeBox(head, kHead, {16, 32}, {32, 32});
  // sigmoid(0) = 1/2, exp(0) = 1; cells of 8 px, twice as high in the picture.
  EXPECT_DOUBLE_EQ((box.xmin + box.xmax) / 2, 3.5 * 8);
  EXPECT_DOUBLE_EQ((box.ymin + box.ymax) / 2, 1.5 * 8 * 2);
  EXPECT_DOUBLE_EQ(box.xmax - box.xmin, 30);
  EXPECT_DOUBLE_EQ(box.ymax - box.ymin, 40 * 2);
  head(0, 1, 3, 7) = 2;  // v = 1
  EXPECT_NEAR(DecodeBox(head, kHead, {16, 32}, {32, 32}).xmax - box.xmin, 15 + 15 * std::exp(1.0),
              1e-9);
}

TEST(EvaluateDetection, RefusesAModelThatDetectsNothing) {
  IntNet net;
  net.metadata["task"] = "codec";
  const auto score = EvaluateDetection(net, ".", "labels.csv", Threads(1), {});
  ASSERT_FALSE(score);
  EXPECT_NE(score.error().message.find("no detection model"), std::string::npos);
}

TEST(EvaluateDetection, RefusesAHeadThatDoesNotFitItsAnchors) {
  IntNet net;
  net.graphs.push_back({.name = "main",
                        .tensors = {{.name = "x", .channels = 10, .range = {0, 255}}},
                        .inputs = {{0}},
                        .outputs = {{0}}});
  net.metadata = {{"task", "detect"}, {"div", "1"}};
  const auto error = [&](const char* anchors) {
    net.metadata["anchors"] = anchors;
    return EvaluateDetection(net, ".", "absent.csv", Threads(1), {}).error().message;
  };
  EXPECT_NE(error("").find("10 channels, not 6"), std::string::npos);
  EXPECT_NE(error("1x2").find("10 channels, not 5 for each anchor"), std::string::npos);
  EXPECT_NE(error("1x2,3").find("metadata anchors: '3' is no WxH"), std::string::npos);
  EXPECT_NE(error("1x2,3x-1").find("'3x-1' is not positive"), std::string::npos);
  EXPECT_NE(error("1x2,3x4").find("absent.csv"), std::string::npos);
}

// The mean IoU that a network which others trained reaches on the real pictures.
void ExpectMeanIou(const char* source, const std::string& path, double least, double expected) {
  const fs::path weights = kShared / "weights/ultranet" / path;
  const fs::path folder = kShared / "data/dacsdc";
  if (!fs::exists(weights) || !fs::exists(folder)) {
    GTEST_SKIP() << "needs ../shared/weights/ultranet and ../shared/data/dacsdc, which are absent";
  }
  const auto model = Import(source, weights);
  ASSERT_TRUE(model) << model.error().message;
  const auto score = EvaluateDetection(std::get<IntNet>(*model), folder / "images",
                                       folder / "labels.csv", Threads(2), {});
  ASSERT_TRUE(score) << score.error().message;
  EXPECT_EQ(score->detections.size(), 80u);
  EXPECT_GE(score->mean_iou, least);
  EXPECT_NEAR(score->mean_iou, expected, 0.002);
}

TEST(EvaluateDetection, UltranetBypassReachesItsScore) {
  ExpectMeanIou("sjtu-bypass", "sjtu_bypass/ultranet_bypass_float.npz", 0.65, 0.6989);
}

TEST(EvaluateDetection, SkynetReachesItsScore) {
  ExpectMeanIou("skynet-skrskr", "skynet_w6a8", 0.70, 0.7383);
}

// Every box of the reference, and with it the mean IoU.
TEST(EvaluateDetection, GivesTheReferenceBoxes) {
  const fs::path weights = kShared / "weights/ultranet/ultranet_4a4w8lf.qbin";
  const fs::path folder = kShared / "data/dacsdc";
  if (!fs::exists(weights) || !fs::exists(folder)) {
    GTEST_SKIP() << "needs ../shared/weights/ultranet and ../shared/data/dacsdc, which are absent";
  }
  const auto model = Import("ultranet-qbin", weights);
  ASSERT_TRUE(model) << model.error().message;
  const auto score = EvaluateDetection(std::get<IntNet>(*model), folder / "images",
                                       folder / "labels.csv", Threads(2), {});
  ASSERT_TRUE(score) << score.error().message;
  const auto bytes = ReadFile(kShared / "golden/ultranet/pred_4a4w8lf.csv");
  ASSERT_TRUE(bytes);
  const auto expected = ParseCsv({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  ASSERT_TRUE(expected);
  ASSERT_EQ(expected->rows.size(), score->detections.size());
  double mean = 0;
  for (size_t i = 0; i < score->detections.size(); ++i) {
    const Detection& found = score->detections[i];
    const auto& row = expected->rows[i];
    EXPECT_EQ(std::stoi(found.picture), std::stoi(row[0]));
    const Box box{std::stod(row[1]), std::stod(row[2]), std::stod(row[3]), std::stod(row[4])};
    EXPECT_NEAR(found.box.xmin, box.xmin, 0.011) << found.picture;
    EXPECT_NEAR(found.box.xmax, box.xmax, 0.011) << found.picture;
    EXPECT_NEAR(found.box.ymin, box.ymin, 0.011) << found.picture;
    EXPECT_NEAR(found.box.ymax, box.ymax, 0.011) << found.picture;
    mean += Iou(box, found.label) / static_cast<double>(expected->rows.size());
  }
  EXPECT_NEAR(score->mean_iou, mean, 0.0001);
  EXPECT_NEAR(score->mean_iou, 0.691, 0.002);
}

TEST(EvaluateDetection, ReadsALabelledFolder) {
  const fs::path weights = kShared / "weights/ultranet/ultranet_4a4w8lf.qbin";
  const fs::path pictures = kShared / "data/dacsdc/images";
  if (!fs::exists(weights) || !fs::exists(pictures)) {
    GTEST_SKIP() << "needs ../shared/weights/ultranet and ../shared/data/dacsdc, which are absent";
  }
  const auto model = Import("ultranet-qbin", weights);
  ASSERT_TRUE(model) << model.error().message;
  const fs::path folder = TestPath("detect");
  fs::create_directories(folder / "images");
  fs::copy(pictures / "000.jpg", folder / "images");
  // Its label in pixels of 640x360: 295 to 382, 131 to 232.
  ASSERT_TRUE(WriteFile(folder / "labels/000.txt",
                        std::string_view(fmt::format("5 {} {} {} {}\n", 338.5 / 640, 181.5 / 360,
                                                     87.0 / 640, 101.0 / 360))));
  const auto score = EvaluateDetection(std::get<IntNet>(*model), folder, {}, Threads(1), {});
  fs::remove_all(folder);
  ASSERT_TRUE(score) << score.error().message;
  ASSERT_EQ(score->detections.size(), 1U);
  EXPECT_EQ(score->detections[0].picture, "000.jpg");
  EXPECT_NEAR(score->detections[0].label.xmax, 382, 1e-3);
  EXPECT_GT(score->mean_iou, 0.3);
}

}  // namespace
}  // namespace lichen
