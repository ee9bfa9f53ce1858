#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/files.h"
#include "base/test_path.h"
#include "net/check.h"
#include "net/export/difference.h"
#include "net/export/formats.h"
#include "net/export/streamlic_test_file.h"
#include "net/exporter.h"
#include "net/identity.h"
#include "net/import/streamlic.h"
#include "net/import/xlic.h"
#include "net/test_nets.h"
#include "net/test_util.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// A folder of this test's own, removed at its end.
class Export : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = TestPath(::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  bool IsEmpty() const { return !fs::exists(folder_) || fs::is_empty(folder_); }

  fs::path folder_;
};
using StreamlicExport = Export;
using XlicExport = Export;

Result<IntNet> ParseStreamlic(const std::vector<uint8_t>& bytes) {
  LICHEN_TRY(const Safetensors file, Safetensors::Parse(bytes, "small"));
  return StreamlicNet(file);
}

IntNet SmallStreamlicNet(const SmallStreamlic& sizes = {}) {
  auto net = ParseStreamlic(SmallStreamlicFile::Bytes(sizes));
  EXPECT_TRUE(net.has_value()) << net.error().message;
  const auto check = CheckIntNet(*net);
  EXPECT_TRUE(check.has_value()) << check.error().message;
  return std::move(*net);
}

IntNet WithTables(IntNet net) {
  net.tables = {{.name = "latent",
                 .prob_bits = 16,
                 .tables = {{.min_symbol = -2, .frequencies = {1, 65534, 1}},
                            {.min_symbol = 0, .frequencies = {65535, 1}, .has_escape = true}}},
                {.name = "hyper_latent",
                 .prob_bits = 12,
                 .tables = {{.min_symbol = 3, .frequencies = {4096}}}}};
  return net;
}

