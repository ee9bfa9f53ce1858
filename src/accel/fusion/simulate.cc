#include "accel/fusion/simulate.h"

#include <algorithm>

#include "accel/fusion/machine.h"
#include "base/requantise.h"

namespace lichen::fusion {
namespace {

// A layer's results by its formula: the window of each output, its channels at once.
Tensor<int32_t> RunLayer(const Layer& layer, ValueRange range, const Tensor<int32_t>& input) {
  const IntNode& node = *layer.node;
  const Geometry& g = node.geometry;
  const int64_t group_in = layer.input_channels / g.groups;
  const int64_t group_out = layer.output_channels / g.groups;
  // Weights with output channels fastest, so that a window's channels are one run.
  std::vector<int32_t> weights(node.params.weights.size());
  const int64_t taps = g.kernel_h * g.kernel_w * group_in;
  for (int64_t group = 0; group < g.groups; ++group) {
    for (int64_t o = 0; o < group_out; ++o) {
      for (int64_t t = 0; t < taps; ++t) {
        weights[static_cast<size_t>((group * taps + t) * group_out + o)] =
            node.params.weights[static_cast<size_t>((group * group_out + o) * taps + t)];
      }
    }
  }
  std::vector<Requant> requant;
  for (int64_t c = 0; c < layer.output_channels; ++c) {
    requant.push_back(node.params.requant.At(static_cast<size_t>(c), range));
  }
  const int64_t pool = layer.PoolSize();
  Tensor<int32_t> output({1, layer.output_size.h, layer.output_size.w, layer.output_channels});
  std::ranges::fill(output.span(), INT32_MIN);
  std::vector<int32_t> sums(static_cast<size_t>(layer.output_channels));
  for (int64_t y = 0; y < layer.output_size.h * pool; ++y) {
    for (int64_t x = 0; x < layer.output_size.w * pool; ++x) {
      std::ranges::fill(sums, 0);
      for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
        const int64_t row = y * g.stride_h + ky - g.pad_top;
        if (row < 0 || row >= layer.input_size.h) continue;
        for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
          const int64_t column = x * g.stride_w + kx - g.pad_left;
          if (column < 0 || column >= layer.input_size.w) continue;
          const int32_t* pixel = &input.view()(0, row, column, 0);
          for (int64_t group = 0; group < g.groups; ++group) {
            const int64_t first = group * taps + (ky * g.kernel_w + kx) * group_in;
            int32_t* sum = &sums[static_cast<size_t>(group * group_out)];
            for (int64_t c = 0; c < group_in; ++c) {
              const int32_t value = pixel[group * group_in + c];
              if (value == 0) continue;
              const int32_t* w = &weights[static_cast<size_t>((first + c) * group_out)];
              for (int64_t o = 0; o < group_out; ++o) sum[o] += value * w[o];
            }
          }
        }
      }
      int32_t* out = &output.view()(0, y / pool, x / pool, 0);
      for (size_t c = 0; c < sums.size(); ++c) {
        out[c] = std::max(out[c], static_cast<int32_t>(Requantise(sums[c], requant[c])));
      }
    }
  }
  return output;
}

}  // namespace

Result<Tensor<int32_t>> SimulateBricks(const Plan& plan, const Tensor<int32_t>& input,
                                       const LayerObserver& observer) {
  LICHEN_TRY(std::vector<uint8_t> memory, MakeMemory(plan, input));
  Machine machine(plan.design, memory, Arithmetic::kBricks);
  size_t layer = 0;
  const auto report = [&](size_t index) {
    while (observer && layer < plan.layers.size() && index >= plan.layers[layer].end_instruction) {
      const PlannedLayer& planned = plan.layers[layer++];
      observer(planned, ReadTensor(plan.tensors[planned.output], memory));
    }
  };
  LICHEN_TRY_VOID(ForEachExecuted(plan.program, [&](size_t index, uint64_t i0, uint64_t i1) {
    report(index);
    return machine.Execute(plan.program[index], i0, i1);
  }));
  report(plan.program.size());
  return ReadTensor(plan.output(), memory);
}

Result<Tensor<int32_t>> SimulateFast(const Plan& plan, const Tensor<int32_t>& input,
                                     const LayerObserver& observer) {
  const TensorPlace& first = plan.input();
  if (input.shape() != Shape{1, first.size.h, first.size.w, first.channels}) {
    return Fail("the plan is for an input of {}x{}x{}, not {}x{}x{}", first.size.h, first.size.w,
                first.channels, input.shape().h, input.shape().w, input.shape().c);
  }
  const IntGraph& graph = *plan.net.Find(plan.graph);
  std::vector<Tensor<int32_t>> tensors(plan.tensors.size());
  tensors[0] = input.Clone();
  for (const PlannedLayer& planned : plan.layers) {
    const ValueRange range = graph.tensor(planned.layer.node->output).range;
    tensors[planned.output] = RunLayer(planned.layer, range, tensors[planned.input]);
    if (observer) observer(planned, tensors[planned.output]);
  }
  return std::move(tensors[plan.layers.back().output]);
}

}  // namespace lichen::fusion
