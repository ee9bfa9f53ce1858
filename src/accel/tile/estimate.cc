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
      {36, 9, 1, 129}, {18, 10, 1, 129}, {9, 11, 1, 129},  {4, 12, 1, 129},  {2, 13, 1, 129},
      {1, 14, 1, 129}, {72, 9, 2, 257},  {36, 10, 2, 257}, {18, 11, 2, 257}, {9, 12, 2, 257},
      {4, 13, 2, 257}, {2, 14, 2, 257},  {1, 15, 2, 257}};
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

// Bits of a number below n.
int64_t Log2(int64_t n) { return std::bit_width(static_cast<uint64_t>(n - 1)); }

// LUTs for a bit of a multiplexer of n inputs: as trees of LUTs, and as Yosys builds wide ones (-widemux 5),
// in steps of 16 inputs whose LUTs are joined by MUXF7 and MUXF8.
int64_t TreeLuts(int64_t n) { return n <= 1 ? 0 : n <= 4 ? 1 : n <= 6 ? 2 : n <= 9 ? 3 : 5; }
int64_t WideLuts(int64_t n) {
  return n <= 1 ? 0 : n <= 4 ? 1 : n <= 16 ? 4 : n <= 24 ? 7 : CeilDiv(n, 32) * 9;
}

// With its output register and the multiplexer of its banks.
CellCounts Ram(int64_t words, int64_t width_bits) {
  const MappedRam ram = MapRam(words, width_bits);
  return {.bram18 = ram.bram18,
          .lut = width_bits * TreeLuts(ram.banks),
          .ff = width_bits + Log2(ram.banks)};
}

CellCounts EstimateArray(const Design& d, int64_t cascade) {
  const int64_t pixels = d.PixelLanes();
  const int64_t lanes = d.pof * pixels;
  // Operands of later elements of a cascade are delayed; by 3 cycles and more in shift registers.
  const int64_t skew_ff = cascade >= 3 ? 3 : cascade - 1;
  const int64_t skew_lut = std::max<int64_t>(cascade - 3, 0);
  CellCounts array;
  array.dsp = d.operand_bits == 8 ? d.MacsPerCycle() / 2 : d.MacsPerCycle();
  if (d.operand_bits == 8) {
    const int64_t cascades = d.pif / cascade;
    // Of a lane: its part of the cascades' results, their sum, the sum of the set twice.
    const int64_t sum_luts = 64 + 18 * (cascades - 1);
    const int64_t sum_ff = (37 * cascades + (cascades > 1 ? 64 : 37)) / 2 + 64;
    array.lut = 9 * cascades * skew_lut * pixels + 9 * d.pif * d.pof / 2 + lanes * sum_luts + 14;
    array.ff = 9 * cascades * skew_ff * pixels + lanes * sum_ff + 14;
  } else {
    array.lut = 17 * skew_lut * pixels + 14;
    array.ff = 17 * skew_ff * pixels + 48 * lanes + 12;
  }
  return array;
}

}  // namespace

int64_t Bram18(int64_t words, int64_t width_bits) { return MapRam(words, width_bits).bram18; }

