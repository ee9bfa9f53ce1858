#include "engine/engine.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/reference.h"
#include "kernels/cpu_target.h"
#include "net/check.h"
#include "net/shapes.h"

namespace lichen {
namespace {

// Random graphs of every operator, small enough for the reference kernels.
class GraphMaker {
 public:
  explicit GraphMaker(uint32_t seed) : rng_(seed) {}

  IntGraph Make() {
    graph_ = {};
    graph_.name = "main";
    graph_.inputs = {NewTensor(Uniform(1, 20), RandomRange())};
    TensorId at = graph_.inputs[0];
    const int64_t length = Uniform(2, 6);
    for (int64_t i = 0; i < length; ++i) at = Append(at);
    graph_.outputs = {at};
    return graph_;
  }

  int64_t Uniform(int64_t a, int64_t b) {
    return std::uniform_int_distribution<int64_t>(a, b)(rng_);
  }

 private:
  ValueRange RandomRange() {
    switch (Uniform(0, 4)) {
      case 0:
        return {0, 255};
      case 1:
        return {-128, 127};
      case 2:
        return {0, 15};
      case 3:
        return {-2047, 2047};
      default:
        return {-32767, 32767};
    }
  }

  TensorId NewTensor(int64_t channels, ValueRange range) {
    const TensorId id{static_cast<int32_t>(graph_.tensors.size())};
    graph_.tensors.push_back(
        {.name = "t" + std::to_string(id.index), .channels = channels, .range = range});
    return id;
  }

  ChannelRequant RandomRequant(int64_t channels, int gain_bits) {
    ChannelRequant r;
    r.multiplier.clear();
    r.pre_shift.clear();
    r.bias.clear();
    for (int64_t c = 0; c < channels; ++c) {
      r.multiplier.push_back(Uniform(-65536, 65536));
      r.pre_shift.push_back(static_cast<uint8_t>(Uniform(0, 4)));
      r.bias.push_back(Uniform(-100000, 100000));
    }
    r.post_shift = static_cast<uint8_t>(Uniform(gain_bits, gain_bits + 10));
    return r;
  }

  void RandomWeights(IntParams& p, int64_t count, bool positive = false) {
    const int64_t max = Uniform(0, 1) ? 127 : 2047;
    p.weight_bits = max == 127 ? 8 : 12;
    for (int64_t i = 0; i < count; ++i) {
      p.weights.push_back(static_cast<int16_t>(Uniform(positive ? 0 : -max, max)));
    }
  }

