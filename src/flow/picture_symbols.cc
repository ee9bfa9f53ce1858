#include "flow/picture_symbols.h"

#include <algorithm>
#include <utility>

#include "engine/row_context.h"
#include "flow/model_input.h"
#include "image/reader.h"

namespace lichen {
namespace {

// A whole tensor through a graph of one input and one output, of which only the output is kept.
Result<Tensor<int32_t>> RunToOutput(const CompiledGraph& graph, const Tensor<int32_t>& input,
                                    Size2 reference, const Threads& threads) {
  const Size2 size{input.shape().h, input.shape().w};
  GraphRows rows;
  rows.source = [&](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
    std::copy_n(input.view().Row(0, y), row.size(), row.begin());
    return {};
  };
  Tensor<int32_t> output;
  rows.sink = [&](size_t, int64_t y, std::span<const int32_t> row) -> Result<void> {
    std::copy(row.begin(), row.end(), output.view().Row(0, y));
    return {};
  };
  LICHEN_TRY(
      GraphStream stream,
      GraphStream::Create(graph, {.input_sizes = {size}, .reference = reference}, rows, threads));
  const TensorInfo& info = graph.graph().tensor(graph.graph().outputs[0]);
  output = Tensor<int32_t>({1, stream.output_size(0).h, stream.output_size(0).w, info.channels});
  LICHEN_TRY_VOID(stream.AdvanceTo(stream.row_count()));
  return output;
}

enum ContextGraph { kAnalysis, kHyperAnalysis, kHyperSynthesis, kContext, kParameters };

}  // namespace

Result<std::vector<int16_t>> PictureSymbols(const IntNet& net, const CompiledGraph& analysis,
                                            const Image& image, const Threads& threads) {
  LICHEN_TRY(const Tensor<int32_t> input, PictureInput(net, image));
  const Size2 size{input.shape().h, input.shape().w};
  const Requant round{.post_shift = net.coding.latent_shift,
                      .min = net.coding.symbol_range.min,
                      .max = net.coding.symbol_range.max};
  std::vector<int16_t> symbols;
  GraphRows rows;
  rows.source = [&](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
    std::copy_n(input.view().Row(0, y), row.size(), row.begin());
    return {};
  };
  rows.sink = [&](size_t, int64_t, std::span<const int32_t> row) -> Result<void> {
    for (const int32_t v : row) symbols.push_back(static_cast<int16_t>(Requantise(v, round)));
    return {};
  };
  LICHEN_TRY_VOID(RunGraph(analysis, {.input_sizes = {size}, .reference = size}, rows, threads));
  return symbols;
}

Result<std::vector<std::vector<int16_t>>> SymbolsOfPictures(const IntNet& net,
                                                            const std::filesystem::path& folder,
                                                            const Threads& threads) {
  const IntGraph* graph = net.Find("analysis");
  if (!graph) return Fail("the model has no graph 'analysis'");
  const CompiledGraph analysis(*graph);
  std::error_code error;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  if (error) return Fail("{}: cannot be read: {}", folder.string(), error.message());
  std::sort(paths.begin(), paths.end());
  std::vector<std::vector<int16_t>> all;
  for (const auto& path : paths) {
    const Result<Image> image = ReadImage(path);
    if (!image) continue;
    LICHEN_TRY(std::vector<int16_t> symbols, PictureSymbols(net, analysis, *image, threads));
    all.push_back(std::move(symbols));
  }
  if (all.empty()) return Fail("{}: holds no picture", folder.string());
  return all;
}

Result<ContextSymbolMaker> ContextSymbolMaker::Create(const IntNet& net) {
  ContextSymbolMaker maker;
  maker.net_.coding = net.coding;
  for (const char* name :
       {"analysis", "hyper_analysis", "hyper_synthesis", "context", "entropy_parameters"}) {
    const IntGraph* graph = net.Find(name);
    if (!graph || graph->outputs.size() != 1) {
      return Fail("the model has no graph '{}' with one output", name);
    }
    maker.graphs_.emplace_back(*graph);
  }
  LICHEN_TRY_VOID(
      CheckRowContext(maker.graphs_[kContext].graph(), maker.graphs_[kParameters].graph()));
  if (net.coding.index_max > UINT8_MAX) {
    return Fail("index_max is {}, at most {} can be coded", net.coding.index_max, UINT8_MAX);
  }
  return maker;
}

int64_t ContextSymbolMaker::hyper_channels() const {
  const IntGraph& graph = graphs_[kHyperAnalysis].graph();
  return graph.tensor(graph.outputs[0]).channels;
}

Result<ContextSymbols> ContextSymbolMaker::Run(const Image& image, const Threads& threads) const {
  IntNet shell = net_;
  shell.graphs = {graphs_[kAnalysis].graph()};
  LICHEN_TRY(const Tensor<int32_t> input, PictureInput(shell, image));
  const Size2 reference{input.shape().h, input.shape().w};
  LICHEN_TRY(const Tensor<int32_t> y, RunToOutput(graphs_[kAnalysis], input, reference, threads));
  LICHEN_TRY(const Tensor<int32_t> z, RunToOutput(graphs_[kHyperAnalysis], y, reference, threads));
  LICHEN_TRY(const Tensor<int32_t> parameters,
             RunToOutput(graphs_[kHyperSynthesis], z, reference, threads));
  const ContextGraphs context{&graphs_[kContext], &graphs_[kParameters], ContextCoding(net_)};
  LICHEN_TRY(const ContextTensors made, RunRowContext(context, y, parameters, threads));
  ContextSymbols symbols;
  for (const int32_t v : made.symbols.span()) symbols.latents.push_back(static_cast<int16_t>(v));
  for (const int32_t v : made.indices.span()) symbols.numbers.push_back(static_cast<uint8_t>(v));
  for (const int32_t v : z.span()) symbols.hyper.push_back(static_cast<int16_t>(v));
  return symbols;
}

}  // namespace lichen
