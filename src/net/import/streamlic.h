// What StreamLIC's importer and exporter share: the network of a safetensors file.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "net/import/safetensors.h"
#include "net/int_net.h"

namespace lichen {

// Where output channel n = 4c + 2i + j of a layer before PixelShuffle goes in the order of
// kDepthToSpace: (2i + j) * C + c, of 4C `channels`.
inline int64_t StreamlicShuffledChannel(int64_t n, int64_t channels) {
  return n % 4 * (channels / 4) + n / 4;
}

// Not yet checked by CheckIntNet().
Result<IntNet> StreamlicNet(const Safetensors& file);

// floor(clamp((v * final_scale + 0.5) * 255, 0, 255)), with a 16-bit multiplier: at most 1 code off.
Result<ChannelRequant> StreamlicFinalRequant(double final_scale);

// The table sets that `lichen export` adds: table/<set>/{position,prob_bits,count,min_symbol,has_escape,
// frequencies}. None: an empty vector.
Result<std::vector<TableSet>> StreamlicTables(const Safetensors& file);

}  // namespace lichen
