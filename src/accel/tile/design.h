// A tile engine's parameters: the array, its buffers and its ports.
//
// Contract: docs/tile.md gives their meaning. A design file is TOML with these keys; unknown keys
// are errors. CheckDesign() accepts what the generator can build.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "target/board.h"

namespace lichen::tile {

// What a layer's mapping is pinned to; 0: the compiler chooses.
struct PinnedTile {
  std::string layer;
  int64_t rows = 0;     // Tr, Tc: of a tile, output rows and columns of the array's positions (of
  int64_t columns = 0;  // transposed convolutions before their phases)
  int64_t output_channels = 0;  // Tof: of a block of weights (of transposed ones, of all phases)
  int64_t input_channels = 0;   // Tif: must be all
  bool operator==(const PinnedTile&) const = default;
};

struct Design {
  std::string name;
  int64_t pif = 4;   // input elements of a pixel per cycle
  int64_t pof = 16;  // output channels per cycle
  int64_t poy = 1;   // output rows and columns per cycle
  int64_t pox = 16;
  int64_t operand_bits = 16;  // 16, or 8: two products per DSP
  int64_t epilogue_lanes = 8;
  int64_t input_buffer_words = 4096;    // of pif elements, in each of poy * pox banks
  int64_t weight_buffer_words = 8192;   // of pif * pof weights
  int64_t parameter_buffer_words = 64;  // of pof records
  int64_t middle_buffer_words = 2048;   // of epilogue_lanes elements, in each bank
  int64_t output_buffer_words = 16384;  // of epilogue_lanes elements
  int64_t dma_ports = 4;
  int64_t dma_bits = 128;
  double clock_mhz = 200;
  // Pins of all layers, as in PinnedTile, and those of single layers, which come first.
  int64_t tile_rows = 0;
  int64_t tile_columns = 0;
  int64_t tile_output_channels = 0;
  int64_t tile_input_channels = 0;
  std::vector<PinnedTile> tiles;

  int64_t ElementBytes() const { return operand_bits / 8; }
  int64_t PixelLanes() const { return poy * pox; }
  int64_t MacsPerCycle() const { return pif * pof * poy * pox; }
  int64_t WeightWordBytes() const { return pif * pof * ElementBytes(); }
  int64_t ParameterWordBytes() const { return pof * 16; }
  PinnedTile PinOf(const std::string& layer) const;
  bool operator==(const Design&) const = default;
};

// Whether the board has what the engine is made of, its numbers aside: DSP48E2, ports of this width.
Fit CheckBoard(const Design& design, const Board& board);

// What the generator cannot build, or nothing.
Result<void> CheckDesign(const Design& design);

// Errors name the file, line and key.
Result<Design> LoadDesign(const std::filesystem::path& path);
Result<Design> ParseDesign(std::string_view text, const std::string& place);
std::string ToToml(const Design& design);

}  // namespace lichen::tile
