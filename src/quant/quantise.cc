#include "quant/quantise.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "net/check.h"
#include "quant/collect.h"
#include "quant/gram.h"
#include "quant/measure.h"
#include "quant/nodes.h"
#include "quant/ranges.h"

namespace lichen {
namespace {

// Unsigned bits of a picture at 16 bits: 8-bit samples times 16.
constexpr int kWidePictureBits = 12;

// Operands of a 16-bit net: fewer bits than fit leave room for wider weights in an accumulator.
constexpr int kWideOperandBits = 15;
constexpr double kWideMargin = 2;
constexpr double kNarrowMargin = 1;
constexpr double kLatentMargin = 2;
constexpr int kMainOutputBits = 16;
constexpr int kMaxLatentShift = 12;

class Quantiser {
 public:
  Quantiser(const FloatNet& net, const Calibration& calibration, const QuantOptions& options,
            const Threads& threads)
      : net_(net), calibration_(calibration), options_(options), threads_(threads) {
    if (options_.margin == 0) options_.margin = IsWide() ? kWideMargin : kNarrowMargin;
    if (options_.percentile == 0 && IsWide()) options_.percentile = 100;
  }

  Result<QuantResult> Run() {
    LICHEN_TRY_VOID(CheckOptions());
    LICHEN_TRY(const auto statistics, CollectStatistics(net_, calibration_, threads_));
    result_.net.coding.size_multiple = net_.size_multiple;
    result_.net.metadata = net_.metadata;
    if (net_.Find("synthesis")) ChooseLatents(statistics);
    if (!IsWide()) {
      LICHEN_TRY(grams_, CollectGrams(net_, calibration_));
    }
    for (size_t i = 0; i < net_.graphs.size(); ++i) {
      LICHEN_TRY(IntGraph graph, QuantiseGraph(i, statistics[i]));
      result_.net.graphs.push_back(std::move(graph));
    }
    NoteOutputScale();
    LICHEN_TRY(const std::vector<AccumulatorProof> proofs, CheckIntNet(result_.net));
    for (size_t i = 0; i < net_.graphs.size(); ++i) Report(i, statistics[i], proofs);
    LICHEN_TRY_VOID(Measure());
    return std::move(result_);
  }

 private:
  bool IsWide() const { return options_.bits > 8; }

  Result<void> CheckOptions() const {
    if (options_.bits != 8 && options_.bits != 16) {
      return FailUsage("nets are quantised to 8 or 16 bits, not {}", options_.bits);
    }
    if (!(options_.margin > 0 && options_.margin <= 64) || options_.percentile < 0 ||
        options_.percentile > 100 || options_.products_per_segment < 1) {
      return FailUsage("margin {}, percentile {} or products_per_segment {} is out of range",
                       options_.margin, options_.percentile, options_.products_per_segment);
    }
    if (calibration_.pictures.empty()) return Fail("there is no calibration picture");
    std::set<std::string> names;
    for (const FloatGraph& graph : net_.graphs) {
      for (const FloatNode& node : graph.nodes) names.insert(graph.tensor(node.output).name);
    }
    for (const LayerBits& layer : options_.layers) {
      if (!names.contains(layer.layer)) return FailUsage("the net has no layer {}", layer.layer);
      for (int bits : {layer.operand_bits, layer.weight_bits}) {
        if (bits != 0 && (bits < 2 || bits > 16)) {
          return FailUsage("layer {}: {} bits; operands and weights have 2 to 16", layer.layer,
                           bits);
        }
      }
    }
    return CheckFloatNet(net_);
  }

  // Metadata `div`, by which a detection head is read: the raw value of 1 in the output of `main`.
  void NoteOutputScale() {
    const IntGraph* main = result_.net.Find("main");
    if (!main || main->outputs.size() != 1) return;
    const std::vector<double>& scale = main->tensor(main->outputs[0]).scale;
    const bool is_uniform =
        std::all_of(scale.begin(), scale.end(), [&](double s) { return s == scale[0]; });
    if (is_uniform) result_.net.metadata["div"] = fmt::format("{}", 1 / scale[0]);
  }

