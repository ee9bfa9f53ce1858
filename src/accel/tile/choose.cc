#include "accel/tile/choose.h"

#include "accel/tile/estimate.h"

namespace lichen::tile {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// From the start of a LOAD to its first word, and from that of a STORE to its end less its words, with
// a memory that answers at once (rtl/README.md, Timing).
constexpr int64_t kLoadStart = 14;
constexpr int64_t kStoreEnd = 16;

// Of the array, for one tile: of the convolution, and of the norm.
struct BlockCycles {
  int64_t convolution = 0;
  int64_t norm = 0;
  int64_t Sum() const { return convolution + norm; }
};

// From the last step of a COMPUTE to its tokens.
int64_t FinishCycles(const Design& d) { return DrainCycles(d) + EpilogueLatency(d) + 1; }

BlockCycles CyclesOf(const WeightBlock& block, const Mapping& m, const Design& d) {
  const int64_t sets = m.row_groups * m.column_groups;
  const auto cycles_of = [&](const Pass& pass) {
    return std::max(sets * pass.groups * std::max(pass.Steps(), DrainCycles(d)), kPrepareCycles);
  };
  BlockCycles cycles;
  for (const Pass& pass : block.passes) cycles.convolution += cycles_of(pass);
  // Norms begin when the epilogue has written the middle buffer.
  if (block.first_norm_group == 0 && block.norm_groups > 0) cycles.norm += FinishCycles(d);
  for (const Pass& pass : block.norm_passes) cycles.norm += cycles_of(pass);
  return cycles;
}

int64_t FetchCycles(const WeightBlock& block, const Design& d) {
  return (block.weight_words * d.WeightWordBytes() +
          block.parameter_words * d.ParameterWordBytes()) /
         (d.dma_bits / 8);
}

// Whether the second block can come while the first is there.
bool FitTogether(const WeightBlock& a, const WeightBlock& b, const Design& d) {
  return a.weight_words + b.weight_words <= d.weight_buffer_words &&
         a.parameter_words + b.parameter_words <= d.parameter_buffer_words;
}

// Of a round: a tile with some blocks, as the array takes it.
struct RoundCycles {
  int64_t array = 0;   // with what it waits for weights
  int64_t input = 0;   // for which the input tile is needed
  int64_t output = 0;  // for which the output tile is filled
};

// Blocks come one after the other, each while the one before is used.
int64_t WithFetch(int64_t used, const WeightBlock& block, const WeightBlock& next,
                  const Design& d) {
  const int64_t fetch = FetchCycles(next, d);
  return FitTogether(block, next, d) ? std::max(used, fetch) : used + fetch;
}

// With all blocks, for each tile.
RoundCycles TileRound(const Mapping& m, const Design& d) {
  RoundCycles round;
  for (size_t i = 0; i < m.blocks.size(); ++i) {
    const WeightBlock& next = m.blocks[(i + 1) % m.blocks.size()];
    const BlockCycles used = CyclesOf(m.blocks[i], m, d);
    const bool has_next = m.blocks.size() > 1 && (i + 1 < m.blocks.size() || m.Fetches() > 1);
    const int64_t all = has_next ? WithFetch(used.Sum(), m.blocks[i], next, d) : used.Sum();
    round.array += all;
    if (m.blocks[i].groups > 0) round.input += all - used.norm;
  }
  const bool has_norm = m.blocks.back().norm_groups > 0;
  round.output = has_norm ? round.array - round.input : round.array;
  return round;
}

// Of the store unit, for one tile: a word a cycle, and where pixels go one by one what each costs.
int64_t StoreCycles(const Layer& layer, const Mapping& m, const Design& d) {
  const int64_t pixels = m.tile_rows * m.tile_columns;
  const int64_t e = d.epilogue_lanes;
  if (m.order == LoopOrder::kBlocks) return pixels * (m.pixel_words + 1);
  int64_t words = 0;
  for (const Strip& strip : m.strips) {
    const int64_t runs = m.stores_pixels ? strip.phases_x : 1;
    const int64_t lanes = strip.phases_x / runs * m.lane_channels;
    words += runs * ((strip.first_lane % e + lanes - 1) / e + 1 + (m.stores_pixels ? 1 : 0));
  }
  // Of the four words of a window each is read once.
  return layer.pools && m.stores_pixels ? pixels * words / 2 : pixels * words;
}

}  // namespace

LayerCycles CountCycles(const Layer& layer, const Mapping& m, const Design& d) {
  const int64_t load = m.input_rows * m.input_pixels * m.chunks;
  const int64_t store = StoreCycles(layer, m, d);
  // A place is filled, used and emptied; of two, each takes every other tile.
  const auto period = [&](const RoundCycles& round) {
    const int64_t in = load + kLoadStart + round.input + FinishCycles(d);
    const int64_t out = store + kStoreEnd + round.output + FinishCycles(d);
    return std::max({round.array, load, store, m.is_input_double ? in / 2 : in,
                     m.is_output_double ? out / 2 : out});
  };
  LayerCycles cycles{.ends = load + store + kLoadStart + kStoreEnd + FinishCycles(d)};
  if (m.order == LoopOrder::kTiles) {
    const RoundCycles round = TileRound(m, d);
    cycles.array = m.Tiles() * round.array;
    cycles.tiles = m.Tiles() * period(round);
    // A tile alone waits for nothing else.
    if (m.Tiles() == 1) cycles.tiles = round.array;
    return cycles;
  }
  for (size_t i = 0; i < m.blocks.size(); ++i) {
    const int64_t used = CyclesOf(m.blocks[i], m, d).Sum();
    const int64_t tiles = m.Tiles() * period({used, used, used});
    cycles.array += m.Tiles() * used;
    const bool has_next = i + 1 < m.blocks.size();
    cycles.tiles += has_next ? WithFetch(tiles, m.blocks[i], m.blocks[i + 1], d) : tiles;
  }
  return cycles;
}

