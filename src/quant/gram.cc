#include "quant/gram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "engine/float_engine.h"
#include "kernels/float_kernels.h"
#include "net/proof.h"

namespace lichen {
namespace {

constexpr size_t kMaxPictures = 64;
constexpr int64_t kSamplesPerPicture = 96;
constexpr double kRidge = 0.01;  // of the mean diagonal: trusts the samples a little less
constexpr int kSweeps = 4;

struct Tap {
  int64_t ky = 0;
  int64_t kx = 0;
};

// The taps of a phase; a convolution has one phase of all taps.
std::vector<std::vector<Tap>> PhasesOf(const FloatNode& node) {
  const Geometry& g = node.geometry;
  const bool is_transposed = node.kind == OpKind::kConvTranspose2d;
  const int64_t step_h = is_transposed ? g.stride_h : 1;
  const int64_t step_w = is_transposed ? g.stride_w : 1;
  std::vector<std::vector<Tap>> phases;
  for (int64_t py = 0; py < std::min<int64_t>(step_h, g.kernel_h); ++py) {
    for (int64_t px = 0; px < std::min<int64_t>(step_w, g.kernel_w); ++px) {
      auto& taps = phases.emplace_back();
      for (int64_t ky = py; ky < g.kernel_h; ky += step_h) {
        for (int64_t kx = px; kx < g.kernel_w; kx += step_w) taps.push_back({ky, kx});
      }
    }
  }
  return phases;
}

Gram EmptyGram(const FloatGraph& graph, const FloatNode& node) {
  Gram gram;
  if (!HasProducts(node.kind) || node.kind == OpKind::kLagc || node.geometry.groups != 1) {
    return gram;
  }
  const int64_t channels = graph.tensor(node.inputs[0]).channels;
  for (const std::vector<Tap>& taps : PhasesOf(node)) {
    GramPhase phase;
    for (const Tap& tap : taps) {
      for (int64_t ic = 0; ic < channels; ++ic) {
        phase.inputs.push_back(
            static_cast<size_t>((tap.ky * node.geometry.kernel_w + tap.kx) * channels + ic));
      }
    }
    if (static_cast<int64_t>(phase.inputs.size()) > kMaxGramInputs) return {};
    phase.matrix.assign(phase.inputs.size() * phase.inputs.size(), 0.0F);
    phase.mean.assign(phase.inputs.size(), 0.0);
    gram.phases.push_back(std::move(phase));
  }
  return gram;
}

// What the taps read at the input position that belongs to tap (0, 0); zeros outside.
void GatherPatch(const Tensor<float>& x, const FloatNode& node, const std::vector<Tap>& taps,
                 int64_t y, int64_t x0, float* patch) {
  const Geometry& g = node.geometry;
  const bool is_transposed = node.kind == OpKind::kConvTranspose2d;
  const bool is_norm = node.kind == OpKind::kGdn || node.kind == OpKind::kIgdn;
  const Shape& shape = x.shape();
  for (const Tap& tap : taps) {
    const int64_t yi = is_transposed ? y - tap.ky / g.stride_h : y + tap.ky;
    const int64_t xi = is_transposed ? x0 - tap.kx / g.stride_w : x0 + tap.kx;
    const bool is_inside = yi >= 0 && yi < shape.h && xi >= 0 && xi < shape.w;
    for (int64_t c = 0; c < shape.c; ++c) {
      const float v = is_inside ? x(0, yi, xi, c) : 0.0F;
      *patch++ = is_norm ? std::fabs(v) : v;
    }
  }
}

void AddSamples(const FloatNode& node, const Tensor<float>& x, std::mt19937& generator,
                Gram& gram) {
  const std::vector<std::vector<Tap>> phases = PhasesOf(node);
  const Geometry& g = node.geometry;
  const bool is_transposed = node.kind == OpKind::kConvTranspose2d;
  const Shape& shape = x.shape();
  const int64_t stride_h = is_transposed ? 1 : g.stride_h;
  const int64_t stride_w = is_transposed ? 1 : g.stride_w;
  for (size_t p = 0; p < phases.size(); ++p) {
    GramPhase& phase = gram.phases[p];
    const auto width = static_cast<int64_t>(phase.inputs.size());
    std::vector<float> patches(static_cast<size_t>(kSamplesPerPicture * width));
    for (int64_t s = 0; s < kSamplesPerPicture; ++s) {
      const int64_t rows = (shape.h + stride_h - 1) / stride_h;
      const int64_t columns = (shape.w + stride_w - 1) / stride_w;
      const int64_t y = static_cast<int64_t>(generator() % static_cast<uint64_t>(rows));
      const int64_t x0 = static_cast<int64_t>(generator() % static_cast<uint64_t>(columns));
      float* patch = patches.data() + s * width;
      GatherPatch(x, node, phases[p], y * stride_h - (is_transposed ? 0 : g.pad_top),
                  x0 * stride_w - (is_transposed ? 0 : g.pad_left), patch);
      for (size_t i = 0; i < phase.mean.size(); ++i) phase.mean[i] += patch[i];
    }
    FloatAddGram(patches, kSamplesPerPicture, 1, phase.matrix);
  }
  gram.sample_count += kSamplesPerPicture;
}

// Sums become means; where one bias serves all, what it can take is left out.
void Finish(Gram& gram) {
  const auto count = static_cast<double>(std::max<int64_t>(1, gram.sample_count));
  for (GramPhase& phase : gram.phases) {
    const size_t width = phase.inputs.size();
    for (double& m : phase.mean) m /= count;
    double diagonal = 0;
    for (size_t i = 0; i < width; ++i) {
      for (size_t j = 0; j < width; ++j) {
        double value = phase.matrix[i * width + j] / count;
        if (gram.phases.size() == 1) value -= phase.mean[i] * phase.mean[j];
        phase.matrix[i * width + j] = static_cast<float>(value);
      }
      diagonal += phase.matrix[i * width + i];
    }
    const double ridge = kRidge * diagonal / static_cast<double>(width);
    for (size_t i = 0; i < width; ++i) phase.matrix[i * width + i] += static_cast<float>(ridge);
  }
}

class GramCollector {
 public:
  explicit GramCollector(const FloatNet& net) : net_(net) {
    for (const FloatGraph& graph : net.graphs) {
      auto& grams = grams_.emplace_back();
      for (const FloatNode& node : graph.nodes) grams.push_back(EmptyGram(graph, node));
    }
  }

