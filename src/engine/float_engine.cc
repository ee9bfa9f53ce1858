#include "engine/float_engine.h"

#include <chrono>
#include <limits>
#include <utility>

#include "kernels/float_kernels.h"
#include "net/shapes.h"

namespace lichen {
namespace {

constexpr int64_t kValuesPerTask = 1 << 16;

// Calls body(first, count) for runs of pixels that cover the tensor.
template <class F>
void ForPixels(const Threads& threads, const Shape& shape, F body) {
  const int64_t pixels = shape.n * shape.h * shape.w;
  const int64_t step = std::max<int64_t>(1, kValuesPerTask / shape.c);
  threads.For((pixels + step - 1) / step,
              [&](int64_t i) { body(i * step, std::min(step, pixels - i * step)); });
}

// `count` pixels of a tensor as a view of one row.
template <class T>
TensorView<T> Pixels(TensorView<T> view, int64_t first, int64_t count) {
  return {view.data + first * view.shape.c, {1, 1, count, view.shape.c}};
}

class NodeRunner {
 public:
  NodeRunner(const FloatNode& node, const TensorInfo& output, bool reference_kernels,
             const Threads& threads)
      : node_(node), output_(output), reference_(reference_kernels), threads_(threads) {}

  void Run(const std::vector<FloatView>& x, FloatOut out) const {
    if (RunProducts(x[0], out) || RunMoves(x, out)) return;
    ForPixels(threads_, out.shape, [&](int64_t first, int64_t count) {
      const auto part = [&](size_t i) { return Pixels(x[i], first, count); };
      RunPixels(part(0), node_.kind == OpKind::kAdd ? part(1) : FloatView{},
                Pixels(out, first, count));
    });
  }

 private:
  // Operators that sum products over channels or taps.
  bool RunProducts(FloatView x, FloatOut out) const {
    const FloatParams& p = node_.params;
    const Geometry& g = node_.geometry;
    const int count = threads_.count();
    switch (node_.kind) {
      case OpKind::kConv2d:
        reference_ ? FloatConv2dRef(x, p.weights, p.bias, g, out)
                   : FloatConv2dDnnl(x, p.weights, p.bias, g, count, out);
        return true;
      case OpKind::kConvTranspose2d:
        reference_ ? FloatConvTranspose2dRef(x, p.weights, p.bias, g, out)
                   : FloatConvTranspose2dDnnl(x, p.weights, p.bias, g, count, out);
        return true;
      case OpKind::kLinear:
        reference_ ? FloatLinearRef(x, p.weights, p.bias, out)
                   : FloatLinearDnnl(x, p.weights, p.bias, count, out);
        return true;
      case OpKind::kGdn:
        reference_ ? FloatGdnRef(x, p.weights, p.bias, out) : RunNorm(x, out);
        return true;
      case OpKind::kIgdn:
        reference_ ? FloatIgdnRef(x, p.weights, p.bias, out) : RunNorm(x, out);
        return true;
      case OpKind::kLagc:
        reference_ ? FloatLagcRef(x, Lagc(), out) : RunNorm(x, out);
        return true;
      default:
        return false;
    }
  }

  FloatLagcWeights Lagc() const {
    const FloatParams& p = node_.params;
    return {p.weights, p.bias, p.gain, p.gain_bias};
  }

  // Gdn, Igdn and Lagc: a 1x1 convolution into `out`, then one step per value.
  void RunNorm(FloatView x, FloatOut out) const {
    const FloatParams& p = node_.params;
    if (node_.kind == OpKind::kLagc) {
      FloatConv2dDnnl(x, p.weights, p.bias, {}, threads_.count(), out);
    } else {
      Tensor<float> absolute(x.shape);
      ForPixels(threads_, x.shape, [&](int64_t first, int64_t count) {
        FloatAbs(Pixels(x, first, count), Pixels(absolute.view(), first, count));
      });
      FloatConv2dDnnl(absolute.view(), p.weights, p.bias, {}, threads_.count(), out);
    }
    ForPixels(threads_, x.shape, [&](int64_t first, int64_t count) {
      const FloatView from = Pixels(x, first, count);
      const FloatOut to = Pixels(out, first, count);
      if (node_.kind == OpKind::kGdn) FloatDivide(from, to, to);
      if (node_.kind == OpKind::kIgdn) FloatMultiply(from, to, to);
      if (node_.kind == OpKind::kLagc) FloatGainTanh(from, to, Lagc(), to);
    });
  }