TEST_F(StreamlicExport, GoldenReturnsTensorByTensor) {
  const auto path = SharedPath("golden/streamlic/streamlic_a.safetensors.xz");
  LICHEN_SKIP_WITHOUT(path);
  const auto golden = Safetensors::Read(path);
  ASSERT_TRUE(golden.has_value()) << golden.error().message;
  const auto model = Import("streamlic", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const auto done = lichen::Export("streamlic", *model, folder_ / "a.safetensors");
  ASSERT_TRUE(done.has_value()) << done.error().message;
  const auto written = Safetensors::Read(folder_ / "a.safetensors");
  ASSERT_TRUE(written.has_value()) << written.error().message;
  int compared = 0;
  for (const auto& [name, entry] : golden->entries()) {
    if (!name.starts_with("param/")) continue;
    const auto it = written->entries().find(name);
    ASSERT_NE(it, written->entries().end()) << name;
    EXPECT_EQ(it->second.dtype, entry.dtype) << name;
    EXPECT_EQ(it->second.shape, entry.shape) << name;
    if (entry.dtype == "F32") {
      EXPECT_EQ(*written->GetFloats(name), *golden->GetFloats(name)) << name;
    } else {
      EXPECT_EQ(written->GetIntegers(name)->values, golden->GetIntegers(name)->values) << name;
    }
    ++compared;
  }
  EXPECT_EQ(static_cast<size_t>(compared) + 1, written->entries().size());  // and final_scale
  EXPECT_NEAR((*written->GetFloats("final_scale"))[0], (*golden->GetFloats("final_scale"))[0],
              2e-6);  // a 16-bit multiplier does not tell more
  const auto again = Import("streamlic", folder_ / "a.safetensors");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(ModelIdentity(std::get<IntNet>(*again)), ModelIdentity(std::get<IntNet>(*model)));
}

TEST_F(StreamlicExport, AnyChannelCountsTablesAndScalesReturn) {
  for (const int64_t latents : {12, 24, 36}) {
    IntNet net = WithTables(SmallStreamlicNet({.channels = {2, 9, 4}, .latents = latents}));
    net.metadata["licence"] = "CC0";
    IntGraph& analysis = net.graphs[0];
    analysis.tensor(analysis.nodes[2].output).scale = {0.3};  // of g_a.1
    const auto bytes = SerializeStreamlic(net);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    const auto again = ParseStreamlic(*bytes);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(ModelIdentity(*again), ModelIdentity(net));
    EXPECT_EQ(again->tables, net.tables);
    EXPECT_EQ(again->metadata, net.metadata);
    EXPECT_EQ(*bytes, *SerializeStreamlic(*again));
  }
}

TEST_F(StreamlicExport, FindsAScaleForEveryFinalRequantiser) {
  for (const double scale : {1.0 / 510, 1.0 / 255, 64.0 / 255, 1.9 / 4096 / 255, 3e-7, 0.7}) {
    const IntNet net = SmallStreamlicNet({.final_scale = scale});
    const auto bytes = SerializeStreamlic(net);
    ASSERT_TRUE(bytes.has_value()) << scale << ": " << bytes.error().message;
  }
}

TEST_F(StreamlicExport, NamesWhatTheFormatCannotCarry) {
  const auto node = [](IntNet& net, std::string_view graph, size_t i) -> IntNode& {
    for (IntGraph& g : net.graphs) {
      if (g.name == graph) return g.nodes[i];
    }
    ADD_FAILURE() << graph;
    return net.graphs[0].nodes[0];
  };
  struct Case {
    std::function<void(IntNet&)> change;
    const char* words;
  };
  const Case cases[] = {
      {[&](IntNet& net) { node(net, "context", 0).params.mask_block = 0; }, "is dense"},
      {[&](IntNet& net) { node(net, "analysis", 1).params.requant.bias = {3}; },
       "graph analysis: layer g_a.0: has one value for all channels"},
      {[&](IntNet& net) { node(net, "analysis", 1).params.requant.post_shift = 5; },
       "graph analysis: layer g_a.0: requant.post_shift is 5, the format has 4"},
      {[&](IntNet& net) { node(net, "analysis", 2).params.table[4000] += 1; },
       "graph analysis: layer g_a.1: table[4000] is"},
      {[&](IntNet& net) { node(net, "synthesis", 11).params.requant.bias = {0}; },
       "layer output: the format states it as one scale"},
      {[&](IntNet& net) {
         net.graphs[5].tensors[1].range = {-1023, 1023};
       },
       "tensor g_s.0.conv: range is [-1023, 1023], the format has [-2047, 2047]"},
      {[&](IntNet& net) {
         net.graphs[0].tensors[2].scale = {1, 2, 3};
       },
       "scale per channel"},
      {[&](IntNet& net) { net.graphs.pop_back(); }, "no graph synthesis"},
      {[&](IntNet& net) { net.coding.index_max = 63; }, "index_max is 63, the format has 127"},
      {[&](IntNet& net) { net = SmallNet(); }, "has no layer g_a.0 (Conv2d)"},
  };
  for (const Case& c : cases) {
    IntNet net = SmallStreamlicNet();
    c.change(net);
    const auto done = ExportStreamlic(Model(std::move(net)), folder_ / "a.safetensors");
    ASSERT_FALSE(done.has_value()) << c.words;
    EXPECT_THAT(done.error().message, HasSubstr(c.words));
    EXPECT_THAT(done.error().message, HasSubstr("cannot be written as streamlic"));
    EXPECT_TRUE(IsEmpty());
  }
}

TEST_F(StreamlicExport, RefusesFloatNetworksAndCompressedNames) {
  const auto of_float = lichen::Export("streamlic", Model(SmallFloatNet()), folder_ / "a");
  ASSERT_FALSE(of_float.has_value());
  EXPECT_THAT(of_float.error().message, HasSubstr("lichen quantize"));
  const auto xz =
      lichen::Export("streamlic", Model(SmallStreamlicNet()), folder_ / "a.safetensors.xz");
  ASSERT_FALSE(xz.has_value());
  EXPECT_EQ(xz.error().kind, Error::Kind::kUsage);
  EXPECT_TRUE(IsEmpty());
}

TEST_F(StreamlicExport, ImporterRefusesDamagedTables) {
  using Type = SafetensorsWriter::Type;
  struct Case {
    const char* tensor;
    std::vector<int64_t> values;
    const char* words;
  };
  const Case cases[] = {
      {"prob_bits", {32}, "prob_bits holds 32"},
      {"count", {2, 0}, "count holds 0"},
      {"count", {2, int64_t{1} << 40}, "count holds"},
      {"count", {2, 3}, "frequencies is 4, expected 5"},
      {"min_symbol", {0}, "min_symbol is 1, expected 2"},
      {"has_escape", {0, 2}, "has_escape holds 2"},
      {"frequencies", {1, 2, -1, 4}, "frequencies holds -1"},
      {"", {}, "frequencies is missing"},
  };
  for (const Case& c : cases) {
    SafetensorsWriter file;
    const auto add = [&](const std::string& name, std::vector<int64_t> values) {
      if (name == c.tensor) values = c.values;
      if (*c.tensor == 0 && name == "frequencies") return;
      file.AddIntegers("table/latent/" + name, Type::kI32, {std::ssize(values)}, values);
    };
    add("position", {0});
    add("prob_bits", {12});
    add("count", {2, 2});
    add("min_symbol", {0, 0});
    add("has_escape", {0, 1});
    add("frequencies", {1, 4095, 1, 4095});
    const auto parsed = Safetensors::Parse(std::move(file).Finish({}), "small");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const auto tables = StreamlicTables(*parsed);
    ASSERT_FALSE(tables.has_value()) << c.words;
    EXPECT_THAT(tables.error().message, HasSubstr(c.words));
  }
}

// Pseudo-random floats of the lengths that the sizes call for.
XlicValues RandomXlic(const XlicSizes& sizes) {
  const auto c = static_cast<size_t>(sizes.channels),
             m = static_cast<size_t>(sizes.latent_channels);
  const size_t weights = 243 * c + 27 * c * c + 25 * c * m;
  const size_t lengths[] = {weights, 4 * c, weights, 4 * c + 3};
  XlicValues values;
  uint32_t state = 1;
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t k = 0; k < lengths[i]; ++k) {
      state = state * 1664525 + 1013904223;
      values[i].push_back(static_cast<float>(state >> 8) * 0x1p-24f);
    }
  }
  return values;
}

