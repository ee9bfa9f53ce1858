#include "quant/ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/collect.h"
#include "quant/quant_test_support.h"

namespace lichen {
namespace {

GraphStatistics StatisticsOf(const FloatNet& net) {
  auto statistics = CollectStatistics(net, SyntheticPictures(3, 16), Threads(1));
  EXPECT_TRUE(statistics) << statistics.error().message;
  return std::move((*statistics)[0]);
}

const TensorInfo& TensorOf(const std::vector<TensorInfo>& tensors, std::string_view name) {
  for (const TensorInfo& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return tensors[0];
}

std::vector<double> Scales(const TensorInfo& tensor) {
  std::vector<double> scales = tensor.scale;
  scales.resize(static_cast<size_t>(tensor.channels), scales[0]);
  return scales;
}

TEST(ChooseRanges, GivesChannelsThatAreMovedOneScale) {
  const FloatNet net = TinyClassifier();
  const auto tensors = ChooseRanges(net.graphs[0], StatisticsOf(net), {.default_bits = 12});
  ASSERT_TRUE(tensors) << tensors.error().message;
  const std::vector<double> leaky = Scales(TensorOf(*tensors, "leaky"));
  EXPECT_EQ(leaky, Scales(TensorOf(*tensors, "c0")));
  EXPECT_EQ(leaky, Scales(TensorOf(*tensors, "relu")));
  EXPECT_EQ(leaky, Scales(TensorOf(*tensors, "add")));
  // DepthToSpace joins channels 0, 2, 4, 6 and 1, 3, 5, 7.
  const std::vector<double> flat = Scales(TensorOf(*tensors, "flat"));
  for (size_t c = 0; c < 8; ++c) EXPECT_EQ(leaky[c], flat[c % 2]);
  EXPECT_NE(flat[0], flat[1]);
  EXPECT_EQ(TensorOf(*tensors, "scaled").scale.size(), 16);
}

TEST(ChooseRanges, GivesReluAndItsProducerUnsignedRanges) {
  const FloatNet net = TinyClassifier();
  const auto tensors = ChooseRanges(net.graphs[0], StatisticsOf(net), {.default_bits = 8});
  ASSERT_TRUE(tensors);
  EXPECT_EQ(TensorOf(*tensors, "c0").range, (ValueRange{-127, 127}));
  EXPECT_EQ(TensorOf(*tensors, "c1").range, (ValueRange{0, 255}));
  EXPECT_EQ(TensorOf(*tensors, "relu").range, (ValueRange{0, 255}));
  EXPECT_EQ(TensorOf(*tensors, "lagc").range, (ValueRange{0, 255}));
}

TEST(ChooseRanges, CoversWhatWasSeenTimesTheMargin) {
  const FloatNet net = TinyClassifier();
  const GraphStatistics statistics = StatisticsOf(net);
  const auto tensors = ChooseRanges(net.graphs[0], statistics, {.default_bits = 14, .margin = 1.5});
  ASSERT_TRUE(tensors);
  for (size_t t = 0; t < tensors->size(); ++t) {
    const TensorInfo& tensor = (*tensors)[t];
    for (size_t c = 0; c < static_cast<size_t>(tensor.channels); ++c) {
      const ChannelStatistics& seen = statistics.tensors[t].channels[c];
      EXPECT_GE(Scales(tensor)[c] * static_cast<double>(tensor.range.max),
                std::max(seen.max(), 0.0) * 1.4999)
          << tensor.name;
    }
  }
}

TEST(ChooseRanges, FixesWhatOnlyMovesIntoAFixedTensor) {
  GraphBuilder<FloatParams> b("main");
  const TensorId x = b.Input({.name = "x", .channels = 3});
  const TensorId conv = b.Add(OpKind::kConv2d, {x}, {.name = "conv", .channels = 12}, Square(3, 1),
                              RandomConv(12, 27, 1));
  const TensorId out =
      b.Add(OpKind::kDepthToSpace, {conv}, {.name = "out", .channels = 3}, {.block = 2});
  b.Output(out);
  FloatNet net;
  net.graphs.push_back(std::move(b).Build());
  RangeOptions options;
  options.fixed[out.index] = {{0, 65535}, 1.0 / 65535};
  const GraphStatistics statistics = StatisticsOf(net);
  const auto tensors = ChooseRanges(net.graphs[0], statistics, options);
  ASSERT_TRUE(tensors);
  EXPECT_EQ(TensorOf(*tensors, "conv").range, (ValueRange{0, 65535}));
  EXPECT_EQ(TensorOf(*tensors, "conv").scale, std::vector<double>{1.0 / 65535});

  options.fixed[conv.index] = {{0, 255}, 1.0 / 255};
  const auto conflict = ChooseRanges(net.graphs[0], statistics, options);
  ASSERT_FALSE(conflict);
  EXPECT_THAT(conflict.error().message, testing::HasSubstr("fixed scales"));
}

}  // namespace
}  // namespace lichen
