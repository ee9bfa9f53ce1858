// The latent symbols of pictures under a codec network, as its encoder would code them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "engine/engine.h"
#include "image/image.h"
#include "net/int_net.h"

namespace lichen {

// NHWC symbols of one picture; `analysis` is the net's, compiled.
Result<std::vector<int16_t>> PictureSymbols(const IntNet& net, const CompiledGraph& analysis,
                                            const Image& image, const Threads& threads);

// The same for each picture of a folder in the order of names; files that are no picture are left
// out. Error if there is none.
Result<std::vector<std::vector<int16_t>>> SymbolsOfPictures(const IntNet& net,
                                                            const std::filesystem::path& folder,
                                                            const Threads& threads);

// The symbols of a codec with a hyper-prior and a row context.
struct ContextSymbols {
  std::vector<int16_t> latents;  // NHWC
  std::vector<uint8_t> numbers;  // the table of each latent: its index
  std::vector<int16_t> hyper;    // NHWC
};

// Makes them for pictures, with the context running through the whole picture.
class ContextSymbolMaker {
 public:
  // Error: a graph is missing, or index_max exceeds 255. Keeps no reference to the net.
  static Result<ContextSymbolMaker> Create(const IntNet& net);
  Result<ContextSymbols> Run(const Image& image, const Threads& threads) const;
  int64_t hyper_channels() const;

 private:
  ContextSymbolMaker() = default;
  IntNet net_;  // without graphs and tables
  std::vector<CompiledGraph> graphs_;
};

}  // namespace lichen
