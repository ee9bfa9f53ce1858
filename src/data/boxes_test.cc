#include "data/boxes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/test_path.h"
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
    folder_ = TestPath("boxes");
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
  for (const char* box : {"2,1,3,4", "1,2,4,3", "1,1,3,4"}) {
    Put("labels.csv", fmt::format("file,xmin,xmax,ymin,ymax\nb.png,{}\n", box));
    EXPECT_THAT(Error(), HasSubstr("b.png: its box")) << box;
  }
}

TEST_F(BoxFolder, ReadsTablesOfSpreadsheets) {
  Put("labels.csv",
      "\xEF\xBB\xBF"
      "file, xmin, xmax, ymin, ymax\r\nb.png, 1, 2, 3, 4.5\r\n");
  const auto boxes = ReadLabelledBoxes(folder_);
  ASSERT_TRUE(boxes) << boxes.error().message;
  EXPECT_EQ(boxes->front().picture, folder_ / "images/b.png");
  EXPECT_EQ(boxes->front().box.ymax, 4.5);
}

TEST_F(BoxFolder, ReadsPascalVoc) {
  const auto put = [&](const std::string& name, std::string_view edges) {
    Put(name, fmt::format("<annotation><filename>x</filename><object><name>boat</name><bndbox>{}"
                          "</bndbox></object><object/></annotation>",
                          edges));
  };
  constexpr std::string_view kEdges =
      "<xmin>10</xmin><ymin>20</ymin><xmax> 30.5 </xmax><ymax>40</ymax>";
  put("images/a.xml", kEdges);
  put("images/c.xml", kEdges);
  EXPECT_THAT(Error(), HasSubstr("b.xml is not there; label the picture"));
  fs::create_directories(folder_ / "images/boat1");
  fs::rename(folder_ / "images/b.png", folder_ / "images/boat1/b.png");
  put("images/boat1/b.xml", kEdges);
  const auto boxes = ReadLabelledBoxes(folder_);
  ASSERT_TRUE(boxes) << boxes.error().message;
  ASSERT_EQ(boxes->size(), 3U);
  EXPECT_EQ((*boxes)[1].picture, folder_ / "images/boat1/b.png");
  EXPECT_EQ((*boxes)[1].box.xmax, 30.5);
  EXPECT_EQ((*boxes)[1].box.ymin, 20);
  Put("images/a.xml", "<annotation><object>");
  EXPECT_THAT(Error(), HasSubstr("a.xml: byte"));
  Put("images/a.xml", "<annotation/>");
  EXPECT_THAT(Error(), HasSubstr("a.xml: has no annotation with an object"));
  put("images/a.xml", "<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax>");
  EXPECT_THAT(Error(), HasSubstr("a.xml: ymax: '' is no number"));
  put("images/a.xml", "<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>1</ymax>");
  EXPECT_THAT(Error(), HasSubstr("has no area"));
}

TEST_F(BoxFolder, ReadsYolo) {
  EXPECT_THAT(Error(), HasSubstr("neither labels.csv"));
  fs::rename(folder_ / "images/b.png", folder_ / "images/b.PNG");
  for (const char* name : {"a", "b"}) {
    Put(fmt::format("labels/{}.txt", name), "0 0 0.95 0.5 0.2\n");
  }
  Put("labels/c.txt", "\n3 0.5 0.25 0.2 0.1\r\n1 0 0 0 0\n");
  const auto boxes = ReadLabelledBoxes(folder_);
  ASSERT_TRUE(boxes) << boxes.error().message;
  ASSERT_EQ(boxes->size(), 3U);
  EXPECT_EQ((*boxes)[1].picture, folder_ / "images/b.PNG");
  const Box box = boxes->back().box;
  EXPECT_DOUBLE_EQ(box.xmin, 40);
  EXPECT_DOUBLE_EQ(box.xmax, 60);
  EXPECT_DOUBLE_EQ(box.ymin, 10);
  EXPECT_DOUBLE_EQ(box.ymax, 15);
  const Box cut = boxes->front().box;
  EXPECT_DOUBLE_EQ(cut.xmin, 0);
  EXPECT_DOUBLE_EQ(cut.xmax, 25);
  EXPECT_DOUBLE_EQ(cut.ymin, 42.5);
  EXPECT_DOUBLE_EQ(cut.ymax, 50);
}

TEST_F(BoxFolder, RefusesWhatIsNoBoxInYolo) {
  for (const char* name : {"a", "b"}) Put(fmt::format("labels/{}.txt", name), "0 .5 .5 .2 .2\n");
  EXPECT_THAT(Error(), HasSubstr("c.png: has no box: "));
  EXPECT_THAT(Error(), HasSubstr("c.txt is not there"));
  const std::pair<const char*, const char*> wrong[] = {
      {"\n", "c.txt is empty"},
      {"3 0.5 0.25 0.2", "c.txt: line 1 has 4 numbers"},
      {"3 0.5 0.25 1.2 0.1", "1.2 is not 0 to 1"},
      {"3 0.5 0.25 0 0.1", "a box of no width"},
      {"-1 0.5 0.25 0.2 0.1", "class -1 is no whole number"},
      {"1.5 0.5 0.25 0.2 0.1", "class 1.5 is no whole number"},
      {"1e9 0.5 0.25 0.2 0.1", "class 1000000000 is no whole number"},
  };
  for (const auto& [text, message] : wrong) {
    Put("labels/c.txt", text);
    EXPECT_THAT(Error(), HasSubstr(message));
  }
  fs::remove_all(folder_ / "images");
  EXPECT_THAT(Error(), HasSubstr("images: holds no .jpg"));
}

TEST(CheckPicture, WantsRgbAndABoxWithin) {
  const auto error = [](const Box& box, int channels) {
    const auto checked =
        CheckPicture({"a.png", box}, {.height = 50, .width = 100, .channels = channels});
    return checked ? "no error" : checked.error().message;
  };
  EXPECT_EQ(error({-5, 20, 10, 60}, 3), "no error");
  EXPECT_THAT(error({90, 120, 10, 20}, 3),
              HasSubstr("a.png: the middle of its box, x 105 and y 15, lies outside"));
  EXPECT_THAT(error({0, 1, 0, 1}, 1), HasSubstr("a.png: is 100x50 grey, 8 bit, not RGB"));
}

}  // namespace
}  // namespace lichen