  TensorId Append(TensorId in) {
    IntNode node;
    node.inputs = {in};
    const TensorInfo input = graph_.tensor(in);
    const int64_t c = input.channels;
    int64_t out = c;
    ValueRange range = RandomRange();
    Geometry& g = node.geometry;
    IntParams& p = node.params;
    const bool narrow = input.range.max <= 32767 && input.range.min >= -32767;
    node.kind = static_cast<OpKind>(Uniform(0, kOpKindCount - 1));
    switch (node.kind) {
      case OpKind::kConv2d:
      case OpKind::kConvTranspose2d: {
        out = Uniform(1, 70);
        g.kernel_h = static_cast<int32_t>(Uniform(1, 5));
        g.kernel_w = static_cast<int32_t>(Uniform(1, 5));
        g.stride_h = static_cast<int32_t>(Uniform(1, 3));
        g.stride_w = static_cast<int32_t>(Uniform(1, 3));
        g.pad_top = static_cast<int32_t>(Uniform(0, g.kernel_h - 1));
        g.pad_left = static_cast<int32_t>(Uniform(0, g.kernel_w - 1));
        if (node.kind == OpKind::kConv2d) {
          g.pad_bottom = static_cast<int32_t>(Uniform(-1, g.kernel_h - 1));
          g.pad_right = static_cast<int32_t>(Uniform(0, g.kernel_w - 1));
          if (Uniform(0, 3) == 0) {
            out = c;
            g.groups = static_cast<int32_t>(c);
          }
        }
        RandomWeights(p, out * g.kernel_h * g.kernel_w * c / g.groups);
        p.requant = RandomRequant(out, 14);
        break;
      }
      case OpKind::kGdn:
      case OpKind::kIgdn:
        RandomWeights(p, c * c, true);
        p.requant = RandomRequant(c, 10);
        for (int64_t& m : p.requant.multiplier) m = std::abs(m);
        p.inner_range = {1, int64_t{1} << Uniform(8, 24)};
        p.output_requant = RandomRequant(c, 8);
        if (node.kind == OpKind::kGdn) {
          p.output_requant.pre_shift = {0};
          p.output_requant.bias = {0};
          p.output_requant.post_shift = 0;
        }
        break;
      case OpKind::kLagc:
        RandomWeights(p, c * c);
        p.requant = RandomRequant(c, 14);
        p.inner_range = {-100, 100};
        p.table_first = -100;
        for (int i = 0; i <= 200; ++i) p.table.push_back(static_cast<int32_t>(Uniform(-999, 999)));
        p.gain_requant = RandomRequant(c, 8);
        p.gain_range = {-2047, 2047};
        p.output_requant = RandomRequant(c, 14);
        break;
      case OpKind::kDepthToSpace:
        g.block = 2;
        out = (c + 3) / 4;
        if (c % 4 != 0) return in;
        g.crop = static_cast<int32_t>(Uniform(0, 1));
        range = input.range;
        break;
      case OpKind::kSpaceToDepth:
        return in;  // sizes are arbitrary here; see the golden networks
      case OpKind::kAdd:
        node.inputs.push_back(in);
        break;
      case OpKind::kConcat:
        node.inputs.push_back(graph_.inputs[0]);
        return in;  // sizes differ; see the golden networks
      case OpKind::kMaxPool:
        g.kernel_h = g.kernel_w = 2;
        g.stride_h = static_cast<int32_t>(Uniform(1, 2));
        g.stride_w = static_cast<int32_t>(Uniform(1, 2));
        range = input.range;
        break;
      case OpKind::kLut:
        if (input.range.max - input.range.min > 5000) return in;
        p.table_first = input.range.min;
        for (int64_t v = input.range.min; v <= input.range.max; ++v) {
          p.table.push_back(static_cast<int32_t>(Uniform(range.min, range.max)));
        }
        break;
      case OpKind::kLeakyRelu:
        p.slope_shift = static_cast<int32_t>(Uniform(0, 6));
        range = input.range;
        break;
      case OpKind::kLinear:
        return in;  // of a fixed input size; see the golden networks
      case OpKind::kClamp:
        break;
      case OpKind::kRequant:
        p.requant = RandomRequant(c, 6);
        break;
    }
    if (!narrow && !p.weights.empty()) return in;
    node.output = NewTensor(out, range);
    graph_.nodes.push_back(node);
    return node.output;
  }