TEST_F(XlicExport, WritesThePublishedBytesAgain) {
  const auto path = SharedPath("weights/xlic");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("xlic", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(std::get<FloatNet>(*model).metadata.at("licence"), "MIT");
  const auto done = lichen::Export("xlic", *model, folder_);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  for (const char* file : kXlicFiles) EXPECT_EQ(*ReadFile(folder_ / file), *ReadFile(path / file));
}

TEST_F(XlicExport, AnyChannelCountsReturn) {
  for (const XlicSizes sizes : {XlicSizes{1, 1}, {4, 7}, {7, 4}}) {
    const FloatNet net = XlicNet(RandomXlic(sizes), sizes);
    const auto done = lichen::Export("xlic", Model(net), folder_);
    ASSERT_TRUE(done.has_value()) << done.error().message;
    const auto again = Import("xlic", folder_);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    const FloatNet& read = std::get<FloatNet>(*again);
    EXPECT_EQ(FirstDifference(net, read), std::nullopt);
    EXPECT_EQ(read.graphs[1].tensors[0].channels, sizes.latent_channels);
    EXPECT_EQ(read.metadata.count("licence"), 0u);
  }
}

TEST_F(XlicExport, ABiasOfTheLatentsMustBeZero) {
  const XlicSizes sizes{3, 2};
  FloatNet net = XlicNet(RandomXlic(sizes), sizes);
  std::vector<float>& bias = net.graphs[0].nodes.back().params.bias;
  bias = {0, -0.0f};
  const auto zero = lichen::Export("xlic", Model(net), folder_);
  EXPECT_TRUE(zero.has_value()) << zero.error().message;
  fs::remove_all(folder_);
  bias = {0, 1};
  const auto done = lichen::Export("xlic", Model(net), folder_);
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, HasSubstr("`latent_bias = false`"));
  EXPECT_TRUE(IsEmpty());
}

