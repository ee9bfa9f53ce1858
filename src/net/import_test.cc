#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <numeric>

#include "base/files.h"
#include "base/test_path.h"
#include "net/check.h"
#include "net/import/safetensors.h"
#include "net/test_util.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;

Size2 SizeOfShape(const std::vector<int64_t>& chw) { return {chw[chw.size() - 2], chw.back()}; }

// Checks channels and sizes of the tensors of `graph` that the file stores as `prefix`name`suffix`.
void ExpectStoredShapes(const Safetensors& file, const IntGraph& graph,
                        const std::vector<Size2>& inputs, const std::string& prefix,
                        const std::string& suffix, int& compared) {
  const auto sizes = InferSizes(graph, inputs);
  ASSERT_TRUE(sizes.has_value()) << sizes.error().message;
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    const TensorInfo& tensor = graph.tensors[i];
    const auto it = file.entries().find(prefix + tensor.name + suffix);
    if (it == file.entries().end()) continue;
    std::vector<int64_t> shape = it->second.shape;
    if (shape.size() == 2) shape.insert(shape.end(), {1, 1});
    EXPECT_EQ(tensor.channels, shape[shape.size() - 3]) << tensor.name;
    EXPECT_EQ((*sizes)[i], SizeOfShape(shape)) << tensor.name;
    // Stored values lie in the tensor's range.
    const auto values = file.GetIntegers(it->first);
    ASSERT_TRUE(values.has_value()) << values.error().message;
    const auto [low, high] = std::minmax_element(values->values.begin(), values->values.end());
    EXPECT_GE(*low, tensor.range.min) << tensor.name;
    EXPECT_LE(*high, tensor.range.max) << tensor.name;
    ++compared;
  }
}

// One output value of a convolution, from stored activations in CHW order.
int64_t ConvAt(const IntGraph& graph, const IntNode& node, const std::vector<int64_t>& input,
               Size2 size, int64_t y, int64_t x, int64_t oc) {
  const Geometry& g = node.geometry;
  const int64_t in = graph.tensor(node.inputs[0]).channels / g.groups;
  const int64_t first = oc / (graph.tensor(node.output).channels / g.groups) * in;
  int64_t acc = 0;
  for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
    for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
      const int64_t iy = y * g.stride_h + ky - g.pad_top;
      const int64_t ix = x * g.stride_w + kx - g.pad_left;
      if (iy < 0 || ix < 0 || iy >= size.h || ix >= size.w) continue;
      for (int64_t ic = 0; ic < in; ++ic) {
        acc += input[((first + ic) * size.h + iy) * size.w + ix] *
               node.params.weights[((oc * g.kernel_h + ky) * g.kernel_w + kx) * in + ic];
      }
    }
  }
  return Requantise(
      acc, node.params.requant.At(static_cast<size_t>(oc), graph.tensor(node.output).range));
}

const IntNode* NodeOf(const IntGraph& graph, std::string_view output) {
  for (const IntNode& node : graph.nodes) {
    if (graph.tensor(node.output).name == output) return &node;
  }
  return nullptr;
}

TEST(Import, ListsKnownSourcesWhenTheSourceIsUnknown) {
  const auto model = Import("nonsense", "/tmp/x");
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().kind, Error::Kind::kUsage);
  for (const ImportSource& source : ImportSources()) {
    EXPECT_THAT(model.error().message, HasSubstr(std::string(source.name)));
  }
}

TEST(Import, RejectsAnUnknownOption) {
  const auto model = Import("ultranet-qbin", "/tmp/x", {{"colour", "red"}});
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().kind, Error::Kind::kUsage);
  EXPECT_THAT(model.error().message, HasSubstr("bits="));
}

class MixqImport : public ::testing::TestWithParam<const char*> {};

