#include "accel/tile/choose.h"

#include "accel/tile/estimate.h"

namespace lichen::tile {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Of the array, for one tile.
int64_t BlockCycles(const WeightBlock& block, const Mapping& m, const Design& d) {
  const int64_t sets = m.row_groups * m.column_groups;
  const int64_t drain = DrainCycles(d);
  const auto cycles_of = [&](const Pass& pass) {
    return std::max(sets * pass.groups * std::max(pass.Steps(), drain), kPrepareCycles);
  };
  int64_t cycles = 0;
  for (const Pass& pass : block.passes) cycles += cycles_of(pass);
  // Norms begin when the epilogue has written the middle buffer.
  if (block.first_norm_group == 0 && block.norm_groups > 0)
    cycles += drain + EpilogueLatency(d) + 1;
  for (const Pass& pass : block.norm_passes) cycles += cycles_of(pass);
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

// All tiles of all blocks, which come one after the other, each while the one before is used.
int64_t ArrayCycles(const Mapping& m, const Design& d) {
  const bool is_outer = m.order == LoopOrder::kBlocks;
  int64_t cycles = 0;
  for (size_t i = 0; i < m.blocks.size(); ++i) {
    const WeightBlock& block = m.blocks[i];
    const WeightBlock& next = m.blocks[(i + 1) % m.blocks.size()];
    const int64_t used = BlockCycles(block, m, d) * (is_outer ? m.Tiles() : 1);
    const bool has_next = m.blocks.size() > 1 && (i + 1 < m.blocks.size() || m.Fetches() > 1);
    const int64_t fetch = has_next ? FetchCycles(next, d) : 0;
    cycles += FitTogether(block, next, d) ? std::max(used, fetch) : used + fetch;
  }
  return is_outer ? cycles : cycles * m.Tiles();
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
  const int64_t rounds = m.Rounds();
  return {
      .array = ArrayCycles(m, d),
      .load = rounds * load,
      .store = rounds * store,
      .serial = (rounds - 1) * ((m.is_input_double ? 0 : load) + (m.is_output_double ? 0 : store)),
      .ends = load + store};
}

int64_t WeightStall(const Mapping& m, const Mapping* before, const Design& d) {
  int64_t hidden = m.input_rows * m.input_pixels * m.chunks;  // behind the first load
  if (before && FitTogether(before->blocks.back(), m.blocks.front(), d)) {
    if (before->blocks.size() == 1) return 0;
    // Beside the last block of the layer before.
    hidden += BlockCycles(before->blocks.back(), *before, d) *
              (before->order == LoopOrder::kBlocks ? before->Tiles() : 1);
  }
  return std::max<int64_t>(0, FetchCycles(m.blocks.front(), d) - hidden);
}

TileCost CostOf(const Layer& layer, const Mapping& m, const Design& d, double bytes_per_cycle) {
  const LayerCycles cycles = CountCycles(layer, m, d);
  const int64_t bytes = LayerBytes(layer, m, d);
  const auto dram = static_cast<int64_t>(static_cast<double>(bytes) / bytes_per_cycle);
  return {std::max({cycles.array + cycles.serial, cycles.load, cycles.store, dram}) + cycles.ends,
          bytes};
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
