#include "timing_test.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "accel/tile/instruction.h"
#include "tile_harness.h"

namespace lichen::rtl {
namespace {

using tile::Bit;
using tile::Token;

constexpr int64_t kLatency = 9;  // of memory, in cycles

struct Shape {
  uint32_t chunks, taps, lane_groups, column_groups;
  uint32_t more_rows, weight_words;  // loaded; what COMPUTE waits for
  bool has_middle;                   // further COMPUTEs read the first's result
};

uint64_t Cycles(const tile::Design& d, const std::vector<tile::Instruction>& program) {
  TileHarness engine(1 << 18, {.latency_cycles = kLatency});
  engine.set_timeout_cycles(20'000);
  uint64_t at = 0;
  for (const tile::Instruction& instruction : program) {
    engine.WriteMemory(at, tile::Encode(instruction));
    at += tile::kInstructionBytes;
  }
  (void)d;
  return RunProgram(engine, 0).cycles;
}

bool CheckShape(const tile::Design& d, const Shape& shape) {
  const auto pox = static_cast<uint32_t>(d.pox);
  const auto poy = static_cast<uint32_t>(d.poy);
  const auto words = static_cast<uint32_t>(d.pof / d.epilogue_lanes);
  tile::Compute c;
  c.sync = {Bit(Token::kLoadToCompute) | Bit(Token::kWeightToCompute),
            shape.has_middle ? 0 : Bit(Token::kComputeToStore)};
  c.target = shape.has_middle ? tile::ComputeTarget::kMiddle : tile::ComputeTarget::kOutput;
  c.row_groups = 1;
  c.column_groups = shape.column_groups;
  c.lane_groups = shape.lane_groups;
  c.taps_y = 1;
  c.taps_x = shape.taps;
  c.chunks = shape.chunks;
  c.stride_y = c.stride_x = 1;
  c.pixel_words = shape.chunks;
  c.source_pitch = 64;
  c.target_pitch = shape.lane_groups * words;
  c.target_row_pitch = shape.column_groups * pox * c.target_pitch;
  tile::Compute m = c;
  m.sync = {0, Bit(Token::kComputeToStore)};
  m.source = tile::ComputeSource::kMiddle;
  m.target = tile::ComputeTarget::kOutput;
  m.kind = tile::ComputeKind::kGdn;
  m.taps_x = 1;
  m.chunks = 2;
  m.source_pitch = c.target_pitch;
  const uint32_t pixels = shape.column_groups * pox + shape.taps - 1;
  tile::Load load;
  load.sync.signal = Bit(Token::kLoadToCompute);
  load.address_bytes = 1 << 16;
  load.row_stride_bytes = 4096;
  load.rows = poy + shape.more_rows;
  load.row_words = pixels * shape.chunks;
  load.chunks = shape.chunks;
  load.stride_y = load.stride_x = 1;
  load.row_pitch = 64;
  // One beat of data at the beginning, unless the port is shared with weights.
  const bool has_data = d.dma_ports > 1;
  load.valid_rows = has_data ? 1 : 0;
  load.valid_elements = has_data ? static_cast<uint32_t>(std::min(d.pif, 128 / d.operand_bits)) : 0;
  tile::Weight w;
  w.sync.signal = Bit(Token::kWeightToCompute);
  w.address_bytes = 1 << 17;
  w.words = shape.weight_words;
  tile::Store s;
  s.sync.wait = Bit(Token::kComputeToStore);
  s.address_bytes = 3 << 16;
  s.rows = 1;
  s.run = 3;
  s.valid_elements = 3;
  s.element_bytes = 2;
  std::vector<tile::Instruction> program = {w, load, c};
  if (shape.has_middle) {
    tile::Compute again = m;
    again.sync = {};
    program.push_back(again);
    program.push_back(m);
  }
  program.push_back(s);
  program.push_back(tile::End{});

  // Cycle 0 has the start pulse; the counter counts from cycle 1 to the end.
  const int64_t shared = d.dma_ports < 4 ? 1 : 0;    // the multiplexer of a shared port
  const int64_t first_beat = 3 + shared + kLatency;  // of the program at the port
  const int64_t weight_start = first_beat + 4;
  const int64_t load_start = first_beat + 6;
  const int64_t compute_queued = first_beat + 8;
  const int64_t weight_beats = w.words * d.WeightWordBytes() / 16;
  const int64_t weight_token = weight_start + 3 + shared + kLatency + weight_beats - 1 + 3;
  const int64_t load_step = load_start + (has_data ? 5 + kLatency : 2);  // of the first word
  const int64_t load_token = load_step + int64_t{load.rows} * load.row_words - 1 + 2;
  const int64_t drain = d.PixelLanes() * d.pof / d.epilogue_lanes;
  const int64_t array = d.operand_bits == 8 ? std::min<int64_t>(d.pif, 4) + 6 : d.pif + 3;
  const int64_t steps = int64_t{shape.taps} * shape.chunks;
  const int64_t sets = int64_t{shape.lane_groups} * shape.column_groups;
  const int64_t start = std::max({compute_queued + 9, weight_token, load_token});
  int64_t last = start + steps + (sets - 1) * std::max(steps, drain);
  if (shape.has_middle) {
    // The next plan is ready long before.
    const int64_t start_of_second = last + array + drain + 42;
    last = start_of_second + 2 + (sets - 1) * std::max<int64_t>(2, drain);
    // The third does not wait for the second, whose results go to the output buffer.
    const int64_t start_of_third = std::max(last, start_of_second + 10);
    last = std::max(start_of_third + 2, last + drain) + (sets - 1) * std::max<int64_t>(2, drain);
  }
  const int64_t store_start = last + array + drain + 42;
  const int64_t store_words = (3 + d.epilogue_lanes - 1) / d.epilogue_lanes;
  const int64_t answer = store_start + 6 + store_words + kLatency;
  const int64_t predicted = answer + 2;  // the last STORE gives no token
  const auto measured = static_cast<int64_t>(Cycles(d, program));
  if (measured != predicted) {
    std::printf(
        "timing: %lld cycles, the rules say %lld (chunks %u, taps %u, lane groups %u, column "
        "groups %u, %s)\n",
        static_cast<long long>(measured), static_cast<long long>(predicted), shape.chunks,
        shape.taps, shape.lane_groups, shape.column_groups, shape.has_middle ? "middle" : "direct");
  }
  return measured == predicted;
}

}  // namespace

bool CheckTiming(const tile::Design& design) {
  bool is_right = true;
  for (const bool has_middle : {false, true}) {
    for (const Shape& shape :
         {Shape{1, 1, 1, 1, 0, 100, false}, Shape{2, 3, 2, 2, 0, 100, false},
          Shape{1, 2, 3, 1, 3, 24, false}, Shape{2, 3, 2, 2, 5, 24, false},
          Shape{3, 5, 1, 2, 0, 100, false}, Shape{2, 12, 2, 1, 4, 60, false}}) {
      Shape s = shape;
      s.has_middle = has_middle;
      is_right = CheckShape(design, s) && is_right;
    }
  }
  return is_right;
}

}  // namespace lichen::rtl