  const LayerBits* BitsOfLayer(const std::string& name) const {
    for (const LayerBits& layer : options_.layers) {
      if (layer.layer == name) return &layer;
    }
    return nullptr;
  }

  // The layers that read the latents decide how wide these are.
  int LatentBits() const {
    const FloatGraph& synthesis = *net_.Find("synthesis");
    int least = options_.bits;
    bool is_set = false;
    for (const FloatNode& node : synthesis.nodes) {
      if (std::count(node.inputs.begin(), node.inputs.end(), synthesis.inputs[0]) == 0) continue;
      const LayerBits* bits = BitsOfLayer(synthesis.tensor(node.output).name);
      if (!bits || bits->operand_bits == 0) continue;
      least = is_set ? std::min(least, bits->operand_bits) : bits->operand_bits;
      is_set = true;
    }
    return least;
  }

  // Range, scale and symbols of the latents.
  void ChooseLatents(const std::vector<GraphStatistics>& statistics) {
    const FloatGraph& analysis = *net_.Find("analysis");
    const auto at = static_cast<size_t>(&analysis - net_.graphs.data());
    const TensorStatistics& y =
        statistics[at].tensors[static_cast<size_t>(analysis.outputs[0].index)];
    const double largest = std::max(1.0, kLatentMargin * y.MaxAbs());
    const int64_t max_raw = (int64_t{1} << (LatentBits() - 1)) - 1;
    const double steps = std::log2(static_cast<double>(max_raw) / largest);
    const int shift = std::clamp(static_cast<int>(std::floor(steps)), 0, kMaxLatentShift);
    const auto wanted = static_cast<int64_t>(std::ceil(std::ldexp(largest, shift)));
    const int64_t max = std::min(max_raw, wanted);
    latents_ = {.range = {-max, max}, .scale = std::exp2(-shift)};
    LatentCoding& coding = result_.net.coding;
    coding.latent_shift = shift;
    coding.symbol_range = {-(max >> shift), max >> shift};
    result_.report.latent_shift = shift;
  }

  // The picture at so many unsigned bits: from 8 bits up a whole multiple of its 8-bit samples. 16 would not
  // fit a signed 16-bit operand.
  static FixedTensor PictureTensor(int bits) {
    const int64_t max =
        bits >= 8 ? int64_t{255} << (std::min(bits, 15) - 8) : (int64_t{1} << bits) - 1;
    return {{0, max}, 1.0 / static_cast<double>(max)};
  }

  RangeOptions OptionsOf(const FloatGraph& graph) const {
    RangeOptions ranges{.default_bits = IsWide() ? kWideOperandBits : 8,
                        .margin = options_.margin,
                        .percentile = options_.percentile};
    for (const FloatNode& node : graph.nodes) {
      const LayerBits* bits = BitsOfLayer(graph.tensor(node.output).name);
      if (bits && bits->operand_bits != 0) {
        for (TensorId in : node.inputs) {
          const auto [it, is_new] = ranges.tensor_bits.emplace(in.index, bits->operand_bits);
          it->second = std::min(it->second, bits->operand_bits);
        }
      }
      if (node.kind == OpKind::kClamp) ranges.per_tensor.push_back(node.output);
    }
    const int32_t input = graph.inputs[0].index;
    const auto picture_bits = ranges.tensor_bits.find(input);
    const FixedTensor picture =
        PictureTensor(picture_bits != ranges.tensor_bits.end() ? picture_bits->second
                      : IsWide()                               ? kWidePictureBits
                                                               : 8);
    if (graph.name == "synthesis") {
      ranges.fixed[input] = latents_;
      ranges.fixed[graph.outputs[0].index] = {{0, 65535}, 1.0 / 65535};
      return ranges;
    }
    ranges.fixed[input] = picture;
    for (TensorId out : graph.outputs) {
      if (graph.name == "analysis") {
        ranges.fixed[out.index] = latents_;
      } else {
        ranges.per_tensor.push_back(out);
        ranges.tensor_bits.emplace(out.index, kMainOutputBits);
      }
    }
    return ranges;
  }

