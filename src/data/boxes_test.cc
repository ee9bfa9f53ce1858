#include "data/boxes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/files.h"
#include "image/image.h"
#include "image/writer.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(Iou, OfEqualDisjointAndHalfOverlappingBoxes) {
  const Box box{0, 10, 0, 10};
  EXPECT_DOUBLE_EQ(Iou(box, box), 1);
  EXPECT_DOUBLE_EQ(Iou(box, {20, 30, 0, 10}), 0);
  EXPECT_DOUBLE_EQ(Iou(box, {5, 15, 0, 10}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(Iou({}, {}), 0);
}

class BoxFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("lichen_boxes_{}", std::random_device()());
    for (const char* name : {"a.png", "b.png", "c.png"}) {
      ASSERT_TRUE(WriteImage(folder_ / "images" / name,
                             MakeImage({.height = 50, .width = 100, .channels = 3})));
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Put(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFile(folder_ / name, text));
  }

  std::string Error() {
    const auto boxes = ReadLabelledBoxes(folder_);
    return boxes ? "no error" : boxes.error().message;
  }

  fs::path folder_;
};

TEST_F(BoxFolder, ReadsDacSdc) {
  Put("labels.csv", "file,xmin,xmax,ymin,ymax\nb.png,1,2,3,4.5\n");
  const auto boxes = ReadLabelledBoxes(folder_);
  ASSERT_TRUE(boxes) << boxes.error().message;
  ASSERT_EQ(boxes->size(), 1U);
  EXPECT_EQ(boxes->front().picture, folder_ / "images/b.png");
  EXPECT_EQ(boxes->front().box.ymax, 4.5);
  Put("labels.csv", "file,xmin,xmax,ymin,ymax\n../b.png,1,2,3,4\n");
  EXPECT_THAT(Error(), HasSubstr("no plain file name"));
  Put("labels.csv", "file,xmin,xmax,ymin,ymax\nb.png,1,2,3,four\n");
  EXPECT_THAT(Error(), HasSubstr("b.png: 'four' is no number"));
  Put("labels.csv", "file,xmin,xmax,ymin\n");
  EXPECT_THAT(Error(), HasSubstr("no column 'ymax'"));
}

TEST_F(BoxFolder, ReadsYolo) {
  EXPECT_THAT(Error(), HasSubstr("neither labels.csv"));
  Put("labels/a.txt", "");
  EXPECT_THAT(Error(), HasSubstr("no picture of images/ has a label"));
  Put("labels/c.txt", "3 0.5 0.25 0.2 0.1\r\n1 0 0 0 0\n");
  const auto boxes = ReadLabelledBoxes(folder_);
  ASSERT_TRUE(boxes) << boxes.error().message;
  ASSERT_EQ(boxes->size(), 1U);
  const Box box = boxes->front().box;
  EXPECT_DOUBLE_EQ(box.xmin, 40);
  EXPECT_DOUBLE_EQ(box.xmax, 60);
  EXPECT_DOUBLE_EQ(box.ymin, 10);
  EXPECT_DOUBLE_EQ(box.ymax, 15);
  Put("labels/c.txt", "3 0.5 0.25 0.2");
  EXPECT_THAT(Error(), HasSubstr("c.txt: line 1 has 4 numbers"));
  Put("labels/c.txt", "3 0.5 0.25 1.2 0.1");
  EXPECT_THAT(Error(), HasSubstr("1.2 is not 0 to 1"));
}

}  // namespace
}  // namespace lichen
