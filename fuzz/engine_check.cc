#include "fuzz/engine_check.h"

#include <algorithm>

#include "base/check.h"
#include "engine/engine.h"
#include "engine/reference.h"
#include "fuzz/byte_reader.h"
#include "net/shapes.h"

namespace lichen {
namespace {

constexpr int64_t kMaxValues = int64_t{1} << 19;  // of all tensors
constexpr int64_t kMaxMacs = int64_t{1} << 21;
constexpr size_t kMaxWeights = size_t{1} << 18;

Tensor<int32_t> RandomTensor(const TensorInfo& info, Size2 size, SmallRandom& random) {
  Tensor<int32_t> tensor({1, size.h, size.w, info.channels});
  for (int32_t& v : tensor.span()) {
    const int64_t choice = random.Int(0, 5);
    v = static_cast<int32_t>(choice == 0   ? info.range.min
                             : choice == 1 ? info.range.max
                                           : random.Int(info.range.min, info.range.max));
  }
  return tensor;
}

std::vector<Tensor<int32_t>> Clone(const std::vector<Tensor<int32_t>>& tensors) {
  std::vector<Tensor<int32_t>> copies;
  for (const auto& tensor : tensors) copies.push_back(tensor.Clone());
  return copies;
}

// A part of the output's rows, a few at a time.
void CheckPart(const CompiledGraph& compiled, const std::vector<Tensor<int32_t>>& inputs,
               Size2 reference, const Tensor<int32_t>& want, SmallRandom& random) {
  RunOptions options{.reference = reference};
  for (const auto& input : inputs) {
    options.input_sizes.push_back({input.shape().h, input.shape().w});
  }
  const int64_t height = want.shape().h;
  options.output_rows.begin = random.Int(0, height - 1);
  options.output_rows.end = random.Int(options.output_rows.begin + 1, height);
  options.rows_per_step = random.Int(1, 5);
  const size_t row_values = static_cast<size_t>(want.shape().w * want.shape().c);
  int64_t next = options.output_rows.begin;
  GraphRows rows;
  rows.source = [&](size_t input, int64_t y, std::span<int32_t> row) -> Result<void> {
    std::copy_n(inputs[input].view().Row(0, y), row.size(), row.begin());
    return {};
  };
  rows.sink = [&](size_t, int64_t y, std::span<const int32_t> row) -> Result<void> {
    LICHEN_CHECK(y == next++ && row.size() == row_values);
    LICHEN_CHECK(std::equal(row.begin(), row.end(), want.view().Row(0, y)));
    return {};
  };
  const auto run = RunGraph(compiled, options, rows, Threads(1));
  LICHEN_CHECK(run.has_value());
  LICHEN_CHECK(next == options.output_rows.end);
}

}  // namespace

bool IsSmallRun(const IntGraph& graph, const std::vector<Size2>& inputs, Size2 reference) {
  const auto sizes = InferSizes(graph, inputs, reference);
  if (!sizes) return false;
  int64_t values = 0;
  for (size_t t = 0; t < sizes->size(); ++t) {
    const Size2 size = (*sizes)[t];
    if (size.h > kMaxValues || size.w > kMaxValues) return false;
    values +=
        size.h * size.w > kMaxValues ? kMaxValues + 1 : size.h * size.w * graph.tensors[t].channels;
    if (values > kMaxValues) return false;
  }
  int64_t macs = 0;
  size_t weights = 0;
  for (const IntNode& node : graph.nodes) {
    const Geometry& g = node.geometry;
    // A kernel may be far larger than the picture.
    if (int64_t{g.kernel_h} * g.kernel_w > 4096) return false;
    for (const int32_t v :
         {g.stride_h, g.stride_w, g.pad_top, g.pad_left, g.pad_bottom, g.pad_right}) {
      if (v > 4096 || v < -4096) return false;
    }
    macs += MacCount(graph, node, (*sizes)[static_cast<size_t>(node.output.index)],
                     (*sizes)[static_cast<size_t>(node.inputs[0].index)]);
    weights += node.params.weights.size();
    if (macs > kMaxMacs || weights > kMaxWeights) return false;
  }
  return true;
}

void CheckEngine(const IntGraph& graph, const std::vector<Size2>& input_sizes, Size2 reference,
                 uint64_t seed) {
  SmallRandom random(seed);
  std::vector<Tensor<int32_t>> inputs;
  for (size_t i = 0; i < input_sizes.size(); ++i) {
    inputs.push_back(RandomTensor(graph.tensor(graph.inputs[i]), input_sizes[i], random));
  }
  const auto want = RunReference(graph, Clone(inputs), reference);
  LICHEN_CHECK(want.has_value());
  const CompiledGraph compiled(graph);
  const auto got = RunWhole(compiled, inputs, reference, Threads(1));
  LICHEN_CHECK(got.has_value());
  for (size_t t = 0; t < want->size(); ++t) {
    const auto expected = (*want)[t].span();
    const auto values = (*got)[t].span();
    LICHEN_CHECK(std::equal(expected.begin(), expected.end(), values.begin(), values.end()));
    // What the next node and the proof rely on.
    const ValueRange range = graph.tensors[t].range;
    LICHEN_CHECK(std::all_of(expected.begin(), expected.end(),
                             [&](int32_t v) { return v >= range.min && v <= range.max; }));
  }
  if (graph.outputs.size() != 1) return;
  CheckPart(compiled, inputs, reference, (*want)[static_cast<size_t>(graph.outputs[0].index)],
            random);
}

}  // namespace lichen
