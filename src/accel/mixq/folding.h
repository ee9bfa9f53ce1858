// The SIMD and PE of every layer: a TOML file with a table for each layer with weights.
//
//   [layer0]     # the name of the layer's output tensor, as `lichen info` lists it
//   simd = 3     # divides kernel * input channels (1x1: input channels; depthwise: kernel)
//   pe = 16      # divides the output channels
//   [layer6]     # a linear layer:
//   simd = 1     # divides in_pe
//   pe = 1       # 2 * pe divides the output channels
//   in_pe = 8    # divides the input channels (default: simd)
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "accel/mixq/network.h"
#include "base/result.h"

namespace lichen::mixq {

// Reads the foldings of all layers and sets them. Error: names file, line and key.
Result<void> ReadFoldings(std::string_view text, const std::string& place, Network& network);
Result<void> LoadFoldings(const std::filesystem::path& path, Network& network);

}  // namespace lichen::mixq
