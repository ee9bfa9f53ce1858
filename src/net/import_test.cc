#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <numeric>

#include "base/files.h"
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
  const auto path = std::filesystem::temp_directory_path() / "lichen_net_test_short.qbin";
  ASSERT_TRUE(WriteFile(path, std::string_view("short")).has_value());
  const auto model = Import("ultranet-qbin", path);
  std::filesystem::remove(path);
  ASSERT_FALSE(model.has_value());
  EXPECT_THAT(model.error().message, HasSubstr("has 5 bytes, expected 213696"));
}

}  // namespace
}  // namespace lichen
