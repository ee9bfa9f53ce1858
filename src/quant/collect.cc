#include "quant/collect.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/float_engine.h"
#include "kernels/float_kernels.h"

namespace lichen {
namespace {

// Each picture of a batch has its own statistics, some megabytes.
constexpr size_t kPicturesPerBatch = 8;

// beta + sum gamma * |x|.
Tensor<float> NormOf(const FloatNode& node, const Tensor<float>& x, const Threads& threads) {
  Tensor<float> absolute(x.shape());
  Tensor<float> norm(x.shape());
  FloatAbs(x.view(), absolute.view());
  FloatConv2dDnnl(std::as_const(absolute).view(), node.params.weights, node.params.bias, {},
                  threads.count(), norm.view());
  return norm;
}

// Runs the graph, adds what its tensors hold, and returns its first output.
Result<Tensor<float>> Observe(const FloatGraph& graph, Tensor<float> input, Size2 reference,
                              const Threads& threads, GraphStatistics& statistics) {
  statistics.tensors.resize(graph.tensors.size());
  statistics.norms.resize(graph.nodes.size());
  std::vector<Tensor<float>> inputs;
  inputs.push_back(std::move(input));
  LICHEN_TRY(
      std::vector<Tensor<float>> tensors,
      RunFloatGraph(graph, std::move(inputs), {.reference = reference, .keep_all = true}, threads));
  for (size_t i = 0; i < tensors.size(); ++i) {
    statistics.tensors[i].Add(std::as_const(tensors[i]).view());
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const FloatNode& node = graph.nodes[i];
    if (node.kind != OpKind::kGdn && node.kind != OpKind::kIgdn) continue;
    const Tensor<float> norm =
        NormOf(node, tensors[static_cast<size_t>(node.inputs[0].index)], threads);
    statistics.norms[i].Add(std::as_const(norm).view());
  }
  return std::move(tensors[static_cast<size_t>(graph.outputs[0].index)]);
}

// A picture through all graphs, in the calling thread.
Result<std::vector<GraphStatistics>> ObservePicture(const FloatNet& net, const Image& image) {
  const Threads threads(1);
  std::vector<GraphStatistics> statistics(net.graphs.size());
  const auto of = [&](const FloatGraph& graph) -> GraphStatistics& {
    return statistics[static_cast<size_t>(&graph - net.graphs.data())];
  };
  const FloatGraph* synthesis = net.Find("synthesis");
  const FloatGraph& first = synthesis ? *net.Find("analysis") : *net.Find("main");
  Tensor<float> input =
      FloatPicture(image, first.tensor(first.inputs[0]).channels, net.size_multiple);
  const Size2 size = {input.shape().h, input.shape().w};
  LICHEN_TRY(Tensor<float> output, Observe(first, std::move(input), size, threads, of(first)));
  if (!synthesis) return statistics;
  Tensor<float> rounded(output.shape());
  for (size_t i = 0; i < output.span().size(); ++i) {
    rounded.span()[i] = std::floor(output.span()[i] + 0.5F);
  }
  for (Tensor<float>* latents : {&output, &rounded}) {
    LICHEN_TRY([[maybe_unused]] const Tensor<float> recon,
               Observe(*synthesis, std::move(*latents), size, threads, of(*synthesis)));
  }
  return statistics;
}

void Merge(const GraphStatistics& from, GraphStatistics& to) {
  to.tensors.resize(from.tensors.size());
  to.norms.resize(from.norms.size());
  for (size_t i = 0; i < from.tensors.size(); ++i) to.tensors[i].Merge(from.tensors[i]);
  for (size_t i = 0; i < from.norms.size(); ++i) to.norms[i].Merge(from.norms[i]);
}

}  // namespace

Result<void> CheckQuantisable(const FloatNet& net) {
  const bool is_codec = net.graphs.size() == 2 && net.Find("analysis") && net.Find("synthesis");
  const bool is_plain = net.graphs.size() == 1 && net.Find("main");
  if (!is_codec && !is_plain) {
    return Fail("only nets of analysis and synthesis, or of main, can be quantised");
  }
  for (const FloatGraph& graph : net.graphs) {
    if (graph.inputs.size() != 1 || graph.outputs.empty()) {
      return Fail("graph {}: has {} inputs and {} outputs, one input and an output are needed",
                  graph.name, graph.inputs.size(), graph.outputs.size());
    }
    const int64_t channels = graph.tensor(graph.inputs[0]).channels;
    if (graph.name != "synthesis" && channels != 1 && channels != 3) {
      return Fail("graph {}: its input has {} channels; pictures have 1 or 3", graph.name,
                  channels);
    }
  }
  if (is_codec) {
    const FloatGraph& analysis = *net.Find("analysis");
    const FloatGraph& synthesis = *net.Find("synthesis");
    if (analysis.outputs.size() != 1 || synthesis.outputs.size() != 1) {
      return Fail("graphs analysis and synthesis must have one output each");
    }
    const int64_t latents = analysis.tensor(analysis.outputs[0]).channels;
    if (latents != synthesis.tensor(synthesis.inputs[0]).channels) {
      return Fail("graph synthesis: its input has {} channels, the latents have {}",
                  synthesis.tensor(synthesis.inputs[0]).channels, latents);
    }
  }
  return {};
}

Result<std::vector<GraphStatistics>> CollectStatistics(const FloatNet& net,
                                                       const Calibration& calibration,
                                                       const Threads& threads) {
  LICHEN_TRY_VOID(CheckQuantisable(net));
  const std::vector<CalibrationPicture>& pictures = calibration.pictures;
  std::vector<GraphStatistics> total(net.graphs.size());
  for (size_t first = 0; first < pictures.size(); first += kPicturesPerBatch) {
    const size_t count = std::min(kPicturesPerBatch, pictures.size() - first);
    std::vector<Result<std::vector<GraphStatistics>>> batch(count);
    threads.For(static_cast<int64_t>(count), [&](int64_t i) {
      const CalibrationPicture& picture = pictures[first + static_cast<size_t>(i)];
      batch[static_cast<size_t>(i)] = InPlace(picture.name, ObservePicture(net, picture.image));
    });
    for (const auto& statistics : batch) {
      if (!statistics) return tl::unexpected(statistics.error());
      for (size_t g = 0; g < total.size(); ++g) Merge((*statistics)[g], total[g]);
    }
  }
  return total;
}

}  // namespace lichen
