#include "net/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "base/files.h"
#include "base/hash.h"
#include "base/tensor.h"
#include "base/test_path.h"
#include "net/check.h"
#include "net/identity.h"
#include "net/json.h"
#include "net/model_payload.h"
#include "net/test_nets.h"
#include "net/test_util.h"
#include "net/text.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> Serialized(const Model& model) {
  auto bytes = SerializeModel(model);
  EXPECT_TRUE(bytes.has_value()) << bytes.error().message;
  return bytes ? *bytes : std::vector<uint8_t>{};
}

TEST(ModelFile, KeepsAnIntNet) {
  const IntNet net = SmallNet();
  const auto bytes = Serialized(net);
  const auto loaded = ParseModel(bytes);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  const IntNet& copy = std::get<IntNet>(*loaded);
  EXPECT_EQ(ModelIdentity(copy), ModelIdentity(net));
  EXPECT_EQ(copy.metadata, net.metadata);
  EXPECT_EQ(copy.coding, net.coding);
  EXPECT_EQ(copy.graphs[0].nodes[3].params.mask, net.graphs[0].nodes[3].params.mask);
  EXPECT_EQ(copy.graphs[0].nodes[3].params.weights, net.graphs[0].nodes[3].params.weights);
  EXPECT_EQ(Serialized(*loaded), bytes);
}

TEST(ModelFile, KeepsWeightsOfEveryWidth) {
  for (const int bits : {8, 9, 12, 13, 16}) {
    for (const int16_t low : {int16_t{-1}, static_cast<int16_t>(-(1 << (bits - 1)))}) {
      IntNet net = SmallNet();
      IntParams& p = net.graphs[0].nodes[1].params;
      ASSERT_GE(p.weights.size(), 2U);
      p.weights[0] = low;
      p.weights[1] = static_cast<int16_t>((1 << (bits - 1)) - 1);
      p.weight_bits = 16;
      const auto packed = PackModel(net);
      AlignedArray<uint8_t> payload(packed.size());
      std::copy(packed.begin(), packed.end(), &payload[0]);
      const auto loaded = UnpackModel({&payload[0], payload.size()}, Threads(2));
      ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
      EXPECT_EQ(std::get<IntNet>(*loaded).graphs[0].nodes[1].params.weights, p.weights) << bits;
    }
  }
}

TEST(ModelFile, KeepsAFloatNet) {
  const FloatNet net = SmallFloatNet();
  const auto bytes = Serialized(net);
  const auto loaded = ParseModel(bytes);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  const FloatNet& copy = std::get<FloatNet>(*loaded);
  for (size_t i = 0; i < net.graphs[0].nodes.size(); ++i) {
    EXPECT_EQ(copy.graphs[0].nodes[i].params.weights, net.graphs[0].nodes[i].params.weights);
    EXPECT_EQ(copy.graphs[0].nodes[i].params.bias, net.graphs[0].nodes[i].params.bias);
    EXPECT_EQ(copy.graphs[0].nodes[i].params.slope, net.graphs[0].nodes[i].params.slope);
  }
  EXPECT_EQ(Serialized(*loaded), bytes);
}

TEST(ModelFile, KeepsImportedNets) {
  const auto path = SharedPath("golden/streamlic/streamlic_a.safetensors.xz");
  LICHEN_SKIP_WITHOUT(path);
  const auto model = Import("streamlic", path);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const auto file = TestPath("net.lichen");
  ASSERT_TRUE(SaveModel(file, *model).has_value());
  const auto loaded = LoadModel(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(ModelIdentity(std::get<IntNet>(*loaded)), ModelIdentity(std::get<IntNet>(*model)));
}

TEST(ModelFile, RefusesToSaveABrokenNet) {
  IntNet net = SmallNet();
  net.graphs[0].nodes[1].params.weights.pop_back();
  EXPECT_FALSE(SerializeModel(net).has_value());
}

TEST(ModelFile, DetectsEveryTruncation) {
  const auto bytes = Serialized(SmallNet());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto model = ParseModel(std::span(bytes).first(size));
    ASSERT_FALSE(model.has_value()) << size;
    EXPECT_THAT(model.error().message, HasSubstr("byte")) << size;
  }
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(ParseModel(longer).has_value());
}