  std::mt19937 rng_;
  IntGraph graph_;
};

void ExpectSame(const std::vector<Tensor<int32_t>>& want, const std::vector<Tensor<int32_t>>& got,
                const std::string& what) {
  ASSERT_EQ(want.size(), got.size());
  for (size_t t = 0; t < want.size(); ++t) {
    ASSERT_EQ(want[t].shape(), got[t].shape()) << what;
    EXPECT_TRUE(std::equal(want[t].span().begin(), want[t].span().end(), got[t].span().begin()))
        << what << " tensor " << t;
  }
}

TEST(Engine, RandomGraphsEqualTheReference) {
  int checked = 0;
  std::vector<int> kinds(kOpKindCount, 0);
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    GraphMaker maker(seed);
    IntNet net;
    net.graphs = {maker.Make()};
    const IntGraph& graph = net.graphs[0];
    const Size2 size{maker.Uniform(4, 14), maker.Uniform(4, 60)};
    if (graph.nodes.empty() || !CheckIntNet(net) || !InferSizes(graph, {size})) continue;
    const TensorInfo& info = graph.tensor(graph.inputs[0]);
    std::vector<Tensor<int32_t>> inputs;
    inputs.emplace_back(Shape{2, size.h, size.w, info.channels});
    for (int32_t& v : inputs[0].span()) {
      v = static_cast<int32_t>(maker.Uniform(info.range.min, info.range.max));
    }
    std::vector<Tensor<int32_t>> copy;
    copy.push_back(inputs[0].Clone());
    auto want = RunReference(graph, std::move(copy));
    ASSERT_TRUE(want) << "seed " << seed << ": " << want.error().message;
    for (const std::string& target : SupportedCpuTargets()) {
      ASSERT_TRUE(SetCpuTarget(target));
      auto got =
          RunWhole(CompiledGraph(graph), inputs, {}, Threads(1 + static_cast<int>(seed % 3)));
      ASSERT_TRUE(got) << got.error().message;
      ExpectSame(*want, *got, target + " seed " + std::to_string(seed));
    }
    ASSERT_TRUE(SetCpuTarget(""));
    ++checked;
    for (const IntNode& node : graph.nodes) ++kinds[static_cast<size_t>(node.kind)];
  }
  EXPECT_GT(checked, 100);
  for (const OpKind kind : {OpKind::kConv2d, OpKind::kConvTranspose2d, OpKind::kGdn, OpKind::kIgdn,
                            OpKind::kLagc, OpKind::kDepthToSpace, OpKind::kAdd, OpKind::kMaxPool,
                            OpKind::kLut, OpKind::kLeakyRelu, OpKind::kClamp, OpKind::kRequant}) {
    EXPECT_GT(kinds[static_cast<size_t>(kind)], 5) << Name(kind);
  }
}

// A codec-like chain: strides down and up again, cropped to the picture.
IntGraph StridedGraph() {
  GraphMaker maker(77);
  IntGraph graph;
  graph.name = "main";
  const auto tensor = [&](const char* name, int64_t channels) {
    graph.tensors.push_back({.name = name, .channels = channels, .range = {-2047, 2047}});
    return TensorId{static_cast<int32_t>(graph.tensors.size()) - 1};
  };
  const auto conv = [&](TensorId in, TensorId out, OpKind kind, Geometry g) {
    IntNode node{kind, {in}, out, g, {}};
    const int64_t count =
        graph.tensor(in).channels * graph.tensor(out).channels * g.kernel_h * g.kernel_w;
    for (int64_t i = 0; i < count; ++i) {
      node.params.weights.push_back(static_cast<int16_t>(maker.Uniform(-99, 99)));
    }
    node.params.weight_bits = 8;
    node.params.requant = {{70000}, {0}, {500}, 25};
    graph.nodes.push_back(std::move(node));
  };
  const TensorId x = tensor("x", 3);
  const TensorId a = tensor("a", 20);
  const TensorId b = tensor("b", 24);
  const TensorId c = tensor("c", 20);
  const TensorId y = tensor("y", 3);
  graph.inputs = {x};
  graph.outputs = {y};
  const auto geometry = [](int32_t k, int32_t s, int32_t p, int32_t divisor) {
    return Geometry{.kernel_h = k,
                    .kernel_w = k,
                    .stride_h = s,
                    .stride_w = s,
                    .pad_top = p,
                    .pad_bottom = divisor ? 0 : p,
                    .pad_left = p,
                    .pad_right = divisor ? 0 : p,
                    .output_divisor = divisor ? divisor : 1};
  };
  conv(x, a, OpKind::kConv2d, geometry(9, 4, 4, 0));
  conv(a, b, OpKind::kConv2d, geometry(5, 2, 2, 0));
  conv(b, c, OpKind::kConvTranspose2d, geometry(5, 2, 2, 4));
  conv(c, y, OpKind::kConvTranspose2d, geometry(9, 4, 4, 1));
  return graph;
}

Tensor<int32_t> RandomPicture(Size2 size, uint32_t seed) {
  Tensor<int32_t> x({1, size.h, size.w, 3});
  std::mt19937 rng(seed);
  for (int32_t& v : x.span()) v = static_cast<int32_t>(rng() % 4095) - 2047;
  return x;
}

TEST(Engine, AnyRowsPerStepAndAnySizeGiveTheSameBits) {
  const IntGraph graph = StridedGraph();
  const CompiledGraph compiled(graph);
  for (const Size2 size : {Size2{1, 1}, {1, 17}, {33, 97}, {61, 30}}) {
    std::vector<Tensor<int32_t>> inputs;
    inputs.push_back(RandomPicture(size, 1));
    auto want = RunReference(
        graph,
        [&] {
          std::vector<Tensor<int32_t>> copy;
          copy.push_back(inputs[0].Clone());
          return copy;
        }(),
        size);
    ASSERT_TRUE(want);
    const Tensor<int32_t>& out = (*want)[4];
    ASSERT_EQ(out.shape(), (Shape{1, size.h, size.w, 3}));
    for (const int64_t step : {1, 2, 5, 16, 1000}) {
      GraphRows rows;
      rows.source = [&](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
        std::copy_n(inputs[0].view().Row(0, y), row.size(), row.begin());
        return {};
      };
      int64_t next = 0;
      rows.sink = [&](size_t, int64_t y, std::span<const int32_t> row) -> Result<void> {
        EXPECT_EQ(y, next++);
        EXPECT_TRUE(std::equal(row.begin(), row.end(), out.view().Row(0, y)))
            << size.h << "x" << size.w << " step " << step << " row " << y;
        return {};
      };
      ASSERT_TRUE(RunGraph(compiled,
                           {.input_sizes = {size}, .reference = size, .rows_per_step = step}, rows,
                           Threads(2)));
      EXPECT_EQ(next, size.h);
    }
  }
}

TEST(Engine, PartOfTheRowsNeedsOnlyItsHalo) {
  const IntGraph graph = StridedGraph();
  const CompiledGraph compiled(graph);
  const Size2 size{120, 40};
  const Tensor<int32_t> x = RandomPicture(size, 2);
  std::vector<Tensor<int32_t>> inputs;
  inputs.push_back(x.Clone());
  auto whole = RunWhole(compiled, inputs, size, Threads(1));
  ASSERT_TRUE(whole);
  for (const RowRange wanted : {RowRange{0, 1}, {50, 53}, {119, 120}, {17, 90}}) {
    const RunOptions options{.input_sizes = {size}, .reference = size, .output_rows = wanted};
    auto needed = NeededInputRows(graph, options);
    ASSERT_TRUE(needed);
    EXPECT_LT((*needed)[0].end - (*needed)[0].begin, wanted.end - wanted.begin + 64);
    int64_t first = -1;
    int64_t last = -1;
    GraphRows rows;
    rows.source = [&](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
      if (first < 0) first = y;
      last = y;
      std::copy_n(x.view().Row(0, y), row.size(), row.begin());
      return {};
    };
    int64_t made = 0;
    rows.sink = [&](size_t, int64_t y, std::span<const int32_t> row) -> Result<void> {
      EXPECT_TRUE(std::equal(row.begin(), row.end(), (*whole)[4].view().Row(0, y))) << y;
      ++made;
      return {};
    };
    ASSERT_TRUE(RunGraph(compiled, options, rows, Threads(1)));
    EXPECT_EQ(made, wanted.end - wanted.begin);
    EXPECT_EQ(first, (*needed)[0].begin);
    EXPECT_EQ(last + 1, (*needed)[0].end);
  }
}

TEST(Engine, MemoryDoesNotGrowWithTheHeight) {
  const CompiledGraph compiled(StridedGraph());
  std::vector<int64_t> bytes;
  for (const int64_t height : {4000, 40000}) {
    const Size2 size{height, 64};
    int64_t peak = 0;
    auto stream = GraphStream::Create(
        compiled, {.input_sizes = {size}, .reference = size, .peak_bytes = &peak}, {}, Threads(1));
    ASSERT_TRUE(stream);
    bytes.push_back(peak);
  }
  EXPECT_EQ(bytes[0], bytes[1]);
}

TEST(Engine, RefusesRowsBeyondTheMemoryLimit) {
  const CompiledGraph compiled(StridedGraph());
  const Size2 size{64, 1 << 20};
  auto stream = GraphStream::Create(
      compiled, {.input_sizes = {size}, .reference = size, .max_bytes = 1 << 20}, {}, Threads(1));
  EXPECT_FALSE(stream);
}

TEST(Engine, ErrorsOfTheSourceEndTheRun) {
  const CompiledGraph compiled(StridedGraph());
  const Size2 size{40, 40};
  GraphRows rows;
  rows.source = [](size_t, int64_t y, std::span<int32_t>) -> Result<void> {
    if (y == 20) return Fail("row 20 is missing");
    return {};
  };
  auto run = RunGraph(compiled, {.input_sizes = {size}, .reference = size}, rows, Threads(2));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().message, "row 20 is missing");
}

}  // namespace
}  // namespace lichen
