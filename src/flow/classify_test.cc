#include "flow/classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/check.h"
#include "net/graph_builder.h"
#include "net/proof.h"

namespace lichen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Of the four pixels of a picture, the class is the brightest.
IntNet BrightestPixel() {
  GraphBuilder<IntParams> builder("main");
  const TensorId x = builder.Input({.name = "x", .channels = 1, .range = {0, 255}});
  IntParams p;
  p.weights.resize(16);
  for (size_t c = 0; c < 4; ++c) p.weights[c * 4 + c] = 3;
  p.weight_bits = 4;
  const TensorId y = builder.Add(OpKind::kLinear, {x}, {.name = "y", .channels = 4},
                                 {.kernel_h = 2, .kernel_w = 2}, p);
  builder.tensor(y).range = PlainSumRange(builder.graph(), builder.graph().nodes.back());
  builder.Output(y);
  IntNet net;
  net.graphs.push_back(std::move(builder).Build());
  net.metadata = {{"task", "classify"}, {"input_size", "2x2"}};
  return net;
}

LabelledPictures Pictures() {
  return {.height = 2,
          .width = 2,
          .channels = 1,
          .class_count = 4,
          .samples = {9, 0, 0, 0, 1, 2, 3, 4, 0, 255, 255, 0},
          .labels = {0, 3, 2}};
}

TEST(EvaluateClassification, CountsRightAnswers) {
  const IntNet net = BrightestPixel();
  ASSERT_TRUE(CheckIntNet(net));
  const auto score = EvaluateClassification(net, Pictures(), Threads(2), {});
  ASSERT_TRUE(score) << score.error().message;
  EXPECT_THAT(score->classes, ElementsAre(0, 3, 1));  // of equal outputs the first
  EXPECT_EQ(score->correct_count, 2);
  EXPECT_DOUBLE_EQ(score->accuracy, 2.0 / 3);
}

TEST(EvaluateClassification, RefusesOtherNetworks) {
  const auto error = [](const IntNet& net, const LabelledPictures& pictures) {
    const auto score = EvaluateClassification(net, pictures, Threads(1), {});
    return score ? "no error" : score.error().message;
  };
  IntNet net = BrightestPixel();
  LabelledPictures pictures = Pictures();
  pictures.class_count = 10;
  EXPECT_THAT(error(net, pictures), HasSubstr("gives 4 classes; the pictures have 1 and 10"));
  net.metadata["input_size"] = "4x4";
  EXPECT_THAT(error(net, Pictures()), HasSubstr("takes pictures of 4x4, these are 2x2"));
  net.metadata["task"] = "detect";
  EXPECT_THAT(error(net, Pictures()), HasSubstr("no classification model"));
}

}  // namespace
}  // namespace lichen