TEST_F(XlicExport, NamesWhatTheFormatCannotCarry) {
  const XlicSizes sizes{3, 2};
  struct Case {
    std::function<void(FloatNet&)> change;
    const char* words;
  };
  const Case cases[] = {
      {[](FloatNet& net) { net.graphs[0].nodes[0].geometry.stride_h = 2; },
       "layer ana_0: has another kernel, stride or padding"},
      {[](FloatNet& net) { net.graphs[1].nodes[0].params.weights.pop_back(); },
       "layer syn_0 has 149 weights, expected 3 x 5 x 5 x 2"},
      {[](FloatNet& net) { net.size_multiple = 16; }, "size_multiple is 16, the format has 1"},
      {[](FloatNet& net) { net = SmallFloatNet(); }, "its graphs are not analysis and synthesis"},
      {[](FloatNet& net) { net.graphs[0].nodes[1].kind = OpKind::kIgdn; },
       "layer gdn_0: is Igdn, the format has Gdn"},
  };
  for (const Case& c : cases) {
    FloatNet net = XlicNet(RandomXlic(sizes), sizes);
    c.change(net);
    const auto done = ExportXlic(Model(std::move(net)), folder_);
    ASSERT_FALSE(done.has_value()) << c.words;
    EXPECT_THAT(done.error().message, HasSubstr(c.words));
    EXPECT_TRUE(IsEmpty());
  }
  const auto of_ints = lichen::Export("xlic", Model(SmallNet()), folder_);
  ASSERT_FALSE(of_ints.has_value());
  EXPECT_THAT(of_ints.error().message, HasSubstr("integer network"));
}

// A folder where one of the four names is taken by a folder: none of the others appears.
TEST_F(XlicExport, LeavesNothingWhereOneFileFails) {
  const XlicSizes sizes{3, 2};
  fs::create_directories(folder_ / "syn_b.bin" / "full");
  const auto done = lichen::Export("xlic", Model(XlicNet(RandomXlic(sizes), sizes)), folder_);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(XlicExport, ImporterNamesTheFileOfAWrongSize) {
  const XlicSizes sizes{3, 2};
  struct Case {
    size_t file;
    size_t count;
    const char* words;
  };
  const Case cases[] = {{0, 1, "ana_w.bin: has 4 bytes"},
                        {1, 0, "ana_b.bin: has 0 bytes"},
                        {1, 5, "ana_b.bin: has 20 bytes"},
                        {2, 7, "syn_w.bin: has 28 bytes, expected 4488"},
                        {3, 14, "syn_b.bin: has 56 bytes, expected 60"}};
  for (const Case& c : cases) {
    XlicValues values = RandomXlic(sizes);
    values[c.file].resize(c.count);
    const auto read = XlicSizesOf(values);
    ASSERT_FALSE(read.has_value()) << c.words;
    EXPECT_THAT(read.error().message, HasSubstr(c.words));
  }
}

TEST_F(Export, ListsKnownFormatsWhenTheFormatIsUnknown) {
  const auto done = lichen::Export("onnx", Model(SmallNet()), folder_ / "x");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().kind, Error::Kind::kUsage);
  for (const ExportFormat& format : ExportFormats()) {
    EXPECT_THAT(done.error().message, HasSubstr(std::string(format.name)));
  }
}

}  // namespace
}  // namespace lichen