  Result<void> AddPicture(const Image& image) {
    const FloatGraph* synthesis = net_.Find("synthesis");
    const FloatGraph& first = synthesis ? *net_.Find("analysis") : *net_.Find("main");
    Tensor<float> input =
        FloatPicture(image, first.tensor(first.inputs[0]).channels, net_.size_multiple);
    const Size2 size = {input.shape().h, input.shape().w};
    LICHEN_TRY(Tensor<float> output, AddGraph(first, std::move(input), size));
    if (!synthesis) return {};
    for (float& v : output.span()) v = std::floor(v + 0.5F);
    LICHEN_TRY([[maybe_unused]] const Tensor<float> recon,
               AddGraph(*synthesis, std::move(output), size));
    return {};
  }

  std::vector<std::vector<Gram>> Take() {
    for (auto& grams : grams_) {
      for (Gram& gram : grams) Finish(gram);
    }
    return std::move(grams_);
  }

 private:
  Result<Tensor<float>> AddGraph(const FloatGraph& graph, Tensor<float> input, Size2 size) {
    std::vector<Tensor<float>> inputs;
    inputs.push_back(std::move(input));
    LICHEN_TRY(
        std::vector<Tensor<float>> tensors,
        RunFloatGraph(graph, std::move(inputs), {.reference = size, .keep_all = true}, threads_));
    auto& grams = grams_[static_cast<size_t>(&graph - net_.graphs.data())];
    for (size_t i = 0; i < grams.size(); ++i) {
      if (grams[i].phases.empty()) continue;
      const FloatNode& node = graph.nodes[i];
      AddSamples(node, tensors[static_cast<size_t>(node.inputs[0].index)], generator_, grams[i]);
    }
    return std::move(tensors[static_cast<size_t>(graph.outputs[0].index)]);
  }

  const FloatNet& net_;
  const Threads threads_{1};
  std::mt19937 generator_{1};
  std::vector<std::vector<Gram>> grams_;
};

}  // namespace

Result<std::vector<std::vector<Gram>>> CollectGrams(const FloatNet& net,
                                                    const Calibration& calibration) {
  GramCollector collector(net);
  const size_t count = std::min(kMaxPictures, calibration.pictures.size());
  for (size_t i = 0; i < count; ++i) {
    const CalibrationPicture& picture =
        calibration.pictures[i * calibration.pictures.size() / count];
    LICHEN_TRY_VOID(InPlace(picture.name, collector.AddPicture(picture.image)));
  }
  return collector.Take();
}

void RefineRounding(const GramPhase& phase, const std::vector<double>& targets,
                    const std::vector<double>& input_scale, int64_t min, int64_t max,
                    std::vector<int16_t>& rounded) {
  const size_t width = phase.inputs.size();
  // error[i]: of weight i in real units; pull[i]: half the slope of e' G e there.
  std::vector<float> error(width);
  std::vector<float> pull(width, 0.0F);
  for (size_t i = 0; i < width; ++i) {
    const size_t at = phase.inputs[i];
    error[i] = static_cast<float>((targets[at] - rounded[at]) / input_scale[at]);
  }
  for (size_t i = 0; i < width; ++i) {
    const float* row = phase.matrix.data() + i * width;
    for (size_t j = 0; j < width; ++j) pull[j] += row[j] * error[i];
  }
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    bool is_changed = false;
    for (size_t i = 0; i < width; ++i) {
      const float* row = phase.matrix.data() + i * width;
      if (row[i] <= 0) continue;
      const size_t at = phase.inputs[i];
      const double best_error = error[i] - pull[i] / row[i];
      const double wanted = std::floor(targets[at] - best_error * input_scale[at] + 0.5);
      const double bounded = std::clamp(wanted, static_cast<double>(min), static_cast<double>(max));
      if (bounded == rounded[at]) continue;
      const auto delta = static_cast<float>((rounded[at] - bounded) / input_scale[at]);
      rounded[at] = static_cast<int16_t>(bounded);
      error[i] += delta;
      for (size_t j = 0; j < width; ++j) pull[j] += row[j] * delta;
      is_changed = true;
    }
    if (!is_changed) break;
  }
}

}  // namespace lichen
