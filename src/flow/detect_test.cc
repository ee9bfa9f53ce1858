#include "flow/detect.h"

#include <gtest/gtest.h>

#include "base/files.h"
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

TEST(EvaluateDetection, RefusesAModelThatDetectsNothing) {
  IntNet net;
  net.metadata["task"] = "codec";
  const auto score = EvaluateDetection(net, ".", "labels.csv", Threads(1), {});
  ASSERT_FALSE(score);
  EXPECT_NE(score.error().message.find("no detection model"), std::string::npos);
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

}  // namespace
}  // namespace lichen