std::array<CellCounts, kBlockCount> EstimateBlocks(const Design& d) {
  const bool is_narrow = d.operand_bits == 8;
  const int64_t pif = d.pif;
  const int64_t pixels = d.PixelLanes();
  const int64_t e = d.epilogue_lanes;
  const int64_t input_bits = (is_narrow ? 9 : 16) * pif;
  const int64_t word_bits = 16 * e;
  const int64_t per_beat = 128 / d.operand_bits;
  const int64_t cascade = is_narrow ? std::min<int64_t>(pif, 4) : pif;
  std::array<CellCounts, kBlockCount> blocks;
  const auto set = [&](Block block, const CellCounts& counts) {
    blocks[static_cast<size_t>(block)] = counts;
  };

  // Numbers without a parameter, and those per element, lane and bit, are fitted to Yosys 0.23 (`lichen emit
  // --synth`) of eleven designs: those of docs/tile.md and arrays between them, of 1 to 16 elements, 1 to 18 pixels and
  // 2 to 32 lanes of the epilogue.
  set(Block::kEngine, {.lut = 685, .ff = 123});
  set(Block::kRegisters, {.lut = 200, .ff = 145});
  set(Block::kFetch, {.lut = 110, .ff = 444});
  // Two FIFOs of 256 beats and one of 16 in LUT RAM, four DMAs; a port that is shared orders its bursts.
  set(Block::kMemory, {.lut = d.dma_ports == 4   ? 2695
                              : d.dma_ports == 2 ? 2768
                                                 : 2915,
                       .ff = d.dma_ports == 4 ? 813 : 880});
  set(Block::kSequencer, {.lut = 610, .ff = 376});
  // Products of pitches and strides; two more where the quotient by poy or pox has 5 bits.
  set(Block::kPrepare,
      {.dsp = 4 + (d.poy <= 3 ? 1 : 0) + (d.pox <= 3 ? 1 : 0), .lut = 140, .ff = 368});

  // Beats are collected until they make a word, in a buffer with room for one of each.
  set(Block::kLoad,
      {.lut = is_narrow ? 2400 : 2100,
       .ff = 475 + d.operand_bits * (std::max(pif, per_beat) + per_beat) + input_bits + pixels});
  set(Block::kWeight, {.lut = 185, .ff = 249 + d.operand_bits * pif * d.pof});
  const int64_t units = is_narrow ? 2 * e : e;
  set(Block::kStore, {.lut = 890 + (is_narrow ? 135 : 110) * e,
                      .ff = 356 + (128 / per_beat + 1) * (units + per_beat)});

  // A bank for each pixel lane, whose words are rotated to the lane that needs them.
  const int64_t input_address = Log2(d.input_buffer_words);
  const int64_t stages = Log2(d.poy) + Log2(d.pox);
  CellCounts input = pixels * Ram(d.input_buffer_words, input_bits);
  input.lut += pixels * input_bits * (stages <= 1 ? 2 * stages : std::max<int64_t>(stages, 4)) / 2 +
               (pixels + 5) * input_address;
  input.ff += pixels * input_bits + (pixels + 4) * input_address + 12;
  set(Block::kInputBuffer, input);

  // A memory for each element; the address goes down the skew of the cascade.
  CellCounts weights = pif * Ram(d.weight_buffer_words, d.operand_bits * d.pof);
  const int64_t weight_address = Log2(d.weight_buffer_words);
  weights.lut += weight_address;
  weights.ff += (cascade - 1) * weight_address;
  set(Block::kWeightBuffer, weights);

  // Records of even and odd words change places; constants are kept once more.
  const int64_t records = (d.parameter_buffer_words + 1) / 2 * d.pof / e;
  CellCounts parameters = 2 * e * Ram(records, 72);
  parameters += 2 * Ram(d.parameter_buffer_words, 70);
  parameters.lut += 146 * e + 17;
  parameters.ff += 2 * Log2(records);
  set(Block::kParameterBuffer, parameters);

  // Banks for the array, which takes pif of a word's elements, and a copy for the epilogue.
  const int64_t bank_depth = int64_t{1} << Log2(d.middle_buffer_words);
  CellCounts middle = pixels * Ram(d.middle_buffer_words, word_bits);
  middle += Ram(pixels > 1 ? pixels * bank_depth : d.middle_buffer_words, word_bits);
  middle.lut += pixels * 16 * pif * WideLuts(e / pif) + pixels;
  middle.ff += pixels * 16 * pif + 16;
  set(Block::kMiddleBuffer, middle);

  // Every operand may become its absolute value.
  const int64_t operands = pixels * pif;
  CellCounts compute = Ram(d.output_buffer_words, word_bits);
  compute.lut += operands * (is_narrow ? 19 : 34) + 222;
  compute.ff += operands * (is_narrow ? 9 : 17) + 40;
  set(Block::kCompute, compute);

  set(Block::kArray, EstimateArray(d, cascade));

  // The sums of a set are read word by word.
  const int64_t set_words = d.pof * pixels / e;
  set(Block::kEpilogue, {.lut = 48 * e * (WideLuts(set_words) + 1) + 680, .ff = 222});
  // Two requantisers of two products each, and the product with the norm or multiplier; 16 steps of division.
  set(Block::kLane, e * CellCounts{.dsp = 6, .lut = 3164, .ff = 2305});
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
