#include "flow/classify.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

#include "accel/fusion/simulate.h"
#include "engine/engine.h"
#include "flow/model_input.h"
#include "net/shapes.h"

namespace lichen {
namespace {

constexpr int64_t kBlock = 64;  // pictures between two signs of progress
constexpr int64_t kSampleMax = 255;

Result<const IntGraph*> FindClassifier(const IntNet& net, const LabelledPictures& pictures) {
  const auto metadata = [&](const char* key) {
    const auto it = net.metadata.find(key);
    return it == net.metadata.end() ? std::string() : it->second;
  };
  const IntGraph* graph = net.Find("main");
  if (metadata("task") != "classify" || !graph || graph->inputs.size() != 1 ||
      graph->outputs.size() != 1) {
    return Fail("is no classification model (metadata task = classify, graph main)");
  }
  const int64_t channels = graph->tensor(graph->inputs[0]).channels;
  const int64_t classes = graph->tensor(graph->outputs[0]).channels;
  if (channels != pictures.channels || classes != pictures.class_count) {
    return Fail("takes {} channels and gives {} classes; the pictures have {} and {}", channels,
                classes, pictures.channels, pictures.class_count);
  }
  const std::string size = fmt::format("{}x{}", pictures.height, pictures.width);
  if (metadata("input_size") != size) {
    return Fail("takes pictures of {}, these are {}", metadata("input_size"), size);
  }
  LICHEN_TRY(const auto sizes, InferSizes(*graph, {{pictures.height, pictures.width}}));
  if (sizes[static_cast<size_t>(graph->outputs[0].index)] != Size2{1, 1}) {
    return Fail("gives more than one answer per picture");
  }
  return graph;
}

Tensor<int32_t> InputOf(const LabelledPictures& pictures, int64_t picture, int64_t max) {
  Tensor<int32_t> input({1, pictures.height, pictures.width, pictures.channels});
  int32_t* to = input.data();
  for (const uint8_t v : pictures.Samples(picture)) {
    *to++ = static_cast<int32_t>((2 * v * max + kSampleMax) / (2 * kSampleMax));
  }
  return input;
}

int64_t Largest(const Tensor<int32_t>& scores) {
  int64_t best = 0;
  for (int64_t c = 1; c < scores.shape().c; ++c) {
    if (scores(0, 0, 0, c) > scores(0, 0, 0, best)) best = c;
  }
  return best;
}

struct Answer {
  int64_t largest = 0;
  bool is_different = false;
};
// The engine's answer from all of the graph's tensors, or the plan's from the one that it begins with.
Result<Answer> AnswerOf(const Result<std::vector<Tensor<int32_t>>>& tensors, size_t output,
                        const fusion::Plan* plan) {
  if (!tensors) return tl::unexpected(tensors.error());
  const Tensor<int32_t>& scores = (*tensors)[output];
  if (!plan) return Answer{Largest(scores)};
  const auto first = static_cast<size_t>(plan->input().tensor.index);
  LICHEN_TRY(const Tensor<int32_t> simulated, fusion::SimulateFast(*plan, (*tensors)[first]));
  return Answer{Largest(simulated), !std::ranges::equal(simulated.span(), scores.span())};
}

}  // namespace

Result<ClassificationScore> EvaluateClassification(
    const IntNet& net, const LabelledPictures& pictures, const Threads& threads,
    const std::function<void(int64_t, int64_t)>& progress, const fusion::Plan* plan) {
  LICHEN_TRY(const IntGraph* graph, FindClassifier(net, pictures));
  const CompiledGraph compiled(*graph);
  const auto output = static_cast<size_t>(graph->outputs[0].index);
  const int64_t max = graph->tensor(graph->inputs[0]).range.max;
  const Threads alone(1);  // pictures are small: each is one thread's
  ClassificationScore score;
  score.classes.resize(static_cast<size_t>(pictures.count()));
  std::mutex mutex;
  std::optional<Error> failed;
  const auto start = std::chrono::steady_clock::now();
  for (int64_t first = 0; first < pictures.count() && !failed; first += kBlock) {
    if (progress) progress(first, pictures.count());
    threads.For(std::min(kBlock, pictures.count() - first), [&](int64_t i) {
      std::vector<Tensor<int32_t>> inputs;
      inputs.push_back(InputOf(pictures, first + i, max));
      const auto tensors = RunWhole(compiled, inputs, {pictures.height, pictures.width}, alone);
      Result<Answer> answer = AnswerOf(tensors, output, plan);
      const std::lock_guard lock(mutex);
      if (!answer) {
        failed = std::move(answer).error();
        return;
      }
      score.classes[static_cast<size_t>(first + i)] = answer->largest;
      score.different_count += answer->is_different;
    });
  }
  if (failed) return tl::unexpected(*failed);
  score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (size_t i = 0; i < score.classes.size(); ++i) {
    score.correct_count += score.classes[i] == pictures.labels[i];
  }
  score.accuracy = static_cast<double>(score.correct_count) / static_cast<double>(pictures.count());
  return score;
}

}  // namespace lichen