  // Operators that move values between pixels or channels.
  bool RunMoves(const std::vector<FloatView>& x, FloatOut out) const {
    const Geometry& g = node_.geometry;
    switch (node_.kind) {
      case OpKind::kDepthToSpace:
        FloatDepthToSpace(x[0], g.block, g.crop, out);
        return true;
      case OpKind::kSpaceToDepth:
        FloatSpaceToDepth(x[0], g.block, out);
        return true;
      case OpKind::kConcat:
        FloatConcat(x, out);
        return true;
      case OpKind::kMaxPool:
        FloatMaxPool(x[0], g, out);
        return true;
      default:
        return false;
    }
  }

  // Operators on single values.
  void RunPixels(FloatView x, FloatView second, FloatOut out) const {
    const FloatParams& p = node_.params;
    switch (node_.kind) {
      case OpKind::kLeakyRelu:
        return FloatLeakyRelu(x, p.slope, out);
      case OpKind::kAdd:
        return FloatAdd(x, second, out);
      case OpKind::kLut:
        return FloatLut(x, p.table, p.table_first, out);
      case OpKind::kClamp: {
        // A float graph has no range unless its importer set one; then it is in units of scale.
        const ValueRange range = output_.range;
        const double scale = output_.scale[0];
        constexpr double kAll = std::numeric_limits<float>::max();
        const bool is_set = range != ValueRange{};
        return FloatClamp(
            x, static_cast<float>(is_set ? static_cast<double>(range.min) * scale : -kAll),
            static_cast<float>(is_set ? static_cast<double>(range.max) * scale : kAll), out);
      }
      case OpKind::kRequant:
        return FloatScale(x, p.gain, p.bias, out);
      default:
        LICHEN_CHECK(false && "operator without a float kernel");
    }
  }

  const FloatNode& node_;
  const TensorInfo& output_;
  bool reference_;
  const Threads& threads_;
};

// For every tensor the last node that reads it, or -1.
std::vector<int64_t> LastUses(const FloatGraph& graph) {
  std::vector<int64_t> last(graph.tensors.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (TensorId id : graph.nodes[i].inputs) {
      last[static_cast<size_t>(id.index)] = static_cast<int64_t>(i);
    }
  }
  for (TensorId id : graph.outputs) {
    last[static_cast<size_t>(id.index)] = std::numeric_limits<int64_t>::max();
  }
  return last;
}

}  // namespace

Result<std::vector<Tensor<float>>> RunFloatGraph(const FloatGraph& graph,
                                                 std::vector<Tensor<float>> inputs,
                                                 const FloatRunOptions& options,
                                                 const Threads& threads) {
  LICHEN_CHECK(inputs.size() == graph.inputs.size());
  std::vector<Size2> input_sizes;
  std::vector<Tensor<float>> tensors(graph.tensors.size());
  const int64_t batch = inputs.empty() ? 1 : inputs[0].shape().n;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorInfo& info = graph.tensor(graph.inputs[i]);
    if (inputs[i].shape().c != info.channels) {
      return Fail("graph {}, input {}: {} channels given, it has {}", graph.name, info.name,
                  inputs[i].shape().c, info.channels);
    }
    input_sizes.push_back({inputs[i].shape().h, inputs[i].shape().w});
    tensors[static_cast<size_t>(graph.inputs[i].index)] = std::move(inputs[i]);
  }
  LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, input_sizes, options.reference));
  const std::vector<int64_t> last_use = LastUses(graph);

  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const FloatNode& node = graph.nodes[i];
    const auto start = std::chrono::steady_clock::now();
    std::vector<FloatView> views;
    for (TensorId id : node.inputs) {
      views.push_back(std::as_const(tensors[static_cast<size_t>(id.index)]).view());
    }
    const auto out = static_cast<size_t>(node.output.index);
    const TensorInfo& info = graph.tensors[out];
    tensors[out] = Tensor<float>({batch, sizes[out].h, sizes[out].w, info.channels});
    NodeRunner(node, info, options.reference_kernels, threads).Run(views, tensors[out].view());
    if (options.observer) {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      options.observer(node, tensors[out], seconds.count());
    }
    if (options.keep_all) continue;
    for (TensorId id : node.inputs) {
      const auto index = static_cast<size_t>(id.index);
      if (last_use[index] == static_cast<int64_t>(i)) tensors[index] = {};
    }
  }
  return tensors;
}

}  // namespace lichen
