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
// Latent rows per segment that an encoder takes.
constexpr int64_t kSegmentRows = 8;
constexpr int64_t kContextSegmentRows = 128;
constexpr int64_t kContextSegmentSymbols = int64_t{1} << 23;

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

// What a position (all channels) costs at least, with a table for each channel.
double MinBits(const TableSet& set) {
  double bits = 0;
  for (const ProbabilityTable& table : set.tables) {
    const uint32_t largest = *std::max_element(table.frequencies.begin(), table.frequencies.end());
    bits += set.prob_bits - std::log2(static_cast<double>(largest));
  }
  return bits;
}

// The same for one symbol of any table.
double MinBitsOfOne(const TableSet& set) {
  double bits = set.prob_bits;
  for (const ProbabilityTable& table : set.tables) {
    bits = std::min(bits, MinBits({.name = {}, .prob_bits = set.prob_bits, .tables = {table}}));
  }
  return bits;
}

// Every symbol of the range needs an entry, or the escape's.
Result<void> CheckCoverage(const TableSet& set, ValueRange symbols) {
  for (size_t i = 0; i < set.tables.size(); ++i) {
    const ProbabilityTable& table = set.tables[i];
    if (table.has_escape) continue;
    if (table.min_symbol > symbols.min || table.MaxSymbol() < symbols.max) {
      return Fail("table {} of set '{}' has no escape and holds {} to {} of the symbols {} to {}",
                  i, set.name, table.min_symbol, table.MaxSymbol(), symbols.min, symbols.max);
    }
  }
  return {};
}

Result<const IntGraph*> FindGraph(const IntNet& net, std::string_view name, size_t inputs) {
  const IntGraph* graph = net.Find(name);
  if (!graph) {
    return Fail("the model codes with a hyper-prior and a row context, but has no graph '{}'",
                name);
  }
  if (graph->inputs.size() != inputs || graph->outputs.size() != 1) {
    return Fail("graph '{}' must have {} inputs and one output", name, inputs);
  }
  return graph;
}

Result<void> CheckChannels(const IntGraph& from, const IntGraph& to, size_t input) {
  const TensorInfo& given = from.tensor(from.outputs[0]);
  const TensorInfo& taken = to.tensor(to.inputs[input]);
  if (given.channels == taken.channels) return {};
  return Fail("graph '{}' gives {} channels, '{}' takes {}", from.name, given.channels, to.name,
              taken.channels);
}

Result<std::unique_ptr<HyperParts>> CreateHyperParts(const IntNet& net) {
  LICHEN_TRY(const IntGraph* analysis, FindGraph(net, "hyper_analysis", 1));
  LICHEN_TRY(const IntGraph* synthesis, FindGraph(net, "hyper_synthesis", 1));
  LICHEN_TRY(const IntGraph* context, FindGraph(net, "context", 1));
  LICHEN_TRY(const IntGraph* parameters, FindGraph(net, "entropy_parameters", 2));
  LICHEN_TRY(const IntGraph* y, FindGraph(net, "analysis", 1));
  LICHEN_TRY_VOID(CheckChannels(*y, *analysis, 0));
  LICHEN_TRY_VOID(CheckChannels(*y, *context, 0));
  LICHEN_TRY_VOID(CheckChannels(*analysis, *synthesis, 0));
  LICHEN_TRY_VOID(CheckChannels(*context, *parameters, 0));
  LICHEN_TRY_VOID(CheckChannels(*synthesis, *parameters, 1));
  LICHEN_TRY_VOID(CheckRowContext(*context, *parameters));
  const int64_t latents = y->tensor(y->outputs[0]).channels;
  if (parameters->tensor(parameters->outputs[0]).channels != 2 * latents) {
    return Fail("graph 'entropy_parameters' must give a mean and an index for {} channels",
                latents);
  }
  if (net.coding.index_max > UINT8_MAX) {
    return Fail("index_max is {}, at most {} can be coded", net.coding.index_max, UINT8_MAX);
  }
  const TensorInfo& z = analysis->tensor(analysis->outputs[0]);
  if (z.range.min < INT16_MIN || z.range.max > INT16_MAX) {
    return Fail("hyper-latents must fit 16 bits");
  }
  const TableSet* set = net.FindTables("hyper_latent");
  if (!set || static_cast<int64_t>(set->tables.size()) != z.channels) {
    return Fail(
        "the model has no probability tables for its {} hyper-latent channels (set "
        "'hyper_latent'); fit them to pictures with `lichen fit MODEL --calib DIR -o OUT`",
        z.channels);
  }
  LICHEN_TRY_VOID(CheckCoverage(*set, z.range));
  LICHEN_TRY(PreparedTables tables, PreparedTables::Create(*set));
  return std::unique_ptr<HyperParts>(new HyperParts{.analysis = CodecGraph(*analysis),
                                                    .synthesis = CodecGraph(*synthesis),
                                                    .context = CodecGraph(*context),
                                                    .entropy_parameters = CodecGraph(*parameters),
                                                    .tables = std::move(tables),
                                                    .channels = z.channels,
                                                    .min_bits_per_pixel = MinBits(*set)});
}

