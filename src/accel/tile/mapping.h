// How one layer runs on a design: folding, lanes and their taps, blocks of weights, tile, buffers.
//
// Contract: MapLayer() does what does not depend on the tile, SizeTile() the rest. choose.h picks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/layer.h"
#include "target/board.h"

namespace lichen::tile {

// A run of lane groups that share a rectangle of taps and input channels: one COMPUTE.
struct Pass {
  int64_t first_group = 0;
  int64_t groups = 0;
  int64_t tap_y = 0;  // first
  int64_t tap_x = 0;
  int64_t taps_y = 0;
  int64_t taps_x = 0;
  int64_t first_chunk = 0;
  int64_t chunks = 0;
  int64_t weight_word = 0;      // from the block's first
  int64_t parameter_group = 0;  // likewise

  int64_t Steps() const { return taps_y * taps_x * chunks; }
  int64_t Words() const { return groups * Steps(); }
};

// Lane groups whose weights and parameters are in their buffers together. Weights: of the passes,
// then of norm_groups groups of the norm. Parameters: the constants of the sums and a word for each
// group, then of the norm the constants and two words for each group; either may be missing.
struct WeightBlock {
  std::vector<Pass> passes;
  std::vector<Pass> norm_passes;  // of every phase, with the same weights
  int64_t first_group = 0;
  int64_t groups = 0;
  int64_t first_norm_group = 0;
  int64_t norm_groups = 0;
  int64_t weight_words = 0;
  int64_t norm_parameter_word = 0;  // its constants
  int64_t parameter_words = 0;
};

// Lanes of one row phase, side by side: column phases [first_x, first_x + phases_x), their channels.
struct Strip {
  int64_t phase_y = 0;
  int64_t first_x = 0;
  int64_t phases_x = 0;
  int64_t first_lane = 0;
};

// Which loop is outside where a layer has several blocks of weights.
enum class LoopOrder : uint8_t {
  kTiles,   // a tile stays while all blocks come, which come again for every tile
  kBlocks,  // a block stays while all tiles come, which come again for every block
};

struct Mapping {
  // Input pixels as the array reads them: folded, a pixel is pif elements of the row.
  bool is_folded = false;
  int64_t fold_shift = 0;      // elements before the first tap's that get weight 0
  int64_t pixel_elements = 0;  // in memory
  int64_t chunks = 0;          // words per pixel
  int64_t taps_x = 0;          // in pixels, as folded
  int64_t stride_x = 0;
  int64_t pad_x = 0;
  // Lanes: the strips, padded to whole groups.
  int64_t lane_channels = 0;    // of a phase, with padding
  int64_t stored_channels = 0;  // of them that go to memory
  int64_t lane_count = 0;
  std::vector<Strip> strips;  // of each row phase the first columns' before the rest
  std::vector<WeightBlock> blocks;
  LoopOrder order = LoopOrder::kTiles;

  // Tile, in positions.
  int64_t row_groups = 0;
  int64_t column_groups = 0;
  int64_t tile_rows = 0;     // row_groups * poy
  int64_t tile_columns = 0;  // column_groups * pox
  int64_t tiles_y = 0;
  int64_t tiles_x = 0;
  int64_t input_rows = 0;  // of a tile
  int64_t input_pixels = 0;
  int64_t row_pitch = 0;     // words of a bank
  int64_t input_words = 0;   // of a bank, per tile
  int64_t middle_words = 0;  // of a bank
  int64_t pixel_words = 0;   // of the output buffer
  int64_t output_words = 0;  // per tile
  // Pixels go to memory one by one, as others write the rest of them.
  bool stores_pixels = false;
  // Whether the next tile has room beside this one.
  bool is_input_double = true;
  bool is_output_double = true;

  int64_t Tiles() const { return tiles_y * tiles_x; }
  // Tiles as they are loaded, computed and stored.
  int64_t Rounds() const {
    return order == LoopOrder::kTiles ? Tiles() : Tiles() * static_cast<int64_t>(blocks.size());
  }
  // How often the layer's weights are fetched.
  int64_t Fetches() const { return order == LoopOrder::kTiles && blocks.size() > 1 ? Tiles() : 1; }
  int64_t WeightWords() const;  // of all blocks
  int64_t ParameterWords() const;
};

struct MappingChoice {
  Fit fit;
  Mapping mapping;
};

// `block_channels`: output channels (of all phases) of a block of weights; 0: as many as fit.
// Strides are the numbers of elements per pixel in memory: of the input a multiple of pif, or its
// channels where they can be folded; of the output what the layer writes of a pixel.
// "No": a group's weights exceed the buffer.
MappingChoice MapLayer(const Layer& layer, const Design& design, int64_t input_stride,
                       int64_t output_stride, int64_t block_channels = 0);
// Fills in all that depends on the tile, of so many groups of poy rows and pox columns.
void SizeTile(const Layer& layer, const Design& design, int64_t row_groups, int64_t column_groups,
              LoopOrder order, Mapping& mapping);
// Whether the layer's blocks may be the outer loop: each stores its own channels.
bool MayLoopBlocksOutside(const Layer& layer, const Mapping& mapping);
// Whether tiles of this size can be pooled where they are stored: no window reaches into the next.
bool CanPoolTiles(const Layer& layer, const Mapping& mapping);

// Elements per pixel in memory of a tensor with so many channels, that suit all who read it.
int64_t TensorStride(const std::vector<Layer>& layers, TensorId tensor, int64_t channels,
                     const Design& design);
// Of the layer's output tensor, the elements per pixel that the layer writes.
int64_t OutputStride(const std::vector<Layer>& layers, const Layer& layer, const Design& design);

// Constant delays of the engine (rtl/README.md, Timing), which simulator and estimate share.
// From a set's last step to its first word in a buffer, less the words before it.
constexpr int64_t EpilogueLatency(const Design& design) {
  return design.operand_bits == 16 ? design.pif + 44 : std::min<int64_t>(design.pif, 4) + 47;
}
// Between the starts of two instructions of the compute unit.
inline constexpr int64_t kPrepareCycles = 10;
// Of the sums of one set, from the array through the epilogue.
inline int64_t DrainCycles(const Design& design) {
  return design.PixelLanes() * design.pof / design.epilogue_lanes;
}

}  // namespace lichen::tile
