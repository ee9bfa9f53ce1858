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

}  // namespace

int64_t Bram36(int64_t words, int64_t width_bits) {
  constexpr struct {
    int64_t width;
    int64_t depth;
  } kShapes[] = {{72, 512}, {36, 1024}, {18, 2048}, {9, 4096}, {4, 8192}, {2, 16384}, {1, 32768}};
  int64_t best = INT64_MAX;
  for (const auto& shape : kShapes) {
    best = std::min(best, CeilDiv(width_bits, shape.width) * CeilDiv(words, shape.depth));
  }
  return best;
}

Resources EstimateResources(const Design& d) {
  const int64_t element_bits = 8 * d.ElementBytes();
  const int64_t macs = d.MacsPerCycle();
  Resources r;
  // Of an epilogue lane: two requantisers that multiply 48 by 18 bits (2 each), the product of x and norm
  // or multiplier, 16 by 32 bits (2). Addresses of the next instruction 5, of weights 1.
  constexpr int64_t kDspPerEpilogueLane = 6;
  constexpr int64_t kDspOfControl = 6;
  r.dsp = (d.operand_bits == 8 ? macs / 2 : macs) + kDspPerEpilogueLane * d.epilogue_lanes +
          kDspOfControl;
  // 8-bit designs have a ninth bit in the input buffer.
  const int64_t input_bits = d.operand_bits == 8 ? 9 : 16;
  const int64_t middle_depth =
      static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(d.middle_buffer_words)));
  const int64_t records = (d.parameter_buffer_words + 1) / 2 * d.pof / d.epilogue_lanes;
  // The middle buffer is there twice: the array and the epilogue read in every cycle.
  r.bram36 = d.PixelLanes() * Bram36(d.input_buffer_words, d.pif * input_bits) +
             Bram36(d.weight_buffer_words, d.pif * d.pof * element_bits) +
             d.PixelLanes() * Bram36(d.middle_buffer_words, d.epilogue_lanes * 16) +
             Bram36(d.PixelLanes() * middle_depth, d.epilogue_lanes * 16) +
             Bram36(d.output_buffer_words, d.epilogue_lanes * 16) +
             2 * d.epilogue_lanes * Bram36(records, 72) + Bram36(d.parameter_buffer_words, 140);
  // Not calibrated with synthesis yet: shadow registers of the sums (48 bit for each pixel and
  // output lane), rotators of the banks, dividers (26 stages of 50 bit per lane), DMA and control.
  const int64_t sums = d.PixelLanes() * d.pof * 48;
  const int64_t rotator = d.PixelLanes() * d.pif * element_bits;
  r.ff = sums + 4 * rotator + d.epilogue_lanes * 26 * 100 + 12000;
  r.lut = sums / 2 + 3 * rotator + d.epilogue_lanes * 26 * 60 + 12000;
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