// The set `latent`: a table for each channel, or with a context for each index.
Result<const TableSet*> FindLatentTables(const IntNet& net, int64_t channels, bool has_context) {
  const TableSet* set = net.FindTables("latent");
  const int64_t wanted = has_context ? int64_t{net.coding.index_max} + 1 : channels;
  if (!set || static_cast<int64_t>(set->tables.size()) != wanted) {
    return Fail(
        "the model has no probability tables for its {} {} (set 'latent'); fit them to pictures "
        "with `lichen fit MODEL --calib DIR -o OUT`",
        wanted, has_context ? "indices" : "latent channels");
  }
  if (has_context) {
    LICHEN_TRY_VOID(CheckCoverage(*set, net.coding.symbol_range));
    return set;
  }
  for (const ProbabilityTable& table : set->tables) {
    if (!table.has_escape) return Fail("a table of set 'latent' has no escape");
  }
  return set;
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
  LICHEN_TRY_VOID(gives(synthesis.graph(), latent, padded));
  if (!hyper) return {};
  LICHEN_TRY(const Size2 z, HyperSize(info));
  return gives(hyper->synthesis.graph(), z, latent);
}

Result<Size2> Codec::Impl::HyperSize(const ImageInfo& info) const {
  const IntGraph& graph = hyper->analysis.graph();
  LICHEN_TRY(const std::vector<Size2> sizes,
             InferSizes(graph, {LatentSize(info)}, PaddedSize(info)));
  return sizes[static_cast<size_t>(graph.outputs[0].index)];
}

int64_t Codec::Impl::DefaultSegmentRows(const ImageInfo& info) const {
  const Size2 latent = LatentSize(info);
  const int64_t rows = (info.height + downscale - 1) / downscale;
  if (!hyper) return kSegmentRows;
  // A context that starts anew knows nothing of the rows above, so segments are long; but an encoder
  // holds a segment's symbols. All about equally long, lest the last be very short.
  const int64_t row_symbols = std::max<int64_t>(latent.w * latent_channels, 1);
  const int64_t wanted =
      std::clamp<int64_t>(kContextSegmentSymbols / row_symbols, kSegmentRows, kContextSegmentRows);
  const int64_t count = std::max<int64_t>((rows + wanted / 2) / wanted, 1);
  return std::min<int64_t>((rows + count - 1) / count, 65535);
}

ContextGraphs Codec::Impl::Context() const {
  return {&hyper->context.compiled(),
          &hyper->entropy_parameters.compiled(),
          {coding.latent_shift, coding.symbol_range, coding.index_max}};
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

Result<Codec> Codec::Create(IntNet given) {
  auto net = std::make_unique<const IntNet>(std::move(given));
  const IntGraph* analysis = net->Find("analysis");
  const IntGraph* synthesis = net->Find("synthesis");
  if (!analysis || !synthesis || analysis->inputs.size() != 1 || analysis->outputs.size() != 1 ||
      synthesis->inputs.size() != 1 || synthesis->outputs.size() != 1) {
    return Fail("the model is no codec: it needs graphs 'analysis' and 'synthesis'");
  }
  LICHEN_TRY_VOID(CheckRanges(*analysis, *synthesis, net->coding));
  const TensorInfo& y = analysis->tensor(analysis->outputs[0]);
  const bool has_context = net->Find("context") || net->Find("hyper_synthesis");
  LICHEN_TRY(const TableSet* set, FindLatentTables(*net, y.channels, has_context));
  std::unique_ptr<HyperParts> hyper;
  if (has_context) {
    LICHEN_TRY(hyper, CreateHyperParts(*net));
  }
  LICHEN_TRY(PreparedTables tables, PreparedTables::Create(*set));
  const double min_bits =
      has_context ? static_cast<double>(y.channels) * MinBitsOfOne(*set) : MinBits(*set);
  LICHEN_TRY(const int64_t downscale, Downscale(*analysis, *synthesis));
  const LatentCoding coding = net->coding;
  return Codec(std::unique_ptr<Impl>(
      new Impl{.net = std::move(net),
               .analysis = CodecGraph(*analysis),
               .synthesis = CodecGraph(*synthesis),
               .tables = std::move(tables),
               .coding = coding,
               .downscale = downscale,
               .latent_channels = y.channels,
               .picture_channels = analysis->tensor(analysis->inputs[0]).channels,
               .input_range = analysis->tensor(analysis->inputs[0]).range,
               .output_range = synthesis->tensor(synthesis->outputs[0]).range,
               .latent_range = y.range,
               .min_bits_per_pixel = min_bits,
               .hyper = std::move(hyper)}));
}

const Sha256Digest& Codec::Impl::Identity() const {
  std::call_once(identity_once, [this] { identity = ModelIdentity(*net); });
  return identity;
}

void Codec::Impl::Prepare(bool encoder, const Threads& threads) const {
  std::vector<const CodecGraph*> graphs = {encoder ? &analysis : &synthesis};
  if (hyper) {
    graphs.insert(graphs.end(), {&hyper->synthesis, &hyper->context, &hyper->entropy_parameters});
    if (encoder) graphs.push_back(&hyper->analysis);
  }
  threads.For(static_cast<int64_t>(graphs.size()) + 1, [&](int64_t i) {
    if (i == 0) {
      Identity();
    } else {
      graphs[static_cast<size_t>(i) - 1]->Compile(threads);
    }
  });
}

Codec::Codec(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Codec::Codec(Codec&&) noexcept = default;
Codec& Codec::operator=(Codec&&) noexcept = default;
Codec::~Codec() = default;
void Codec::Prepare(bool encoder, const Threads& threads) const {
  impl_->Prepare(encoder, threads);
}
const Sha256Digest& Codec::identity() const { return impl_->Identity(); }
int64_t Codec::latent_channels() const { return impl_->latent_channels; }
int64_t Codec::picture_channels() const { return impl_->picture_channels; }
int64_t Codec::downscale() const { return impl_->downscale; }
bool Codec::has_context() const { return impl_->hyper != nullptr; }

}  // namespace lichen
