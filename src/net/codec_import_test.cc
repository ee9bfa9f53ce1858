#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/files.h"
#include "base/test_path.h"
#include "net/check.h"
#include "net/import/safetensors.h"
#include "net/test_util.h"

namespace lichen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kStreamlic = "golden/streamlic/streamlic_a.safetensors.xz";

std::vector<std::string> NodeNames(const auto& graph) {
  std::vector<std::string> names;
  for (const auto& node : graph.nodes) names.push_back(graph.tensor(node.output).name);
  return names;
}

TEST(XlicImport, HasTheShapesOfTheStoredLatents) {
  const auto path = SharedPath("weights/xlic");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("xlic", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const auto& net = std::get<FloatNet>(*model);
  const FloatGraph& analysis = *net.Find("analysis");
  const FloatGraph& synthesis = *net.Find("synthesis");
  EXPECT_THAT(NodeNames(analysis), ElementsAre("ana_0", "gdn_0", "ana_1", "gdn_1", "y"));
  EXPECT_THAT(NodeNames(synthesis), ElementsAre("syn_0", "igdn_0", "syn_1", "igdn_1", "syn_2"));
  const auto sizes = InferSizes(analysis, {{512, 768}});
  ASSERT_TRUE(sizes.has_value());
  EXPECT_EQ(SizeOf(analysis, *sizes, "y"), (Size2{32, 48}));
}

// Sizes and multiply-accumulates of the README's 2048x1365 picture: 86 -> 171 -> 342 -> 1365 rows,
// 31.47 GMAC each way.
TEST(XlicImport, CropsToTheEncodersSizes) {
  const auto path = SharedPath("weights/xlic");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("xlic", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const auto& net = std::get<FloatNet>(*model);
  const Size2 picture{1365, 2048};
  const FloatGraph& analysis = *net.Find("analysis");
  const FloatGraph& synthesis = *net.Find("synthesis");
  const auto down = InferSizes(analysis, {picture});
  ASSERT_TRUE(down.has_value());
  EXPECT_EQ(SizeOf(analysis, *down, "y"), (Size2{86, 128}));
  const auto up = InferSizes(synthesis, {{86, 128}}, picture);
  ASSERT_TRUE(up.has_value());
  EXPECT_EQ(SizeOf(synthesis, *up, "syn_0"), (Size2{171, 256}));
  EXPECT_EQ(SizeOf(synthesis, *up, "syn_1"), (Size2{342, 512}));
  EXPECT_EQ(SizeOf(synthesis, *up, "syn_2"), picture);
  const auto giga_macs = [](const FloatGraph& graph, const std::vector<Size2>& sizes) {
    int64_t macs = 0;
    for (const auto& node : graph.nodes) {
      macs += MacCount(graph, node, sizes[node.output.index], sizes[node.inputs[0].index]);
    }
    return static_cast<double>(macs) * 1e-9;
  };
  EXPECT_NEAR(giga_macs(analysis, *down), 31.47, 0.01);
  EXPECT_NEAR(giga_macs(synthesis, *up), 31.47, 0.05);
}

// The stored activations of ana_1 behind GDN: gamma and beta in their right places.
TEST(XlicImport, ComputesTheStoredGdn) {
  const auto path = SharedPath("weights/xlic");
  const auto golden = SharedPath("golden/xlic/act_gdn1_256x256.f32");
  LICHEN_SKIP_WITHOUT(path);
  LICHEN_SKIP_WITHOUT(golden);
  const auto read = [](const std::filesystem::path& file) {
    const auto bytes = ReadFile(file);
    std::vector<float> values(bytes->size() / 4);
    std::memcpy(values.data(), bytes->data(), bytes->size());
    return values;
  };
  const auto x = read(SharedPath("golden/xlic/act_ana1_256x256.f32"));
  const auto want = read(golden);
  const auto model = Import("xlic", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const auto& node = std::get<FloatNet>(*model).Find("analysis")->nodes[3];
  const size_t pixels = 32 * 32;
  for (size_t pixel = 0; pixel < pixels; pixel += 101) {
    for (size_t c = 0; c < 128; ++c) {
      double norm = node.params.bias[c];
      for (size_t j = 0; j < 128; ++j) {
        norm += node.params.weights[c * 128 + j] * std::abs(x[j * pixels + pixel]);
      }
      ASSERT_NEAR(x[c * pixels + pixel] / norm, want[c * pixels + pixel], 1e-3);
    }
  }
}

// syn kernels are stored rotated and [ky][kx][in][out]; the adjoint's are neither.
TEST(XlicImport, TurnsTheKernelsOfTheSynthesis) {
  const auto path = SharedPath("weights/xlic");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("xlic", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const auto& net = std::get<FloatNet>(*model);
  const auto expect_equal = [&](const char* file, const FloatNode& node, int64_t in, int64_t out,
                                bool is_rotated) {
    const auto bytes = ReadFile(path / file);
    const int64_t k = node.geometry.kernel_h;
    for (int64_t i = 0; i < k * k * in * out; i += 1009) {
      const int64_t oc = i % out, ic = i / out % in;
      int64_t ky = i / (out * in * k), kx = i / (out * in) % k;
      if (is_rotated) {
        ky = k - 1 - ky;
        kx = k - 1 - kx;
      }
      float stored;
      std::memcpy(&stored, bytes->data() + i * 4, 4);
      ASSERT_EQ(node.params.weights[((oc * k + ky) * k + kx) * in + ic], stored) << file << i;
    }
  };
  expect_equal("ana_w.bin", net.Find("analysis")->nodes[0], 3, 128, false);
  expect_equal("syn_w.bin", net.Find("synthesis")->nodes[0], 128, 128, true);
}

TEST(XlicImport, NamesAFileOfBrokenFloats) {
  const auto folder = TestPath("net_xlic");
  ASSERT_TRUE(WriteFile(folder / "ana_w.bin", std::string_view("12345")).has_value());
  const auto model = Import("xlic", folder);
  std::filesystem::remove_all(folder);
  ASSERT_FALSE(model.has_value());
  EXPECT_THAT(model.error().message, HasSubstr("ana_w.bin: has 5 bytes"));
}

class StreamlicImport : public ::testing::Test {
 protected:
  // Read once: uncompressing the file takes a second.
  static void SetUpTestSuite() {
    const auto path = SharedPath(kStreamlic);
    if (!std::filesystem::exists(path)) return;
    auto file = Safetensors::Read(path);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    file_ = std::move(*file);
    auto model = Import("streamlic", path);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    net_ = std::move(std::get<IntNet>(*model));
  }

  void SetUp() override { LICHEN_SKIP_WITHOUT(SharedPath(kStreamlic)); }

  static std::vector<int64_t> Stored(const std::string& name) {
    return file_.GetIntegers("act/" + name)->values;
  }

  static inline Safetensors file_;
  static inline IntNet net_;
};

TEST_F(StreamlicImport, HasTheShapesAndRangesOfTheStoredActivations) {
  int compared = 0;
  for (const IntGraph& graph : net_.graphs) {
    std::vector<Size2> inputs;
    for (TensorId id : graph.inputs) {
      const std::string& name = graph.tensor(id).name;
      if (name == "input") {
        inputs.push_back({128, 192});
      } else if (name == "context_prediction.3") {
        inputs.push_back({8, 12});
      } else {
        const auto& shape = file_.entries().at("act/" + name).shape;
        inputs.push_back({shape[1], shape[2]});
      }
    }
    const auto sizes = InferSizes(graph, inputs);
    ASSERT_TRUE(sizes.has_value()) << sizes.error().message;
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      const TensorInfo& tensor = graph.tensors[i];
      const auto it = file_.entries().find("act/" + tensor.name);
      if (it == file_.entries().end()) continue;
      EXPECT_THAT(it->second.shape, ElementsAre(tensor.channels, (*sizes)[i].h, (*sizes)[i].w))
          << tensor.name;
      for (int64_t value : Stored(tensor.name)) {
        ASSERT_TRUE(tensor.range.Contains({value, value})) << tensor.name;
      }
      ++compared;
    }
  }
  EXPECT_EQ(compared, 26);  // 22 layers; y, z_hat, h_s.2 and y_hat stand in two graphs
}

// One upsampling layer by hand: permuted conv, kDepthToSpace, crop; equals the stored g_s.0.
TEST_F(StreamlicImport, ShufflesUpsamplingChannels) {
  const IntGraph& graph = *net_.Find("synthesis");
  const IntNode& node = graph.nodes[0];
  const auto x = Stored("y_hat");
  const auto want = Stored("g_s.0");
  const int64_t channels = 192, h = 8, w = 12;
  for (int64_t i = 0; i < channels * 16 * 24; i += 997) {
    const int64_t c = i / (16 * 24), y = i / 24 % 16 + 1, col = i % 24 + 1;  // before the crop
    const int64_t oc = (y % 2 * 2 + col % 2) * channels + c;
    int64_t acc = 0;
    for (int64_t ky = 0; ky < 2; ++ky) {
      for (int64_t kx = 0; kx < 2; ++kx) {
        const int64_t iy = y / 2 + ky - 1, ix = col / 2 + kx - 1;
        if (iy < 0 || ix < 0 || iy >= h || ix >= w) continue;
        for (int64_t ic = 0; ic < channels; ++ic) {
          acc += x[(ic * h + iy) * w + ix] *
                 node.params.weights[((oc * 2 + ky) * 2 + kx) * channels + ic];
        }
      }
    }
    ASSERT_EQ(Requantise(acc, node.params.requant.At(oc, {-2047, 2047})), want[i]) << i;
  }
}

TEST_F(StreamlicImport, ComputesTheStoredLagc) {
  const IntParams& p = net_.Find("analysis")->nodes[2].params;
  const auto x = Stored("g_a.0");
  const auto want = Stored("g_a.1");
  const size_t pixels = 64 * 96;
  for (size_t pixel = 0; pixel < pixels; pixel += 97) {
    for (size_t c = 0; c < 48; ++c) {
      int64_t acc = 0;
      for (size_t j = 0; j < 48; ++j) acc += p.weights[c * 48 + j] * x[j * pixels + pixel];
      const int64_t u = Requantise(acc, p.requant.At(c, p.inner_range));
      const int64_t v = p.table[static_cast<size_t>(u - p.table_first)];
      const int64_t g = Requantise(v, p.gain_requant.At(c, p.gain_range));
      ASSERT_EQ(Requantise(x[c * pixels + pixel] * g, p.output_requant.At(c, {-2047, 2047})),
                want[c * pixels + pixel]);
    }
  }
}

// 27, 9 and 12 blocks of 12x12 per output group in the three sparse layers.
TEST_F(StreamlicImport, KeepsTheBlocksOfTheSparseLayers) {
  const auto blocks = [](const IntNode& node) {
    const auto on = std::count(node.params.mask.begin(), node.params.mask.end(), 1);
    return on / (384 / 12);
  };
  const IntGraph& context = *net_.Find("context");
  EXPECT_EQ(blocks(context.nodes[0]), 27);
  EXPECT_EQ(blocks(context.nodes[2]), 9);
  EXPECT_EQ(blocks(net_.Find("entropy_parameters")->nodes[2]), 12);
  EXPECT_EQ(MacCount(context, context.nodes[0], {1, 1}, {1, 1}), 27 * 32 * 144);
}

TEST_F(StreamlicImport, FinalRequantIsWithinOneCodeOfTheFloat) {
  const IntNode& node = net_.Find("synthesis")->nodes.back();
  const double scale = (*file_.GetFloats("final_scale"))[0];
  const Requant requant = node.params.requant.At(0, {0, 255});
  for (int64_t v = -2047; v <= 2047; ++v) {
    const double real = std::clamp((static_cast<double>(v) * scale + 0.5) * 255, 0.0, 255.0);
    ASSERT_NEAR(static_cast<double>(Requantise(v, requant)), std::floor(real), 1.0) << v;
  }
  EXPECT_EQ(Requantise(0, requant), 127);
}

}  // namespace
}  // namespace lichen