TEST(ModelFile, DetectsEveryFlippedByte) {
  auto bytes = Serialized(SmallNet());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (uint8_t flip : {0x01, 0x80, 0xFF}) {
      bytes[i] ^= flip;
      const auto model = ParseModel(bytes);
      ASSERT_FALSE(model.has_value()) << i;
      EXPECT_THAT(model.error().message, HasSubstr("byte")) << i;
      bytes[i] ^= flip;
    }
  }
  EXPECT_TRUE(ParseModel(bytes).has_value());
}

TEST(ModelFile, NamesTheFile) {
  const auto file = TestPath("net_bad.lichen");
  ASSERT_TRUE(WriteFile(file, std::string_view("no model")).has_value());
  const auto model = LoadModel(file);
  std::filesystem::remove(file);
  ASSERT_FALSE(model.has_value());
  EXPECT_THAT(model.error().message, HasSubstr("net_bad.lichen"));
}

// Behind the checksum: a payload that someone made on purpose.
TEST(UnpackModel, NeverCrashesOnAlteredPayloads) {
  const uint32_t seed = std::random_device{}();
  std::mt19937 random(seed);
  const std::vector<uint8_t> payload = PackModel(SmallNet());
  AlignedArray<uint8_t> altered(payload.size());
  std::uniform_int_distribution<size_t> place(0, payload.size() - 1);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::copy(payload.begin(), payload.end(), altered.begin());
    for (int i = 0; i <= round % 4; ++i) altered[place(random)] = static_cast<uint8_t>(random());
    const auto model = UnpackModel(altered.span(), Threads(1));
    if (!model) continue;
    if (const auto* net = std::get_if<IntNet>(&*model)) accepted += CheckIntNet(*net).has_value();
  }
  EXPECT_GT(accepted, 0) << "seed " << seed;  // e.g. an altered weight or name
  std::copy(payload.begin(), payload.end(), altered.begin());
  EXPECT_TRUE(UnpackModel(altered.span(), Threads(1)).has_value());
  for (size_t size = 0; size < payload.size() / 2; ++size) {
    EXPECT_FALSE(UnpackModel(altered.span().first(size), Threads(1)).has_value()) << size;
  }
}

TEST(ModelIdentity, ChangesWithEverythingThatDecidesBits) {
  const std::vector<std::function<void(IntNet&)>> changes = {
      [](IntNet& n) { n.graphs[0].nodes[1].params.weights[5] ^= 1; },
      [](IntNet& n) { n.graphs[0].nodes[1].params.weight_bits = 5; },
      [](IntNet& n) { n.graphs[0].nodes[1].params.requant.multiplier = {2}; },
      [](IntNet& n) { n.graphs[0].nodes[1].params.requant.pre_shift = {2}; },
      [](IntNet& n) { n.graphs[0].nodes[1].params.requant.bias = {2}; },
      [](IntNet& n) { n.graphs[0].nodes[1].params.requant.post_shift = 3; },
      [](IntNet& n) { n.graphs[0].nodes[1].geometry.pad_bottom = 2; },
      [](IntNet& n) { n.graphs[0].nodes[2].params.inner_range.max = 99; },
      [](IntNet& n) { n.graphs[0].nodes[2].params.output_requant.multiplier[1] = 9; },
      [](IntNet& n) { n.graphs[0].nodes[3].params.mask[1] = 1; },
      [](IntNet& n) { n.graphs[0].nodes[4].params.table[3] += 1; },
      [](IntNet& n) { n.graphs[0].nodes[4].params.table_first = -9; },
      [](IntNet& n) { n.graphs[0].nodes[4].params.gain_requant.bias = {1}; },
      [](IntNet& n) { n.graphs[0].nodes[4].params.gain_range.max = 99; },
      [](IntNet& n) { n.graphs[0].nodes[5].params.slope_shift = 4; },
      [](IntNet& n) { n.graphs[0].tensors[2].range.max = 100; },
      [](IntNet& n) { n.graphs[0].tensors[2].scale = {0.5}; },
      [](IntNet& n) { n.graphs[0].tensors[2].name = "cOnv"; },
      [](IntNet& n) { n.graphs[0].outputs = {{2}}; },
      [](IntNet& n) { std::swap(n.graphs[0], n.graphs[1]); },
      [](IntNet& n) {
        n.tables[0].tables[0].frequencies = {1001, 1999, 1096};
      },
      [](IntNet& n) { n.tables[0].tables[0].min_symbol = 0; },
      [](IntNet& n) { n.tables[0].tables[1].has_escape = false; },
      [](IntNet& n) { n.tables[0].prob_bits = 13; },
      [](IntNet& n) { n.tables[0].name = "hyper_latent"; },
      [](IntNet& n) { n.coding.latent_shift = 2; },
      [](IntNet& n) { n.coding.symbol_range.max = 8; },
      [](IntNet& n) { n.coding.index_max = 0; },
      [](IntNet& n) { n.coding.size_multiple = 4; },
  };
  std::vector<Sha256Digest> seen = {ModelIdentity(SmallNet())};
  for (size_t i = 0; i < changes.size(); ++i) {
    IntNet net = SmallNet();
    changes[i](net);
    const Sha256Digest identity = ModelIdentity(net);
    EXPECT_EQ(std::find(seen.begin(), seen.end(), identity), seen.end()) << i;
    seen.push_back(identity);
  }
}

