#include "net/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "net/test_nets.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;

struct Mutation {
  const char* name;
  std::function<void(IntNet&)> apply;
  const char* message;
};

IntNode& NodeOf(IntNet& net, std::string_view output) {
  for (IntGraph& graph : net.graphs) {
    for (IntNode& node : graph.nodes) {
      if (graph.tensor(node.output).name == output) return node;
    }
  }
  std::abort();
}

TensorInfo& TensorOf(IntNet& net, std::string_view name) {
  for (IntGraph& graph : net.graphs) {
    for (TensorInfo& tensor : graph.tensors) {
      if (tensor.name == name) return tensor;
    }
  }
  std::abort();
}

std::vector<Mutation> StructureMutations() {
  return {
      {"no graphs", [](IntNet& n) { n.graphs.clear(); }, "0 graphs"},
      {"unknown graph", [](IntNet& n) { n.graphs[0].name = "anolysis"; }, "anolysis"},
      {"graph twice", [](IntNet& n) { n.graphs[1].name = "analysis"; }, "two graphs"},
      {"empty name", [](IntNet& n) { n.graphs[0].tensors[1].name = ""; }, "letters"},
      {"path as name", [](IntNet& n) { n.graphs[0].tensors[1].name = "../x"; }, "letters"},
      {"dots as name", [](IntNet& n) { n.graphs[0].tensors[1].name = ".."; }, "letters"},
      {"name twice", [](IntNet& n) { n.graphs[0].tensors[1].name = "conv"; }, "two tensors"},
      {"name in two graphs", [](IntNet& n) { TensorOf(n, "up").name = "conv"; }, "both write"},
      {"no channels", [](IntNet& n) { TensorOf(n, "conv").channels = 0; }, "0 channels"},
      {"too many channels", [](IntNet& n) { TensorOf(n, "conv").channels = 65537; }, "65537"},
      {"scale count",
       [](IntNet& n) {
         TensorOf(n, "conv").scale = {1, 1};
       },
       "2 scales"},
      {"scale 0", [](IntNet& n) { TensorOf(n, "conv").scale = {0}; }, "positive"},
      {"scale nan", [](IntNet& n) { TensorOf(n, "conv").scale = {std::nan("")}; }, "positive"},
      {"no inputs", [](IntNet& n) { n.graphs[0].inputs.clear(); }, "no input"},
      {"no outputs", [](IntNet& n) { n.graphs[0].outputs.clear(); }, "no output"},
      {"graph input id", [](IntNet& n) { n.graphs[0].inputs = {{99}}; }, "input 99"},
      {"graph output id", [](IntNet& n) { n.graphs[0].outputs = {{-1}}; }, "output -1"},
      {"output twice",
       [](IntNet& n) {
         n.graphs[0].outputs = {{1}, {1}};
       },
       "twice"},
      {"node input id", [](IntNet& n) { NodeOf(n, "conv").inputs = {{-1}}; }, "input -1"},
      {"node output id", [](IntNet& n) { NodeOf(n, "conv").output = {1000}; }, "output 1000"},
      {"order", [](IntNet& n) { std::swap(n.graphs[0].nodes[0], n.graphs[0].nodes[1]); },
       "earlier"},
      {"two writers", [](IntNet& n) { NodeOf(n, "leaky").output = {1}; }, "written twice"},
      {"unwritten", [](IntNet& n) { n.graphs[0].tensors.push_back({.name = "q", .channels = 1}); },
       "never written"},
      {"unknown op", [](IntNet& n) { NodeOf(n, "conv").kind = static_cast<OpKind>(15); },
       "unknown"},
      {"input count", [](IntNet& n) { NodeOf(n, "sum").inputs.pop_back(); }, "takes 2"},
      {"link channels",
       [](IntNet& n) {
         n.graphs[2].tensors[0] = {.name = "y", .channels = 2, .range = {-16, 15}};
       },
       "2 channels, but 4"},
      {"link range",
       [](IntNet& n) {
         n.graphs[1].tensors[0].range = {-15, 15};
       },
       "its range"},
  };
}