  Result<IntGraph> QuantiseGraph(size_t index, const GraphStatistics& statistics) {
    const FloatGraph& graph = net_.graphs[index];
    IntGraph result{.name = graph.name, .inputs = graph.inputs, .outputs = graph.outputs};
    LICHEN_TRY(result.tensors, ChooseRanges(graph, statistics, OptionsOf(graph)));
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const FloatNode& node = graph.nodes[i];
      const std::string& name = graph.tensor(node.output).name;
      const LayerBits* bits = BitsOfLayer(name);
      const NodeOptions node_options{
          .weight_bits = bits && bits->weight_bits != 0 ? bits->weight_bits : options_.bits,
          .products_per_segment = options_.products_per_segment,
          .gram = grams_.empty() ? nullptr : &grams_[index][i]};
      LICHEN_TRY(IntNode quantised,
                 InPlace(fmt::format("graph {}, node {} ({})", graph.name, name, Name(node.kind)),
                         QuantiseNode(graph, i, result.tensors, statistics, node_options)));
      result.nodes.push_back(std::move(quantised));
    }
    return result;
  }

  // One LayerReport per node of graph `index`, without the measurements.
  void Report(size_t index, const GraphStatistics& statistics,
              const std::vector<AccumulatorProof>& proofs) {
    const IntGraph& graph = result_.net.graphs[index];
    for (const IntNode& node : graph.nodes) {
      const TensorInfo& tensor = graph.tensor(node.output);
      LayerReport layer{.graph = graph.name,
                        .layer = tensor.name,
                        .op = std::string(Name(node.kind)),
                        .range_min = tensor.range.min,
                        .range_max = tensor.range.max};
      for (const ChannelStatistics& c :
           statistics.tensors[static_cast<size_t>(node.output.index)].channels) {
        layer.calibrated_min = std::min(layer.calibrated_min, c.min());
        layer.calibrated_max = std::max(layer.calibrated_max, c.max());
      }
      const auto [low, high] = std::minmax_element(tensor.scale.begin(), tensor.scale.end());
      layer.scale_min = *low;
      layer.scale_max = *high;
      for (const AccumulatorProof& proof : proofs) {
        if (proof.graph != graph.name || proof.node != tensor.name) continue;
        layer.operand_bits = proof.input_bits;
        layer.weight_bits = proof.weight_bits;
        layer.products = proof.products;
        layer.segments = proof.segments;
        layer.products_per_segment = proof.products_per_segment;
        layer.headroom_bits = proof.headroom_bits;
      }
      result_.report.layers.push_back(std::move(layer));
    }
  }

  Result<void> Measure() {
    QuantReport& report = result_.report;
    report.bits = options_.bits;
    report.margin = options_.margin;
    report.percentile = options_.percentile;
    report.skipped = calibration_.skipped;
    report.picture_count = static_cast<int64_t>(calibration_.pictures.size());
    report.measured_picture_count =
        std::clamp<int64_t>(options_.measured_pictures, 0, report.picture_count);
    std::vector<CalibrationPicture> measured;
    for (int64_t i = 0; i < report.measured_picture_count; ++i) {
      const int64_t at = i * report.picture_count / report.measured_picture_count;
      measured.push_back(calibration_.pictures[static_cast<size_t>(at)]);
    }
    return MeasureErrors(net_, result_.net, measured, threads_, report.layers);
  }

  const FloatNet& net_;
  const Calibration& calibration_;
  QuantOptions options_;
  const Threads& threads_;
  FixedTensor latents_;
  std::vector<std::vector<Gram>> grams_;  // at few bits, where rounding matters
  QuantResult result_;
};

}  // namespace

Result<QuantResult> Quantise(const FloatNet& net, const Calibration& calibration,
                             const QuantOptions& options, const Threads& threads) {
  return Quantiser(net, calibration, options, threads).Run();
}

}  // namespace lichen
