#include "accel/tile/estimate.h"

#include <algorithm>
#include <bit>

#include "accel/tile/choose.h"

namespace lichen::tile {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Of the input that a tile's row or column range covers, summed over the tiles of one axis.
int64_t CoveredInput(const Axis& axis, int64_t tiles, int64_t tile, int64_t span) {
  int64_t sum = 0;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t first = t * tile * axis.stride - axis.pad;
    sum += std::max<int64_t>(0, std::min(first + span, axis.input) - std::max<int64_t>(first, 0));
  }
  return sum;
}

// pJ per multiply-accumulate with its share of registers and buffer reads, 16 nm: an assumption in
// the range of published figures for UltraScale+ DSPs (2 to 6 pJ).
constexpr double kMacPj16 = 4.0;
constexpr double kMacPj8 = 1.6;

// How Yosys maps a RAM with one write and one read port onto block RAM: of the shapes of a BRAM18 and a BRAM36 the
// one with the least cost, where words that lie side by side in a deeper shape's place share it by bytes of 9
// bits (memory_libmap with the costs of its brams_xc4v.txt; equal to Yosys 0.23 for 395 sizes).
struct MappedRam {
  int64_t bram18 = 0;
  int64_t banks = 1;  // that a multiplexer chooses from
};

MappedRam MapRam(int64_t words, int64_t width_bits) {
  struct Shape {
    int64_t width;
    int64_t log2_depth;
    int64_t bram18;
    int64_t cost;
  };
  constexpr Shape kShapes[] = {
      {36, 9, 1, 129},  {18, 10, 1, 129}, {9, 11, 1, 129},  {4, 12, 1, 129}, {2, 13, 1, 129},
      {1, 14, 1, 129},  {72, 9, 2, 257},  {36, 10, 2, 257}, {18, 11, 2, 257}, {9, 12, 2, 257},
      {4, 13, 2, 257},  {2, 14, 2, 257},  {1, 15, 2, 257}};
  MappedRam best;
  int64_t best_cost = INT64_MAX;
  for (const Shape& s : kShapes) {
    const int64_t banks = ((words - 1) >> s.log2_depth) + 1;
    const int64_t count = s.width >= 9 ? CeilDiv(CeilDiv(width_bits, 9) * banks, s.width / 9)
                                       : CeilDiv(width_bits, s.width) * banks;
    // Twice the cost: a bit of a multiplexer's input counts a half.
    const int64_t cost = 2 * s.cost * count + width_bits * (banks - 1);
    if (cost < best_cost) {
      best_cost = cost;
      best = {s.bram18 * count, banks};
    }
  }
  return best;
}

}  // namespace

int64_t Bram18(int64_t words, int64_t width_bits) { return MapRam(words, width_bits).bram18; }

std::array<CellCounts, kBlockCount> EstimateBlocks(const Design& d) {
  const int64_t i = d.pif;
  const int64_t l = d.pof;
  const int64_t p = d.PixelLanes();
  const int64_t e = d.epilogue_lanes;
  const bool is_narrow = d.operand_bits == 8;
  const int64_t operand_bits = d.operand_bits;
  const int64_t input_bits = is_narrow ? 9 : 16;
  std::array<CellCounts, kBlockCount> blocks;
  const auto block = [&](Block b) -> CellCounts& { return blocks[static_cast<size_t>(b)]; };
  (void)i;(void)l;(void)p;(void)e;(void)operand_bits;(void)input_bits;
  (void)block;
  return blocks;
}

Resources EstimateResources(const Design& d) {
  CellCounts sum;
  for (const CellCounts& block : EstimateBlocks(d)) sum += block;
  Resources r;
  r.dsp = sum.dsp;
  r.bram36 = CeilDiv(sum.bram18, 2);
  r.lut = sum.lut;
  r.ff = sum.ff;
  return r;
}

int64_t LayerBytes(const Layer& layer, const Mapping& m, const Design& d) {
  const int64_t bytes = d.ElementBytes();
  const int64_t rows = CoveredInput(layer.y, m.tiles_y, m.tile_rows, m.input_rows);
  const Axis folded{
      .input = m.is_folded ? CeilDiv(layer.x.input * m.pixel_elements, d.pif) : layer.x.input,
      .output = 0,
      .taps = 0,
      .stride = m.stride_x,
      .pad = m.pad_x,
      .phases = 1,
      .phase = {}};
  const int64_t pixels = CoveredInput(folded, m.tiles_x, m.tile_columns, m.input_pixels);
  const int64_t reloads = m.Rounds() / m.Tiles();
  return reloads * rows * pixels * m.chunks * d.pif * bytes +
         layer.StoredRows() * layer.StoredColumns() * m.stored_channels * bytes +
         m.Fetches() *
             (m.WeightWords() * d.WeightWordBytes() + m.ParameterWords() * d.ParameterWordBytes());
}

double BytesPerCycle(const Board& board, const Design& d) {
  // Loads and stores have a port and direction each.
  return std::min(board.memory.peak_gbyte_per_s * board.memory.efficiency * 1e3 / d.clock_mhz,
                  static_cast<double>(d.dma_bits) / 8 * 2);
}

double EnergyMj(int64_t macs, int64_t dram_bytes, const Board& board, const Design& d) {
  return 1e-9 * (static_cast<double>(macs) * (d.operand_bits == 8 ? kMacPj8 : kMacPj16) +
                 8.0 * static_cast<double>(dram_bytes) * board.memory.energy_pj_per_bit);
}

Estimate EstimatePlan(const Plan& plan) {
  const Design& d = plan.design;
  Estimate e;
  int64_t macs = 0;
  const double bytes_per_cycle = BytesPerCycle(plan.board, d);
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlannedLayer& planned = plan.layers[i];
    const Mapping& m = planned.mapping;
    LayerEstimate layer{.name = planned.layer.name,
                        .cycles = 0,
                        .bound = "MAC",
                        .macs = planned.layer.macs,
                        .dram_bytes = LayerBytes(planned.layer, m, d)};
    const LayerCycles cycles = CountCycles(planned.layer, m, d);
    layer.cycles = CostOf(planned.layer, m, d, bytes_per_cycle).cycles;
    const int64_t all = layer.cycles - cycles.ends;
    if (all > cycles.array) layer.bound = all > cycles.tiles ? "DRAM" : "pipeline";
    const Mapping* before = i > 0 ? &plan.layers[i - 1].mapping : nullptr;
    layer.cycles += WeightStall(m, before, i > 0 ? e.layers.back().cycles : 0, d);
    e.cycles += layer.cycles;
    e.dram_bytes += layer.dram_bytes;
    macs += layer.macs;
    e.layers.push_back(std::move(layer));
  }
  e.resources = EstimateResources(d);
  e.energy_mj = EnergyMj(macs, e.dram_bytes, plan.board, d);
  return e;
}

}  // namespace lichen::tile
