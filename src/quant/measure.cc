#include "quant/measure.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/engine.h"
#include "engine/float_engine.h"

namespace lichen {
namespace {

double ScaleAt(const TensorInfo& tensor, size_t c) {
  return tensor.scale[tensor.scale.size() == 1 ? 0 : c];
}

// Sums of squares while `layers` are filled.
struct Sums {
  double error = 0;
  double signal = 0;
};

void Compare(const IntGraph& graph, TensorId id, const Tensor<int32_t>& raw,
             const Tensor<float>& real, LayerReport& layer, Sums& sums) {
  const TensorInfo& info = graph.tensor(id);
  const auto channels = static_cast<size_t>(info.channels);
  const bool is_picture = graph.name == "synthesis" && graph.outputs[0] == id;
  for (size_t i = 0; i < raw.span().size(); ++i) {
    const int32_t q = raw.span()[i];
    const double scale = ScaleAt(info, i % channels);
    // Black and white, and the 0 of a ReLU, are what the range means.
    double expected = real.span()[i];
    if (info.range.min == 0) expected = std::max(expected, 0.0);
    if (is_picture) expected = std::min(expected, static_cast<double>(info.range.max) * scale);
    const double error = std::abs(q * scale - expected);
    layer.error_max = std::max(layer.error_max, error);
    sums.error += error * error;
    sums.signal += expected * expected;
    const bool is_low = q == info.range.min && info.range.min != 0;
    const bool is_high = q == info.range.max && !is_picture;
    layer.saturated_count += is_low || is_high;
  }
  layer.value_count += static_cast<int64_t>(raw.span().size());
}

class Measurement {
 public:
  Measurement(const FloatNet& net, const IntNet& integer, const Threads& threads,
              std::vector<LayerReport>& layers)
      : net_(net), integer_(integer), threads_(threads), layers_(layers), sums_(layers.size()) {}

  // Runs both graphs on raw values and returns the integer graph's first output.
  Result<Tensor<int32_t>> Run(const std::string& name, const Tensor<int32_t>& input,
                              Size2 reference) {
    const IntGraph& graph = *integer_.Find(name);
    const FloatGraph& float_graph = *net_.Find(name);
    const TensorInfo& info = graph.tensor(graph.inputs[0]);
    Tensor<float> real(input.shape());
    for (size_t i = 0; i < real.span().size(); ++i) {
      real.span()[i] = static_cast<float>(input.span()[i] *
                                          ScaleAt(info, i % static_cast<size_t>(info.channels)));
    }
    std::vector<Tensor<float>> float_inputs;
    float_inputs.push_back(std::move(real));
    LICHEN_TRY(const std::vector<Tensor<float>> expected,
               RunFloatGraph(float_graph, std::move(float_inputs),
                             {.reference = reference, .keep_all = true}, Threads(1)));
    std::vector<Tensor<int32_t>> inputs;
    inputs.push_back(input.Clone());
    LICHEN_TRY(std::vector<Tensor<int32_t>> actual,
               RunWhole(CompiledGraph(graph), inputs, reference, threads_));
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i].graph != name) continue;
      for (const IntNode& node : graph.nodes) {
        if (graph.tensor(node.output).name != layers_[i].layer) continue;
        const auto at = static_cast<size_t>(node.output.index);
        Compare(graph, node.output, actual[at], expected[at], layers_[i], sums_[i]);
      }
    }
    return std::move(actual[static_cast<size_t>(graph.outputs[0].index)]);
  }

  void Finish() {
    for (size_t i = 0; i < layers_.size(); ++i) {
      const double count = std::max<double>(1, static_cast<double>(layers_[i].value_count));
      layers_[i].error_rms = std::sqrt(sums_[i].error / count);
      layers_[i].signal_rms = std::sqrt(sums_[i].signal / count);
    }
  }

 private:
  const FloatNet& net_;
  const IntNet& integer_;
  const Threads& threads_;
  std::vector<LayerReport>& layers_;
  std::vector<Sums> sums_;
};

// The latents as the decoder gets them.
void RoundLatents(const LatentCoding& coding, Tensor<int32_t>& y) {
  const int64_t half = coding.latent_shift ? int64_t{1} << (coding.latent_shift - 1) : 0;
  for (int32_t& v : y.span()) {
    const int64_t symbol = std::clamp((v + half) >> coding.latent_shift, coding.symbol_range.min,
                                      coding.symbol_range.max);
    v = static_cast<int32_t>(symbol * (int64_t{1} << coding.latent_shift));
  }
}

}  // namespace

Tensor<int32_t> IntPicture(const Tensor<float>& picture, const TensorInfo& input) {
  Tensor<int32_t> raw(picture.shape());
  for (size_t i = 0; i < raw.span().size(); ++i) {
    const double value = std::floor(picture.span()[i] / input.scale[0] + 0.5);
    raw.span()[i] = static_cast<int32_t>(std::clamp(value, static_cast<double>(input.range.min),
                                                    static_cast<double>(input.range.max)));
  }
  return raw;
}

Result<void> MeasureErrors(const FloatNet& net, const IntNet& integer,
                           const std::vector<CalibrationPicture>& pictures, const Threads& threads,
                           std::vector<LayerReport>& layers) {
  Measurement measurement(net, integer, threads, layers);
  const bool is_codec = integer.Find("synthesis") != nullptr;
  const std::string first_name = is_codec ? "analysis" : "main";
  const IntGraph& first = *integer.Find(first_name);
  const TensorInfo& input = first.tensor(first.inputs[0]);
  for (const CalibrationPicture& picture : pictures) {
    const Tensor<float> real = FloatPicture(picture.image, input.channels, net.size_multiple);
    const Size2 size = {real.shape().h, real.shape().w};
    LICHEN_TRY(Tensor<int32_t> output,
               InPlace(picture.name, measurement.Run(first_name, IntPicture(real, input), size)));
    if (!is_codec) continue;
    RoundLatents(integer.coding, output);
    LICHEN_TRY([[maybe_unused]] const Tensor<int32_t> recon,
               InPlace(picture.name, measurement.Run("synthesis", output, size)));
  }
  measurement.Finish();
  return {};
}

}  // namespace lichen