std::vector<Mutation> GeometryMutations() {
  return {
      {"kernel 0", [](IntNet& n) { NodeOf(n, "conv").geometry.kernel_h = 0; }, "kernel"},
      {"stride 0", [](IntNet& n) { NodeOf(n, "conv").geometry.stride_w = 0; }, "kernel"},
      {"divisor 0", [](IntNet& n) { NodeOf(n, "up").geometry.output_divisor = 0; }, "divisor"},
      {"pad_top", [](IntNet& n) { NodeOf(n, "conv").geometry.pad_top = -1; }, "pad_top"},
      {"pad_bottom", [](IntNet& n) { NodeOf(n, "conv").geometry.pad_bottom = 1 << 20; }, "pad"},
      {"groups 0", [](IntNet& n) { NodeOf(n, "conv").geometry.groups = 0; }, "groups"},
      {"groups 2 of 3", [](IntNet& n) { NodeOf(n, "conv").geometry.groups = 2; }, "groups"},
      {"block", [](IntNet& n) { NodeOf(n, "blocks").geometry.block = 0; }, "block"},
      {"block channels", [](IntNet& n) { NodeOf(n, "blocks").geometry.block = 4; }, "blocks"},
      {"crop", [](IntNet& n) { NodeOf(n, "shuffled").geometry.crop = -1; }, "crop"},
      {"unused field", [](IntNet& n) { NodeOf(n, "leaky").geometry.kernel_h = 3; }, "not use"},
      {"concat", [](IntNet& n) { NodeOf(n, "joined").inputs.pop_back(); }, "8 channels"},
      {"add channels", [](IntNet& n) { NodeOf(n, "sum").inputs[1] = {1}; }, "channels"},
      {"huge kernel",
       [](IntNet& n) {
         NodeOf(n, "conv").geometry.kernel_h = NodeOf(n, "conv").geometry.kernel_w = 65535;
       },
       "it needs"},
  };
}

std::vector<Mutation> ParameterMutations() {
  return {
      {"weights", [](IntNet& n) { NodeOf(n, "conv").params.weights.pop_back(); }, "107 weights"},
      {"weights unused", [](IntNet& n) { NodeOf(n, "leaky").params.weights = {1}; }, "1 weights"},
      {"weight_bits", [](IntNet& n) { NodeOf(n, "conv").params.weight_bits = 3; }, "weight_bits"},
      {"weight_bits 17", [](IntNet& n) { NodeOf(n, "conv").params.weight_bits = 17; }, "16"},
      {"multipliers",
       [](IntNet& n) {
         NodeOf(n, "conv").params.requant.multiplier = {1, 2};
       },
       "2 multipliers"},
      {"no bias", [](IntNet& n) { NodeOf(n, "conv").params.requant.bias = {}; }, "0 biases"},
      {"pre_shift", [](IntNet& n) { NodeOf(n, "conv").params.requant.pre_shift = {64}; },
       "pre_shift"},
      {"post_shift", [](IntNet& n) { NodeOf(n, "conv").params.requant.post_shift = 64; },
       "post_shift"},
      {"product", [](IntNet& n) { NodeOf(n, "conv").params.requant.multiplier = {1ll << 55}; },
       "multiplier| can reach 2^62"},
      {"product min",
       [](IntNet& n) {
         NodeOf(n, "conv").params.requant.multiplier = {std::numeric_limits<int64_t>::min()};
       },
       "2^62"},
      {"sum", [](IntNet& n) { NodeOf(n, "conv").params.requant.bias = {(1ll << 62) - 10}; },
       "2^62"},
      {"bias min",
       [](IntNet& n) {
         NodeOf(n, "conv").params.requant.bias = {std::numeric_limits<int64_t>::min()};
       },
       "2^62"},
      {"half", [](IntNet& n) { NodeOf(n, "conv").params.requant.post_shift = 63; }, "half"},
      {"requant node", [](IntNet& n) { NodeOf(n, "x").params.requant.multiplier = {1ll << 55}; },
       "2^62"},
      {"range order",
       [](IntNet& n) {
         TensorOf(n, "conv").range = {1, 0};
       },
       "empty"},
      {"range bits", [](IntNet& n) { TensorOf(n, "conv").range.max = 1ll << 31; }, "32 bits"},
      {"operand bits", [](IntNet& n) { TensorOf(n, "conv").range.max = 32768; }, "16 signed"},
      {"unused requant", [](IntNet& n) { NodeOf(n, "pool").params.requant = Shift(1); }, "requant"},
      {"unused slope", [](IntNet& n) { NodeOf(n, "conv").params.slope_shift = 1; }, "slope"},
      {"unused table", [](IntNet& n) { NodeOf(n, "conv").params.table = {1}; }, "table"},
      {"unused inner",
       [](IntNet& n) {
         NodeOf(n, "conv").params.inner_range = {0, 1};
       },
       "inner"},
      {"unused gain",
       [](IntNet& n) {
         NodeOf(n, "gdn").params.gain_range = {0, 1};
       },
       "gain"},
      {"unused mask", [](IntNet& n) { NodeOf(n, "up").params.mask_block = 1; }, "mask"},
      {"mask weights", [](IntNet& n) { NodeOf(n, "sparse").params.weights[2] = 1; },
       "masked block"},
      {"mask size", [](IntNet& n) { NodeOf(n, "sparse").params.mask.pop_back(); }, "3 blocks"},
      {"mask value", [](IntNet& n) { NodeOf(n, "sparse").params.mask[0] = 2; }, "neither"},
      {"mask block", [](IntNet& n) { NodeOf(n, "sparse").params.mask_block = 3; }, "mask_block"},
      {"mask negative", [](IntNet& n) { NodeOf(n, "sparse").params.mask_block = -2; },
       "mask_block"},
      {"mask missing", [](IntNet& n) { NodeOf(n, "sparse").params.mask = {}; }, "0 blocks"},
      {"slope", [](IntNet& n) { NodeOf(n, "leaky").params.slope_shift = 32; }, "slope_shift"},
      {"slope negative", [](IntNet& n) { NodeOf(n, "leaky").params.slope_shift = -1; }, "slope"},
  };
}