TEST(ModelIdentity, DoesNotDependOnMetadata) {
  IntNet net = SmallNet();
  net.metadata["licence"] = "other";
  EXPECT_EQ(ModelIdentity(net), ModelIdentity(SmallNet()));
}

// Pins the documented walk: a change breaks every bitstream that names a model.
TEST(ModelIdentity, OfTheEmptyNetIsTheHashOfTheDocumentedBytes) {
  std::vector<uint8_t> bytes;
  const auto number = [&](int64_t value) {
    for (int i = 0; i < 8; ++i)
      bytes.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
  };
  number(12);
  for (char c : std::string("lichen-net-1")) bytes.push_back(static_cast<uint8_t>(c));
  number(0);
  number(0);
  for (int64_t value : {0, -32768, 32767, 0, 1}) number(value);
  Sha256 hash;
  hash.Update(bytes);
  EXPECT_EQ(ModelIdentity(IntNet{}), hash.Finish());
}

TEST(Text, HasALinePerNodeWithSizesAndProof) {
  IntNet net = SmallNet();
  net.graphs.pop_back();  // `main` takes one size only
  const auto text = ToText(net, {16, 24});
  ASSERT_TRUE(text.has_value()) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("conv 4ch 16x24 [-128, 127]  = Conv2d(x) k3 p1"));
  EXPECT_THAT(*text, HasSubstr("2 of 4 blocks 2x2 on"));
  EXPECT_THAT(*text, HasSubstr("metadata note = small"));
  EXPECT_TRUE(ToText(SmallFloatNet()).has_value());
  EXPECT_THAT(ToText(SmallNet(), {16, 24}).error().message, HasSubstr("scores"));
}

TEST(Json, DescribesGraphsAndSurvivesBrokenText) {
  IntNet net = SmallNet();
  net.metadata["broken"] = "\xff\xfe";
  const auto json = ToJson(net);
  ASSERT_TRUE(json.has_value()) << json.error().message;
  EXPECT_EQ((*json)["graphs"][0]["nodes"][1]["kind"], "Conv2d");
  EXPECT_EQ((*json)["graphs"][0]["nodes"][1]["proof"]["products"], 27);
  EXPECT_EQ((*json)["identity"], ToHex(ModelIdentity(net)));
  EXPECT_NO_THROW(json->dump());
  EXPECT_TRUE(ToJson(SmallFloatNet(), {8, 8}).has_value());
}

}  // namespace
}  // namespace lichen
