#include "flow/picture_symbols.h"

#include <algorithm>

#include "flow/model_input.h"
#include "image/reader.h"

namespace lichen {

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

}  // namespace lichen
