#include "accel/fusion/estimate.h"

#include <algorithm>

#include "accel/fusion/simulate_time.h"

namespace lichen::fusion {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// pJ of a brick's product with its share of adders and registers, 16 nm: a quarter of the 0.2 pJ that
// Horowitz (ISSCC 2014, 45 nm) gives for a product of 8 bits, 16 bricks, with adders and registers
// doubling it: an assumption.
constexpr double kBrickPj = 0.2 / 4 / 16 * 2;

// Yosys 0.23 (synth_xilinx -family xcup), blocks on their own: of a fusion unit with its place in the tree, the
// accumulators and the weights' selection; of an input buffer copy's addresses and alignment; of a lane's
// requantiser and pool; of sequencer, units, DMA and registers.
constexpr int64_t kDspPerLane = 4;
constexpr int64_t kDspOfControl = 8;
constexpr int64_t kLutPerUnit = 880;
constexpr int64_t kFfPerUnit = 410;
constexpr int64_t kLutPerCopy = 240;
constexpr int64_t kFfPerCopy = 110;
constexpr int64_t kLutPerLane = 1270;
constexpr int64_t kFfPerLane = 480;
constexpr int64_t kLutOfControl = 5500;
constexpr int64_t kFfOfControl = 2800;

int64_t TensorBytes(const TensorPlace& place, int64_t rows) {
  int64_t bytes = 0;
  for (const PlanePlace& plane : place.planes) bytes += rows * plane.row_beats * kBeatBytes;
  return bytes;
}

// RAMB36 of a memory in halves, as Yosys builds it of RAMB18 of 36 x 512 and RAMB36 of 72 x 512.
int64_t HalfBrams(int64_t words, int64_t bits) {
  const int64_t deep = CeilDivide(words, 512);
  return deep * CeilDivide(bits, 36);
}

}  // namespace

Resources EstimateResources(const Design& d) {
  const int64_t units = d.rows * d.columns;
  const int64_t copies = d.rows * d.column_sets;
  Resources r;
  r.dsp = kDspPerLane * d.columns + kDspOfControl;
  const int64_t halves =
      HalfBrams(d.step_buffer_words, 32) + copies * HalfBrams(d.step_buffer_words, 20) +
      copies * 2 * HalfBrams(d.input_buffer_words, 32) +
      units / 4 * HalfBrams(d.weight_buffer_words, 128) +
      d.columns * HalfBrams(d.parameter_buffer_words, 128) +
      HalfBrams(d.output_buffer_words, 8 * d.columns) + 2 * HalfBrams(d.program_words, 128);
  r.bram36 = CeilDivide(halves, 2);
  r.lut = units * kLutPerUnit + copies * kLutPerCopy + d.columns * kLutPerLane + kLutOfControl;
  r.ff = units * kFfPerUnit + copies * kFfPerCopy + d.columns * kFfPerLane + kFfOfControl;
  return r;
}

double EnergyMj(int64_t bricks, int64_t dram_bytes, const Board& board) {
  return 1e-9 * (static_cast<double>(bricks) * kBrickPj +
                 8.0 * static_cast<double>(dram_bytes) * board.memory.energy_pj_per_bit);
}

Estimate EstimatePlan(const Plan& plan) {
  const Design& d = plan.design;
  const accel::AxiTiming memory = BoardMemory(plan.board, d);
  const double beat_cycles =
      memory.bytes_per_cycle > 0
          ? std::max(1.0, static_cast<double>(kBeatBytes) / memory.bytes_per_cycle)
          : 1.0;
  const auto beats = [&](int64_t n) {
    return static_cast<int64_t>(static_cast<double>(n) * beat_cycles);
  };
  Estimate e;
  int64_t bricks = 0;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlannedLayer& planned = plan.layers[i];
    const Layer& layer = planned.layer;
    const Mapping& m = planned.mapping;
    const TensorPlace& input = plan.tensors[planned.input];
    const TensorPlace& output = plan.tensors[planned.output];
    const int64_t set_beats = SetBeats(d, m) * m.chunks * (m.chunks > 1 ? m.tiles : 1);
    const int64_t load_bytes = TensorBytes(input, m.tile_input_rows);
    const int64_t store_bytes = TensorBytes(output, m.tile_rows);
    const int64_t array =
        ArrayCycles(layer, m, layer.output_size.h) + m.tiles * m.chunks * ComputeOverhead(m, d);
    // Two words for each beat; a word of the output buffer a cycle, and a cycle for each beat.
    const int64_t load = 2 * load_bytes / kBeatBytes;
    const int64_t store =
        static_cast<int64_t>(output.planes.size()) * m.tile_rows * layer.output_size.w * m.words +
        store_bytes / kBeatBytes;
    // A set's fetch hides behind the layer before, as far as that takes as long.
    const int64_t weights =
        m.chunks > 1 ? beats(set_beats) : beats(set_beats) - (i > 0 ? e.layers[i - 1].cycles : 0);
    const std::pair<int64_t, const char*> costs[] = {{array, "array"},
                                                     {load * m.tiles, "load"},
                                                     {store * m.tiles, "store"},
                                                     {weights, "weights"}};
    const auto* most = std::max_element(std::begin(costs), std::end(costs));
    LayerEstimate estimate{.name = layer.name,
                           .cycles = most->first + load + store + 2 * memory.latency_cycles,
                           .bound = most->second,
                           .macs = layer.macs,
                           .dram_bytes = set_beats * kBeatBytes + m.tiles * load_bytes +
                                         TensorBytes(output, layer.output_size.h)};
    if (weights > 0 && m.chunks == 1) estimate.cycles += weights == most->first ? array : 0;
    bricks += layer.macs * DigitCount(layer.input_bits) * DigitCount(layer.weight_bits);
    e.cycles += estimate.cycles;
    e.dram_bytes += estimate.dram_bytes;
    e.layers.push_back(std::move(estimate));
  }
  e.resources = EstimateResources(d);
  e.energy_mj = EnergyMj(bricks, e.dram_bytes, plan.board);
  return e;
}

}  // namespace lichen::fusion