TEST_P(MixqImport, HasTheShapesAndRangesOfTheStoredActivations) {
  const auto path = SharedPath(fmt::format("golden/mixq/{}_a.safetensors.xz", GetParam()));
  LICHEN_SKIP_WITHOUT(path);
  const auto file = Safetensors::Read(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto model = Import("mixq", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const IntGraph& graph = std::get<IntNet>(*model).graphs[0];
  const Size2 size = SizeOfShape(file->entries().at("input").shape);
  int compared = 0;
  ExpectStoredShapes(*file, graph, {size}, "", "/out", compared);
  const auto layers = std::count_if(file->entries().begin(), file->entries().end(),
                                    [](const auto& e) { return e.first.ends_with("/out"); });
  EXPECT_EQ(compared, layers);
  ExpectStoredShapes(*file, graph, {size}, "", "", compared);
  EXPECT_EQ(compared, layers + 1 + (GetParam() == std::string("bypass") ? 1 : 0));
}

TEST_P(MixqImport, ComputesTheStoredFirstLayer) {
  const auto path = SharedPath(fmt::format("golden/mixq/{}_a.safetensors.xz", GetParam()));
  LICHEN_SKIP_WITHOUT(path);
  const auto file = Safetensors::Read(path);
  const auto model = Import("mixq", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const IntGraph& graph = std::get<IntNet>(*model).graphs[0];
  const auto input = file->GetIntegers("input")->values;
  const auto stored = file->GetIntegers("layer0/out")->values;
  const Size2 size = SizeOfShape(file->entries().at("input").shape);
  const IntNode& node = *NodeOf(graph, "layer0");
  for (int64_t oc = 0; oc < graph.tensor(node.output).channels; ++oc) {
    for (int64_t i = 0; i < size.h * size.w; i += 37) {
      ASSERT_EQ(ConvAt(graph, node, input, size, i / size.w, i % size.w, oc),
                stored[oc * size.h * size.w + i])
          << oc << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, MixqImport,
                         ::testing::Values("vggtiny", "ultranet", "bypass", "skynet"));

TEST(MixqImport, PutsTheBypassInFrontOfLayer6) {
  const auto path = SharedPath("golden/mixq/bypass_a.safetensors.xz");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("mixq", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const IntGraph& graph = std::get<IntNet>(*model).graphs[0];
  const IntNode& node = *NodeOf(graph, "layer7");
  const IntNode& concat = *NodeOf(graph, graph.tensor(node.inputs[0]).name);
  ASSERT_EQ(concat.kind, OpKind::kConcat);
  EXPECT_EQ(graph.tensor(concat.inputs[0]).name, "bypass");
  EXPECT_EQ(graph.tensor(concat.inputs[1]).name, "layer6");
}

TEST(MixqImport, OrdersLinearWeightsByPixelThenChannel) {
  const auto path = SharedPath("golden/mixq/vggtiny_a.safetensors.xz");
  LICHEN_SKIP_WITHOUT(path);
  const auto file = Safetensors::Read(path);
  const auto model = Import("mixq", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const IntGraph& graph = std::get<IntNet>(*model).graphs[0];
  const IntNode& node = *NodeOf(graph, "layer6");
  ASSERT_EQ(node.kind, OpKind::kLinear);
  // Pool the stored layer 5 of the first picture, then multiply.
  const auto layer5 = file->GetIntegers("layer5/out")->values;
  std::vector<int64_t> pooled;
  for (int64_t c = 0; c < 256; ++c) {
    for (int64_t y = 0; y < 4; ++y) {
      for (int64_t x = 0; x < 4; ++x) {
        const auto at = [&](int64_t dy, int64_t dx) {
          return layer5[(c * 8 + 2 * y + dy) * 8 + 2 * x + dx];
        };
        pooled.push_back(std::max({at(0, 0), at(0, 1), at(1, 0), at(1, 1)}));
      }
    }
  }
  const auto stored = file->GetIntegers("layer6/out")->values;
  for (int64_t oc = 0; oc < 10; ++oc) {
    EXPECT_EQ(ConvAt(graph, node, pooled, {4, 4}, 0, 0, oc), stored[oc]);
  }
}

TEST(UltranetImport, HasTheHeadOfTheStoredOutput) {
  const auto path = SharedPath("weights/ultranet/ultranet_4a4w8lf.qbin");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("ultranet-qbin", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const IntGraph& graph = std::get<IntNet>(*model).graphs[0];
  const auto sizes = InferSizes(graph, {{160, 320}});
  ASSERT_TRUE(sizes.has_value());
  EXPECT_EQ(SizeOf(graph, *sizes, "conv_8"), (Size2{10, 20}));
  const IntNode& first = graph.nodes.front();
  EXPECT_EQ(first.params.weight_bits, 8);
  EXPECT_EQ(first.params.requant.post_shift, 23);
  EXPECT_EQ(graph.nodes[2].params.weight_bits, 4);
  EXPECT_EQ(graph.nodes[2].params.requant.post_shift, 15);
  EXPECT_DOUBLE_EQ(graph.tensor(graph.outputs[0]).scale[0], 1.0 / (127 * 15));
  int64_t macs = 0;
  for (const IntNode& node : graph.nodes) {
    macs += MacCount(graph, node, (*sizes)[node.output.index], (*sizes)[node.inputs[0].index]);
  }
  EXPECT_NEAR(static_cast<double>(macs), 199.5e6, 0.1e6);
}

TEST(UltranetImport, NamesFoundAndExpectedSize) {
  const auto path = TestPath("net_short.qbin");
  ASSERT_TRUE(WriteFile(path, std::string_view("short")).has_value());
  const auto model = Import("ultranet-qbin", path);
  std::filesystem::remove(path);
  ASSERT_FALSE(model.has_value());
  EXPECT_THAT(model.error().message, HasSubstr("has 5 bytes, expected 213696"));
}

TEST(SjtuBypassImport, FoldsToTheIntegersOfItsAuthors) {
  const auto path = SharedPath("weights/ultranet/sjtu_bypass/ultranet_bypass_float.npz");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("sjtu-bypass", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const IntGraph& graph = std::get<IntNet>(*model).graphs[0];
  // The first channels of conv_0 and conv_1 in their hls/param.h, which were folded in single precision.
  const auto expect = [&](const char* name, std::vector<int64_t> multipliers,
                          std::vector<int64_t> biases) {
    const IntNode& node = *NodeOf(graph, name);
    for (size_t c = 0; c < multipliers.size(); ++c) {
      EXPECT_NEAR(node.params.requant.multiplier[c], multipliers[c], 1) << name << " " << c;
      EXPECT_NEAR(node.params.requant.bias[c], biases[c], 150) << name << " " << c;
    }
  };
  expect("conv_0", {0x459, 0x1187, 0x3d7, 0xd8d, 0x808, 0x11e9, 0x1d7a, 0x862},
         {0x5e5b3a, 0x1ac784, 0xa4ef9d, 0xb1dea, 0x2bc5a, 0x573744, 0x23c405, -0x20109});
  expect("conv_1", {0x511, 0x656, 0x694, 0x78c, 0x6ce, 0x503, 0x63f, 0x651},
         {0x801fc, -0x212132, -0x18f0b6, -0xd3f61, 0x3167c, -0x16de26, 0x3036e, 0x10226d});
  const IntNode& first = *NodeOf(graph, "conv_0");
  // Tap by tap, red last: 0xeee 0xdcd ... of channel 0.
  EXPECT_EQ(std::vector<int16_t>(first.params.weights.begin(), first.params.weights.begin() + 6),
            (std::vector<int16_t>{-2, -2, -2, -3, -4, -3}));
  EXPECT_EQ(first.params.requant.post_shift, 19);
  EXPECT_EQ(NodeOf(graph, "conv_7")->params.requant.post_shift, 15);
  EXPECT_EQ(graph.tensor(NodeOf(graph, "conv_7")->inputs[0]).channels, 320);
}

TEST(SjtuBypassImport, NamesTheArrayThatIsBad) {
  const auto path = TestPath("net_empty.npz");
  // A .zip archive without members.
  ASSERT_TRUE(WriteFile(path, std::string_view("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22)));
  const auto model = Import("sjtu-bypass", path);
  std::filesystem::remove(path);
  ASSERT_FALSE(model.has_value());
  EXPECT_THAT(model.error().message, HasSubstr("empty.npz: conv_0: array arr_0 is missing"));
}

TEST(SkynetImport, RefusesFilesOfAnotherSizeAndWideWeights) {
  const auto folder = TestPath("net_skynet");
  const auto error = [&](size_t weight_bytes, char weight, size_t bias_bytes) {
    EXPECT_TRUE(
        WriteFile(folder / "SkyNet.wt", std::string_view(std::string(weight_bytes, weight))));
    EXPECT_TRUE(WriteFile(folder / "SkyNet.bm", std::string_view(std::string(bias_bytes, '\0'))));
    const auto model = Import("skynet-skrskr", folder);
    return model ? "" : model.error().message;
  };
  EXPECT_THAT(error(5, 0, 13696), HasSubstr("SkyNet.wt: has 5 bytes, expected 441344"));
  EXPECT_THAT(error(441344, 0, 13697), HasSubstr("SkyNet.bm: has 13697 bytes, expected 13696"));
  EXPECT_THAT(error(441344, 32, 13696), HasSubstr("conv1: weight 32 has more than 6 bits"));
  EXPECT_EQ(error(441344, -32, 13696), "");
  std::filesystem::remove_all(folder);
}

TEST(SkynetImport, HasTheSizesOfItsGrid) {
  const auto path = SharedPath("weights/ultranet/skynet_w6a8");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("skynet-skrskr", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const IntGraph& graph = std::get<IntNet>(*model).graphs[0];
  const auto sizes = InferSizes(graph, {{160, 320}});
  ASSERT_TRUE(sizes.has_value());
  EXPECT_EQ(SizeOf(graph, *sizes, "conv13"), (Size2{20, 40}));
  EXPECT_EQ(graph.tensor(NodeOf(graph, "conv11")->inputs[0]).channels, 1280);
  // The picture's 128 is 0, so the first layer's bias takes it along: 730 + 128 * 47, times 2055, less a half.
  EXPECT_EQ(NodeOf(graph, "conv1")->params.requant.bias[0], (730 + 128 * 47) * 2055 - 65536);
  EXPECT_THAT(NodeOf(graph, "conv13")->params.requant.multiplier,
              ::testing::ElementsAre(52, 48, 28, 30, 124, 47, 52, 23, 23, 125));
}

}  // namespace
}  // namespace lichen