std::vector<Mutation> OperatorMutations() {
  return {
      {"norm 0", [](IntNet& n) { NodeOf(n, "gdn").params.inner_range.min = 0; }, "[1, 2^24]"},
      {"norm max", [](IntNet& n) { NodeOf(n, "gdn").params.inner_range.max = (1 << 24) + 1; },
       "2^24"},
      {"norm igdn", [](IntNet& n) { NodeOf(n, "igdn").params.inner_range.max = 1 << 25; }, "2^24"},
      {"gdn multiplier",
       [](IntNet& n) { NodeOf(n, "gdn").params.output_requant.multiplier = {1ll << 40}; }, "2^47"},
      {"gdn multipliers",
       [](IntNet& n) {
         NodeOf(n, "gdn").params.output_requant.multiplier = {1, 2};
       },
       "2 multipliers"},
      {"gdn shift", [](IntNet& n) { NodeOf(n, "gdn").params.output_requant.post_shift = 1; },
       "multipliers only"},
      {"igdn product",
       [](IntNet& n) { NodeOf(n, "igdn").params.output_requant.multiplier = {1ll << 50}; },
       "output_requant"},
      {"lagc table", [](IntNet& n) { NodeOf(n, "lagc").params.table.pop_back(); },
       "does not cover"},
      {"lagc first", [](IntNet& n) { NodeOf(n, "lagc").params.table_first = -7; }, "cover"},
      {"lagc gain",
       [](IntNet& n) { NodeOf(n, "lagc").params.gain_requant.multiplier = {1ll << 60}; },
       "gain_requant"},
      {"lagc range",
       [](IntNet& n) {
         NodeOf(n, "lagc").params.gain_range = {1, 0};
       },
       "gain_range"},
      {"lagc output",
       [](IntNet& n) { NodeOf(n, "lagc").params.output_requant.multiplier = {1ll << 50}; },
       "output_requant"},
      {"lut table", [](IntNet& n) { NodeOf(n, "lut").params.table.pop_back(); }, "cover"},
      {"lut empty", [](IntNet& n) { NodeOf(n, "lut").params.table = {}; }, "cover"},
      {"lut first min",
       [](IntNet& n) { NodeOf(n, "lut").params.table_first = std::numeric_limits<int64_t>::min(); },
       "cover"},
      {"lut values", [](IntNet& n) { NodeOf(n, "lut").params.table[0] = 1000; }, "outside"},
      {"pool range",
       [](IntNet& n) {
         TensorOf(n, "pool").range = {-128, 126};
       },
       "outside"},
      {"concat range",
       [](IntNet& n) {
         TensorOf(n, "joined").range = {-1, 127};
       },
       "outside"},
      {"shuffle range",
       [](IntNet& n) {
         TensorOf(n, "shuffled").range = {0, 127};
       },
       "outside"},
      {"blocks range",
       [](IntNet& n) {
         TensorOf(n, "blocks").range = {0, 127};
       },
       "outside"},
      {"leaky range",
       [](IntNet& n) {
         TensorOf(n, "leaky").range = {-15, 127};
       },
       "outside"},
      {"tables twice", [](IntNet& n) { n.tables.push_back(n.tables[0]); }, "twice"},
      {"prob_bits", [](IntNet& n) { n.tables[0].prob_bits = 17; }, "prob_bits"},
      {"frequencies", [](IntNet& n) { ++n.tables[0].tables[0].frequencies[0]; }, "sum to 4097"},
      {"no symbols", [](IntNet& n) { n.tables[0].tables[0].frequencies = {}; }, "0 symbols"},
      {"no tables", [](IntNet& n) { n.tables[0].tables = {}; }, "0 tables"},
      {"escape",
       [](IntNet& n) {
         n.tables[0].tables[1].frequencies = {4096, 0};
       },
       "escape"},
      {"latent_shift", [](IntNet& n) { n.coding.latent_shift = 17; }, "latent_shift"},
      {"symbols",
       [](IntNet& n) {
         n.coding.symbol_range = {1, 0};
       },
       "symbol_range"},
      {"index_max", [](IntNet& n) { n.coding.index_max = -1; }, "index_max"},
      {"size_multiple", [](IntNet& n) { n.coding.size_multiple = 0; }, "size_multiple"},
  };
}

