#include "codec/codec.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "codec/codec_impl.h"
#include "net/identity.h"
#include "net/shapes.h"

namespace lichen {
namespace {

constexpr int64_t kMaxOutput = 65535;

// Picture rows per latent row, or an error if the analysis has no whole ratio.
Result<int64_t> Downscale(const IntGraph& analysis, const IntGraph& synthesis) {
  for (int64_t ratio = 1; ratio <= 255; ++ratio) {
    const int64_t side = ratio * 64;
    auto sizes = InferSizes(analysis, {{side, side}}, {side, side});
    if (!sizes) continue;
    const Size2 out = (*sizes)[static_cast<size_t>(analysis.outputs[0].index)];
    if (out != Size2{64, 64}) continue;
    auto back = InferSizes(synthesis, {out}, {side, side});
    if (back && (*back)[static_cast<size_t>(synthesis.outputs[0].index)] == Size2{side, side}) {
      return ratio;
    }
  }
  return Fail("the model is no codec: its synthesis does not undo the size of its analysis");
}

Result<void> CheckRanges(const IntGraph& analysis, const IntGraph& synthesis,
                         const LatentCoding& coding) {
  const TensorInfo& input = analysis.tensor(analysis.inputs[0]);
  const TensorInfo& output = synthesis.tensor(synthesis.outputs[0]);
  const TensorInfo& y = analysis.tensor(analysis.outputs[0]);
  const TensorInfo& y_hat = synthesis.tensor(synthesis.inputs[0]);
  if (input.range.min != 0 || input.range.max < 1 || input.range.max > kMaxOutput) {
    return Fail("tensor '{}' must hold pictures: range 0 to at most {}", input.name, kMaxOutput);
  }
  if (output.range.min != 0 || output.range.max < 1 || output.range.max > kMaxOutput) {
    return Fail("tensor '{}' must hold pictures: range 0 to at most {}", output.name, kMaxOutput);
  }
  if (input.channels != output.channels || (input.channels != 1 && input.channels != 3)) {
    return Fail("the codec must take and give 1 or 3 channels, not {} and {}", input.channels,
                output.channels);
  }
  if (y.channels != y_hat.channels) {
    return Fail("analysis gives {} latent channels, synthesis takes {}", y.channels,
                y_hat.channels);
  }
  if (coding.symbol_range.min < INT16_MIN || coding.symbol_range.max > INT16_MAX) {
    return Fail("symbols must fit 16 bits");
  }
  return {};
}

}  // namespace

Size2 Codec::Impl::PaddedSize(const ImageInfo& info) const {
  const int64_t m = coding.size_multiple;
  return {(info.height + m - 1) / m * m, (info.width + m - 1) / m * m};
}

Size2 Codec::Impl::LatentSize(const ImageInfo& info) const {
  const Size2 padded = PaddedSize(info);
  return {(padded.h + downscale - 1) / downscale, (padded.w + downscale - 1) / downscale};
}

Result<void> Codec::Impl::CheckSizes(const ImageInfo& info) const {
  const Size2 padded = PaddedSize(info);
  const Size2 latent = LatentSize(info);
  const auto gives = [&](const IntGraph& graph, Size2 in, Size2 out) -> Result<void> {
    LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, {in}, padded));
    const Size2 made = sizes[static_cast<size_t>(graph.outputs[0].index)];
    if (made == out) return {};
    return Fail(
        "the model cannot code a picture of {}x{}: its graph '{}' gives {}x{} instead of "
        "{}x{}",
        info.height, info.width, graph.name, made.h, made.w, out.h, out.w);
  };
  LICHEN_TRY_VOID(gives(analysis.graph(), padded, latent));
  return gives(synthesis.graph(), latent, padded);
}

std::vector<int32_t> InputLut(int max_sample, int64_t input_max) {
  std::vector<int32_t> lut;
  for (int64_t v = 0; v <= max_sample; ++v) {
    lut.push_back(static_cast<int32_t>((2 * v * input_max + max_sample) / (2 * max_sample)));
  }
  return lut;
}

std::vector<uint16_t> OutputLut(int64_t output_max, int max_sample) {
  std::vector<uint16_t> lut;
  for (int64_t v = 0; v <= output_max; ++v) {
    lut.push_back(static_cast<uint16_t>((2 * v * max_sample + output_max) / (2 * output_max)));
  }
  return lut;
}

Result<Codec> Codec::Create(const IntNet& net) {
  const IntGraph* analysis = net.Find("analysis");
  const IntGraph* synthesis = net.Find("synthesis");
  if (!analysis || !synthesis || analysis->inputs.size() != 1 || analysis->outputs.size() != 1 ||
      synthesis->inputs.size() != 1 || synthesis->outputs.size() != 1) {
    return Fail("the model is no codec: it needs graphs 'analysis' and 'synthesis'");
  }
  if (net.Find("context") || net.Find("hyper_synthesis")) {
    return Fail(
        "the model has a hyper-prior or a row context, which this version runs "
        "(lichen run) but does not code yet");
  }
  LICHEN_TRY_VOID(CheckRanges(*analysis, *synthesis, net.coding));
  const TensorInfo& y = analysis->tensor(analysis->outputs[0]);
  const TableSet* set = net.FindTables("latent");
  if (!set || static_cast<int64_t>(set->tables.size()) != y.channels) {
    return Fail(
        "the model has no probability tables for its {} latent channels; quantise it with "
        "--calib to fit them",
        y.channels);
  }
  for (const ProbabilityTable& table : set->tables) {
    if (!table.has_escape) return Fail("a table of set 'latent' has no escape");
  }
  LICHEN_TRY(PreparedTables tables, PreparedTables::Create(*set));
  double min_bits = 0;
  for (const ProbabilityTable& table : set->tables) {
    const uint32_t largest = *std::max_element(table.frequencies.begin(), table.frequencies.end());
    min_bits += set->prob_bits - std::log2(static_cast<double>(largest));
  }
  LICHEN_TRY(const int64_t downscale, Downscale(*analysis, *synthesis));
  return Codec(std::unique_ptr<Impl>(
      new Impl{.analysis = CodecGraph(*analysis),
               .synthesis = CodecGraph(*synthesis),
               .tables = std::move(tables),
               .coding = net.coding,
               .identity = ModelIdentity(net),
               .downscale = downscale,
               .latent_channels = y.channels,
               .picture_channels = analysis->tensor(analysis->inputs[0]).channels,
               .input_range = analysis->tensor(analysis->inputs[0]).range,
               .output_range = synthesis->tensor(synthesis->outputs[0]).range,
               .latent_range = y.range,
               .min_bits_per_pixel = min_bits}));
}

Codec::Codec(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Codec::Codec(Codec&&) noexcept = default;
Codec& Codec::operator=(Codec&&) noexcept = default;
Codec::~Codec() = default;
const Sha256Digest& Codec::identity() const { return impl_->identity; }
int64_t Codec::latent_channels() const { return impl_->latent_channels; }
int64_t Codec::picture_channels() const { return impl_->picture_channels; }
int64_t Codec::downscale() const { return impl_->downscale; }

}  // namespace lichen
