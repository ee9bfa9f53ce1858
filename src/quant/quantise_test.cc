#include "quant/quantise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/float_engine.h"
#include "engine/reference.h"
#include "net/check.h"
#include "quant/measure.h"
#include "quant/quant_test_support.h"

namespace lichen {
namespace {

using testing::HasSubstr;

QuantResult MustQuantise(const FloatNet& net, const Calibration& calibration,
                         const QuantOptions& options, int thread_count = 2) {
  auto result = Quantise(net, calibration, options, Threads(thread_count));
  EXPECT_TRUE(result) << result.error().message;
  return result ? std::move(*result) : QuantResult{};
}

const LayerReport& LayerOf(const QuantReport& report, std::string_view name) {
  for (const LayerReport& layer : report.layers) {
    if (layer.layer == name) return layer;
  }
  ADD_FAILURE() << "no layer " << name;
  return report.layers[0];
}

// error rms / signal rms of the worst layer.
double WorstRatio(const QuantReport& report) {
  double worst = 0;
  for (const LayerReport& layer : report.layers) {
    EXPECT_GT(layer.signal_rms, 0) << layer.layer;
    worst = std::max(worst, layer.error_rms / layer.signal_rms);
  }
  return worst;
}

TEST(Quantise, KeepsRandomNetsCloseToFloat) {
  for (uint32_t seed : {1U, 100U, 200U}) {
    SCOPED_TRACE(seed);
    const Calibration codec_pictures = SyntheticPictures(6, 24);
    const Calibration pictures = SyntheticPictures(6, 16);
    const FloatNet codec = TinyCodec(seed);
    const FloatNet classifier = TinyClassifier(seed);
    EXPECT_LT(WorstRatio(MustQuantise(codec, codec_pictures, {.bits = 16}).report), 2e-3);
    EXPECT_LT(WorstRatio(MustQuantise(codec, codec_pictures, {.bits = 8}).report), 0.2);
    EXPECT_LT(WorstRatio(MustQuantise(classifier, pictures, {.bits = 16}).report), 2e-3);
    EXPECT_LT(WorstRatio(MustQuantise(classifier, pictures, {.bits = 8}).report), 0.2);
  }
}

TEST(Quantise, GivesTheSameNetWhateverTheThreads) {
  const Calibration pictures = SyntheticPictures(11, 24);
  const QuantResult one = MustQuantise(TinyCodec(), pictures, {}, 1);
  const QuantResult three = MustQuantise(TinyCodec(), pictures, {}, 3);
  for (size_t g = 0; g < 2; ++g) {
    for (size_t n = 0; n < one.net.graphs[g].nodes.size(); ++n) {
      const IntParams& a = one.net.graphs[g].nodes[n].params;
      const IntParams& b = three.net.graphs[g].nodes[n].params;
      EXPECT_EQ(a.weights, b.weights);
      EXPECT_EQ(a.requant, b.requant);
      EXPECT_EQ(a.output_requant, b.output_requant);
    }
  }
  EXPECT_EQ(ToJson(one.report), ToJson(three.report));
}

TEST(Quantise, HonoursWidthsOfSingleLayers) {
  const QuantOptions options = {
      .layers = {{"a0", 10, 0}, {"g0", 9, 0}, {"y", 0, 5}, {"s0", 0, 7}, {"picture", 6, 4}}};
  const QuantReport report = MustQuantise(TinyCodec(), SyntheticPictures(4, 24), options).report;
  EXPECT_EQ(LayerOf(report, "a0").operand_bits, 10);
  EXPECT_EQ(LayerOf(report, "g0").operand_bits, 9);
  EXPECT_GT(LayerOf(report, "g0").weight_bits, 9);
  EXPECT_EQ(LayerOf(report, "y").weight_bits, 5);
  EXPECT_EQ(LayerOf(report, "y").operand_bits, 15);
  EXPECT_EQ(LayerOf(report, "s0").weight_bits, 7);
  EXPECT_EQ(LayerOf(report, "picture").operand_bits, 6);
  EXPECT_EQ(LayerOf(report, "picture").weight_bits, 4);
}

TEST(Quantise, UsesEightBitOperandsEverywhereAtEightBits) {
  const QuantReport codec = MustQuantise(TinyCodec(), SyntheticPictures(4, 24), {.bits = 8}).report;
  const QuantReport classifier =
      MustQuantise(TinyClassifier(), SyntheticPictures(4, 16), {.bits = 8}).report;
  for (const QuantReport* report : {&codec, &classifier}) {
    for (const LayerReport& layer : report->layers) {
      EXPECT_LE(layer.operand_bits, 8) << layer.layer;
      EXPECT_LE(layer.weight_bits, 8) << layer.layer;
    }
  }
  EXPECT_EQ(LayerOf(classifier, "relu").range_min, 0);
  EXPECT_EQ(LayerOf(classifier, "relu").range_max, 255);
  EXPECT_EQ(LayerOf(classifier, "c1").range_max, 255);  // only the ReLU reads it
}

TEST(Quantise, KeepsSegmentsAsLongAsAsked) {
  for (int64_t products : {16, 40, 1000}) {
    const QuantReport report =
        MustQuantise(TinyCodec(), SyntheticPictures(4, 24), {.products_per_segment = products})
            .report;
    for (const LayerReport& layer : report.layers) {
      if (layer.products == 0) continue;
      EXPECT_LE(layer.segments, std::max<int64_t>(1, layer.products / products)) << layer.layer;
    }
  }
}

TEST(Quantise, FollowsTheContractOfCodecTensors) {
  for (int bits : {8, 16}) {
    const IntNet net = MustQuantise(TinyCodec(), SyntheticPictures(4, 24), {.bits = bits}).net;
    const IntGraph& analysis = *net.Find("analysis");
    const IntGraph& synthesis = *net.Find("synthesis");
    const TensorInfo& x = analysis.tensor(analysis.inputs[0]);
    const TensorInfo& y = analysis.tensor(analysis.outputs[0]);
    const TensorInfo& y_hat = synthesis.tensor(synthesis.inputs[0]);
    const TensorInfo& picture = synthesis.tensor(synthesis.outputs[0]);
    EXPECT_EQ(x.range, (ValueRange{0, bits == 16 ? 4080 : 255}));
    EXPECT_EQ(x.scale[0] * static_cast<double>(x.range.max), 1.0);
    EXPECT_EQ(y.range, y_hat.range);
    EXPECT_EQ(y.scale, y_hat.scale);
    EXPECT_EQ(y.scale[0], std::exp2(-net.coding.latent_shift));
    EXPECT_TRUE(
        y.range.Contains({net.coding.symbol_range.min * (int64_t{1} << net.coding.latent_shift),
                          net.coding.symbol_range.max << net.coding.latent_shift}));
    EXPECT_EQ(picture.range, (ValueRange{0, 65535}));
    EXPECT_EQ(picture.scale, std::vector<double>{1.0 / 65535});
    for (const IntGraph& graph : net.graphs) {
      for (const IntNode& node : graph.nodes) {
        for (int64_t m : node.params.requant.multiplier) EXPECT_LT(std::abs(m), 1 << 17);
        EXPECT_EQ(node.params.requant.pre_shift, std::vector<uint8_t>{0});
      }
    }
  }
}

// Calibrated on dark pictures, run on noise: whatever exceeds its range stays at the bound.
TEST(Quantise, SaturatesInsteadOfWrapping) {
  Calibration dark = SyntheticPictures(3, 24);
  for (CalibrationPicture& picture : dark.pictures) {
    for (uint16_t& sample : picture.image.samples) sample /= 16;
  }
  Image noise = RenderTestPicture(24, 24, 9);
  std::mt19937 generator(5);
  for (uint16_t& sample : noise.samples) sample = generator() % 2 ? 255 : 0;
  const FloatNet net = TinyCodec();
  const Tensor<float> real = FloatPicture(noise, 3, 1);
  for (int bits : {8, 16}) {
    const QuantResult result = MustQuantise(net, dark, {.bits = bits, .margin = 1});
    const IntGraph& graph = *result.net.Find("analysis");
    std::vector<Tensor<int32_t>> inputs;
    inputs.push_back(IntPicture(real, graph.tensor(graph.inputs[0])));
    const auto actual = RunReference(graph, std::move(inputs));
    std::vector<Tensor<float>> float_inputs;
    float_inputs.push_back(real.Clone());
    const auto expected =
        RunFloatGraph(net.graphs[0], std::move(float_inputs), {.keep_all = true}, Threads(1));
    ASSERT_TRUE(actual && expected);
    const TensorInfo& a0 = graph.tensors[1];
    int64_t saturated = 0;
    for (size_t i = 0; i < (*actual)[1].span().size(); ++i) {
      const double scale = a0.scale[a0.scale.size() == 1 ? 0 : i % 8];
      const double wanted =
          std::clamp((*expected)[1].span()[i] / scale, static_cast<double>(a0.range.min),
                     static_cast<double>(a0.range.max));
      const double tolerance = bits == 16 ? 60 : 16;
      EXPECT_NEAR((*actual)[1].span()[i], wanted, tolerance);
      saturated += std::abs((*actual)[1].span()[i]) == a0.range.max;
    }
    EXPECT_GT(saturated, 100);
  }
}

TEST(Quantise, ReportsWhatTheNetHolds) {
  Calibration pictures = SyntheticPictures(5, 24);
  pictures.skipped.push_back({"notes.txt", "is not a picture"});
  const QuantResult result = MustQuantise(TinyCodec(), pictures, {.measured_pictures = 2});
  const QuantReport& report = result.report;
  EXPECT_EQ(report.picture_count, 5);
  EXPECT_EQ(report.measured_picture_count, 2);
  EXPECT_EQ(report.layers.size(), 6);
  EXPECT_EQ(report.latent_shift, result.net.coding.latent_shift);
  const auto proofs = CheckIntNet(result.net);
  ASSERT_TRUE(proofs);
  for (const AccumulatorProof& proof : *proofs) {
    const LayerReport& layer = LayerOf(report, proof.node);
    EXPECT_EQ(layer.segments, proof.segments);
    EXPECT_EQ(layer.products, proof.products);
    EXPECT_EQ(layer.operand_bits, proof.input_bits);
    EXPECT_EQ(layer.weight_bits, proof.weight_bits);
    EXPECT_GT(layer.headroom_bits, 0);
  }
  for (const LayerReport& layer : report.layers) {
    EXPECT_LE(layer.calibrated_min, layer.calibrated_max);
    EXPECT_LE(layer.scale_min, layer.scale_max);
    EXPECT_LE(layer.error_rms, layer.error_max);
    EXPECT_EQ(layer.saturated_count, 0) << layer.layer;
    EXPECT_GT(layer.value_count, 0);
    if (layer.layer == "picture") continue;  // black and white are meant to saturate
    EXPECT_LE(layer.calibrated_max,
              layer.scale_max * static_cast<double>(layer.range_max) * 1.0001);
  }
  EXPECT_EQ(LayerOf(report, "picture").value_count, 2 * 24 * 24 * 3);

  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_EQ(json["layers"].size(), 6);
  EXPECT_EQ(json["layers"][0]["layer"], "a0");
  EXPECT_EQ(json["skipped"][0]["name"], "notes.txt");
  EXPECT_EQ(json["value_count"], report.ValueCount());
  EXPECT_THAT(ToText(report), HasSubstr("notes.txt"));
}

TEST(Quantise, TellsWhatTheOutputMeans) {
  const QuantResult result = MustQuantise(TinyClassifier(), SyntheticPictures(4, 16), {.bits = 8});
  const IntGraph& main = result.net.graphs[0];
  const double scale = main.tensor(main.outputs[0]).scale[0];
  EXPECT_NEAR(std::stod(result.net.metadata.at("div")) * scale, 1, 1e-12);
  const QuantResult codec = MustQuantise(TinyCodec(), SyntheticPictures(4, 24), {.bits = 8});
  EXPECT_FALSE(codec.net.metadata.contains("div"));
}

TEST(Quantise, RefusesWhatItCannotDo) {
  const Calibration pictures = SyntheticPictures(2, 16);
  const auto message = [&](const FloatNet& net, const QuantOptions& options) {
    const auto result = Quantise(net, pictures, options, Threads(1));
    return result ? std::string("no error") : result.error().message;
  };
  EXPECT_THAT(message(TinyCodec(), {.bits = 7}), HasSubstr("8 or 16"));
  EXPECT_THAT(message(TinyCodec(), {.layers = {{"z9", 8, 8}}}), HasSubstr("z9"));
  EXPECT_THAT(message(TinyCodec(), {.layers = {{"y", 17, 0}}}), HasSubstr("2 to 16"));
  EXPECT_THAT(message(TinyCodec(), {.margin = -1}), HasSubstr("margin"));
  FloatNet slope = TinyClassifier();
  slope.graphs[0].nodes[1].params.slope = 0.3F;
  EXPECT_THAT(message(slope, {}), HasSubstr("leaky"));
  FloatNet only_half = TinyCodec();
  only_half.graphs.pop_back();
  EXPECT_THAT(message(only_half, {}), HasSubstr("analysis and synthesis"));
  const auto none = Quantise(TinyCodec(), {}, {}, Threads(1));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("picture"));
}

}  // namespace
}  // namespace lichen