int64_t WeightStall(const Mapping& m, const Mapping* before, int64_t cycles_before,
                    const Design& d) {
  int64_t hidden = m.input_rows * m.input_pixels * m.chunks;  // behind the first load
  if (before && FitTogether(before->blocks.back(), m.blocks.front(), d)) {
    // Beside the layer before but its first tile, or beside its last block.
    hidden += before->order == LoopOrder::kTiles && before->Fetches() == 1
                  ? cycles_before - cycles_before / std::max<int64_t>(before->Tiles(), 1)
                  : cycles_before / std::max<int64_t>(before->Rounds(), 1) /
                        static_cast<int64_t>(before->blocks.size());
  }
  return std::max<int64_t>(0, FetchCycles(m.blocks.front(), d) - hidden);
}

TileCost CostOf(const Layer& layer, const Mapping& m, const Design& d, double bytes_per_cycle) {
  const LayerCycles cycles = CountCycles(layer, m, d);
  const int64_t bytes = LayerBytes(layer, m, d);
  const auto dram = static_cast<int64_t>(static_cast<double>(bytes) / bytes_per_cycle);
  return {std::max(cycles.tiles, dram) + cycles.ends, bytes};
}

Mapping MapTile(const Layer& layer, const Design& design, const Mapping& base, int64_t row_groups,
                int64_t column_groups, double bytes_per_cycle) {
  Mapping m = base;
  SizeTile(layer, design, row_groups, column_groups, LoopOrder::kTiles, m);
  if (!MayLoopBlocksOutside(layer, m)) return m;
  Mapping other = base;
  SizeTile(layer, design, row_groups, column_groups, LoopOrder::kBlocks, other);
  const TileCost cost = CostOf(layer, m, design, bytes_per_cycle);
  const TileCost other_cost = CostOf(layer, other, design, bytes_per_cycle);
  const bool is_better =
      std::pair(other_cost.cycles, other_cost.bytes) < std::pair(cost.cycles, cost.bytes);
  return is_better ? other : m;
}

Fit FitBuffers(const Layer& layer, const Design& d, Mapping& m) {
  const struct {
    const char* what;
    int64_t needed;
    int64_t there;
  } buffers[] = {
      {"input_buffer_words", m.input_words, d.input_buffer_words},
      {"middle_buffer_words", m.middle_words, d.middle_buffer_words},
      {"output_buffer_words", m.output_words, d.output_buffer_words},
  };
  for (const auto& buffer : buffers) {
    if (buffer.needed <= buffer.there) continue;
    return {false, fmt::format("{} is {}, {} needed for tiles of {}x{}", buffer.what, buffer.there,
                               buffer.needed, m.tile_rows, m.tile_columns)};
  }
  if (!CanPoolTiles(layer, m)) {
    return {false, fmt::format("tiles of {}x{} cut windows of 2x2", m.tile_rows, m.tile_columns)};
  }
  m.is_input_double = 2 * m.input_words <= d.input_buffer_words;
  m.is_output_double = 2 * m.output_words <= d.output_buffer_words;
  return {};
}

MappingChoice ChooseMapping(const Layer& layer, const Design& design, int64_t input_stride,
                            int64_t output_stride, double bytes_per_cycle) {
  const PinnedTile pin = design.PinOf(layer.name);
  if (pin.input_channels > 0 && pin.input_channels != layer.input_channels) {
    return {.fit = {false, fmt::format("input_channels is pinned to {}: must be {}, since sums "
                                       "cannot leave the array before all input channels are in",
                                       pin.input_channels, layer.input_channels)},
            .mapping = {}};
  }
  const MappingChoice base =
      MapLayer(layer, design, input_stride, output_stride, pin.output_channels);
  if (!base.fit.ok) return base;
  MappingChoice best{.fit = {false, ""}, .mapping = {}};
  TileCost best_cost;
  const int64_t all_rows = CeilDiv(layer.RowPositions(), design.poy);
  const int64_t all_columns = CeilDiv(layer.ColumnPositions(), design.pox);
  for (int64_t columns = 1; columns <= std::min<int64_t>(all_columns, 1023); ++columns) {
    if (pin.columns > 0 && columns != CeilDiv(pin.columns, design.pox)) continue;
    for (int64_t rows = 1; rows <= std::min<int64_t>(all_rows, 64); ++rows) {
      if (pin.rows > 0 && rows != CeilDiv(pin.rows, design.poy)) continue;
      bool is_too_large = true;
      for (LoopOrder order : {LoopOrder::kTiles, LoopOrder::kBlocks}) {
        Mapping m = base.mapping;
        if (order == LoopOrder::kBlocks && !MayLoopBlocksOutside(layer, m)) continue;
        SizeTile(layer, design, rows, columns, order, m);
        const bool can_pool = CanPoolTiles(layer, m);
        const Fit fit = FitBuffers(layer, design, m);
        is_too_large = is_too_large && !fit.ok && can_pool;
        if (!fit.ok) {
          if (!best.fit.ok && best.fit.reason.empty()) best.fit = fit;
          continue;
        }
        const TileCost cost = CostOf(layer, m, design, bytes_per_cycle);
        if (!best.fit.ok ||
            std::pair(cost.cycles, cost.bytes) < std::pair(best_cost.cycles, best_cost.bytes)) {
          best = {.fit = {}, .mapping = std::move(m)};
          best_cost = cost;
        }
      }
      if (is_too_large) break;  // more rows need more
    }
  }
  if (!best.fit.ok && best.fit.reason.empty()) best.fit.reason = "no tile of the pinned size";
  return best;
}

}  // namespace lichen::tile
