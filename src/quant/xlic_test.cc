// Float engine and quantiser against the golden outputs of X-LIC (../shared/golden/xlic).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "engine/engine.h"
#include "engine/float_engine.h"
#include "image/reader.h"
#include "net/importer.h"
#include "quant/measure.h"
#include "quant/quantise.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

const fs::path kShared = fs::path(LICHEN_SOURCE_DIR) / "../shared";

// float32, channels first, as a tensor.
Tensor<float> ReadChw(const std::string& name, Shape shape) {
  const auto bytes = ReadFile(kShared / "golden/xlic" / name);
  EXPECT_TRUE(bytes && bytes->size() == static_cast<size_t>(shape.Count()) * sizeof(float)) << name;
  std::vector<float> values(static_cast<size_t>(shape.Count()));
  std::memcpy(values.data(), bytes->data(), bytes->size());
  Tensor<float> tensor(shape);
  for (int64_t c = 0; c < shape.c; ++c) {
    for (int64_t y = 0; y < shape.h; ++y) {
      for (int64_t x = 0; x < shape.w; ++x) {
        tensor(0, y, x, c) = values[static_cast<size_t>((c * shape.h + y) * shape.w + x)];
      }
    }
  }
  return tensor;
}

class Xlic : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kShared)) GTEST_SKIP() << kShared << " is absent";
    auto model = Import("xlic", kShared / "weights/xlic");
    ASSERT_TRUE(model) << model.error().message;
    net_ = std::get<FloatNet>(std::move(*model));
  }

  Image Golden(const std::string& name) {
    auto image = ReadImage(kShared / "golden/xlic" / name);
    EXPECT_TRUE(image) << image.error().message;
    return std::move(*image);
  }

  std::vector<Tensor<float>> Run(const FloatGraph& graph, Tensor<float> input, Size2 reference) {
    std::vector<Tensor<float>> inputs;
    inputs.push_back(std::move(input));
    auto tensors = RunFloatGraph(graph, std::move(inputs),
                                 {.reference = reference, .keep_all = true}, threads_);
    EXPECT_TRUE(tensors) << tensors.error().message;
    return std::move(*tensors);
  }

  const Tensor<float>& TensorOf(const FloatGraph& graph, const std::vector<Tensor<float>>& tensors,
                                std::string_view name) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (graph.tensors[i].name == name) return tensors[i];
    }
    ADD_FAILURE() << "no tensor " << name;
    return tensors[0];
  }

  // rms of raw * scale - golden for the 768x512 picture.
  double LatentError(const IntNet& net) {
    const IntGraph& graph = *net.Find("analysis");
    const Tensor<float> picture = FloatPicture(Golden("in_768x512.png"), 3, 1);
    std::vector<Tensor<int32_t>> inputs;
    inputs.push_back(IntPicture(picture, graph.tensor(graph.inputs[0])));
    const auto tensors = RunWhole(CompiledGraph(graph), inputs, {512, 768}, threads_);
    EXPECT_TRUE(tensors) << tensors.error().message;
    const auto out = static_cast<size_t>(graph.outputs[0].index);
    const Tensor<int32_t>& y = (*tensors)[out];
    const Tensor<float> golden = ReadChw("y_fp32_768x512.f32", y.shape());
    double sum = 0;
    for (size_t i = 0; i < y.span().size(); ++i) {
      const double error = y.span()[i] * graph.tensors[out].scale[0] - golden.span()[i];
      sum += error * error;
    }
    return std::sqrt(sum / static_cast<double>(y.span().size()));
  }

  FloatNet net_;
  Threads threads_;
};

TEST_F(Xlic, FloatLatentsAndPicturesMatchTheDemo) {
  for (const std::string name : {"256x256", "768x512"}) {
    SCOPED_TRACE(name);
    const Image input = Golden("in_" + name + ".png");
    const Size2 size = {input.info.height, input.info.width};
    const auto tensors = Run(*net_.Find("analysis"), FloatPicture(input, 3, 1), size);
    const Tensor<float>& y = tensors.back();
    const Tensor<float> golden = ReadChw("y_fp32_" + name + ".f32", y.shape());
    for (size_t i = 0; i < y.span().size(); ++i) {
      ASSERT_NEAR(y.span()[i], golden.span()[i], 1e-3);
    }
    const auto recon = Run(*net_.Find("synthesis"), y.Clone(), size);
    const Image expected = Golden("recon_fp32_" + name + ".png");
    ASSERT_EQ(expected.samples.size(), recon.back().span().size());
    for (size_t i = 0; i < expected.samples.size(); ++i) {
      const double v = std::clamp(recon.back().span()[i], 0.0F, 1.0F);
      ASSERT_NEAR(std::floor(255 * v + 0.5), expected.samples[i], 1);
    }
  }
}

TEST_F(Xlic, FloatActivationsMatch) {
  const FloatGraph& analysis = *net_.Find("analysis");
  const auto tensors = Run(analysis, FloatPicture(Golden("in_256x256.png"), 3, 1), {256, 256});
  for (const auto& [tensor, file] :
       {std::pair{"ana_1", "act_ana1_256x256.f32"}, std::pair{"gdn_1", "act_gdn1_256x256.f32"}}) {
    const Tensor<float>& actual = TensorOf(analysis, tensors, tensor);
    const Tensor<float> golden = ReadChw(file, actual.shape());
    double largest = 0;
    for (float v : golden.span()) largest = std::max(largest, std::fabs(double{v}));
    for (size_t i = 0; i < golden.span().size(); ++i) {
      ASSERT_NEAR(actual.span()[i], golden.span()[i], 1e-3 * largest) << tensor;
    }
  }
}

TEST_F(Xlic, LatentsOfTheIntegerNetAreWithinAHundredthOfAStep) {
  const auto calibration = LoadCalibration(kShared / "data/train", {.max_pictures = 40}, threads_);
  ASSERT_TRUE(calibration) << calibration.error().message;
  ASSERT_EQ(calibration->skipped.size(), 1);
  EXPECT_EQ(calibration->skipped[0].name, "README.md");
  const auto wide = Quantise(net_, *calibration, {.measured_pictures = 1}, threads_);
  ASSERT_TRUE(wide) << wide.error().message;
  EXPECT_LE(LatentError(wide->net), 0.0100);
  EXPECT_GE(wide->net.coding.latent_shift, 6);
  EXPECT_EQ(wide->report.SaturatedCount(), 0);
  for (const LayerReport& layer : wide->report.layers) {
    EXPECT_GE(layer.products_per_segment, 128) << layer.layer;
  }
  const auto narrow = Quantise(net_, *calibration, {.bits = 8, .measured_pictures = 1}, threads_);
  ASSERT_TRUE(narrow) << narrow.error().message;
  EXPECT_LE(LatentError(narrow->net), 0.40);  // of which rounding to whole steps is 0.29
}

}  // namespace
}  // namespace lichen