class CheckIntNetTest : public ::testing::Test {
 protected:
  static void ExpectRejected(const std::vector<Mutation>& mutations) {
    for (const Mutation& mutation : mutations) {
      IntNet net = SmallNet();
      mutation.apply(net);
      const auto result = CheckIntNet(net);
      ASSERT_FALSE(result.has_value()) << mutation.name;
      EXPECT_THAT(result.error().message, HasSubstr(mutation.message)) << mutation.name;
    }
  }
};

TEST_F(CheckIntNetTest, AcceptsTheSmallNet) {
  const auto proofs = CheckIntNet(SmallNet());
  ASSERT_TRUE(proofs.has_value()) << proofs.error().message;
  EXPECT_EQ(proofs->size(), 7u);  // conv gdn sparse lagc up igdn scores
}

TEST_F(CheckIntNetTest, RejectsBrokenStructure) { ExpectRejected(StructureMutations()); }
TEST_F(CheckIntNetTest, RejectsBrokenGeometry) { ExpectRejected(GeometryMutations()); }
TEST_F(CheckIntNetTest, RejectsBrokenParameters) { ExpectRejected(ParameterMutations()); }
TEST_F(CheckIntNetTest, RejectsBrokenOperators) { ExpectRejected(OperatorMutations()); }

TEST_F(CheckIntNetTest, NamesGraphAndNode) {
  IntNet net = SmallNet();
  NodeOf(net, "up").params.weights.pop_back();
  EXPECT_THAT(CheckIntNet(net).error().message,
              HasSubstr("graph synthesis, node up (ConvTranspose2d)"));
}

TEST(CheckFloatNetTest, RejectsBrokenNets) {
  ASSERT_TRUE(CheckFloatNet(SmallFloatNet()).has_value());
  struct Case {
    std::function<void(FloatNet&)> apply;
    const char* message;
  };
  const std::vector<Case> cases = {
      {[](FloatNet& n) { n.graphs[0].nodes[0].params.weights.pop_back(); }, "3 weights"},
      {[](FloatNet& n) { n.graphs[0].nodes[0].params.weights[0] = std::nanf(""); }, "not a number"},
      {[](FloatNet& n) { n.graphs[0].nodes[0].params.bias = {1}; }, "1 biases"},
      {[](FloatNet& n) { n.graphs[0].nodes[1].params.bias = {}; }, "0 biases"},
      {[](FloatNet& n) { n.graphs[0].nodes[0].params.gain = {1}; }, "1 gains"},
      {[](FloatNet& n) { n.graphs[0].nodes[0].params.table = {1}; }, "table"},
      {[](FloatNet& n) { n.graphs[0].nodes[0].params.slope = 1; }, "slope"},
      {[](FloatNet& n) { n.graphs[0].nodes[1].inputs = {{3}}; }, "earlier"},
      {[](FloatNet& n) { n.size_multiple = 0; }, "size_multiple"},
  };
  for (const Case& test : cases) {
    FloatNet net = SmallFloatNet();
    test.apply(net);
    const auto result = CheckFloatNet(net);
    ASSERT_FALSE(result.has_value()) << test.message;
    EXPECT_THAT(result.error().message, HasSubstr(test.message));
  }
}

}  // namespace
}  // namespace lichen
