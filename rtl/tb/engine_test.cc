// Checks registers, errors and the engine's timing rules, then runs random programs on the
// verilated engine and compares memory with tile::Machine, byte for byte, and cycles with
// tile::RunClock().
//
// Usage: engine_test PROGRAMS [FIRST_SEED]. The design comes from the macros that the build gives.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "accel/tile/clock.h"
#include "accel/tile/machine.h"
#include "fault_test.h"
#include "random_program.h"
#include "tile_harness.h"
#include "timing_test.h"

namespace lichen::rtl {
namespace {

// Of the cycles simulated with slow memory, at most.
constexpr double kSlowDifference = 0.05;

tile::Design BuiltDesign() {
  tile::Design d;
  d.pif = PIF;
  d.pof = POF;
  d.poy = POY;
  d.pox = POX;
  d.epilogue_lanes = EPILOGUE_LANES;
  d.input_buffer_words = INPUT_WORDS;
  d.weight_buffer_words = WEIGHT_WORDS;
  d.parameter_buffer_words = PARAMETER_WORDS;
  d.middle_buffer_words = MIDDLE_WORDS;
  d.output_buffer_words = OUTPUT_WORDS;
  d.dma_ports = PORTS;
  d.operand_bits = OPERAND_BITS;
  return d;
}

struct Totals {
  size_t written = 0;
  uint64_t cycles = 0;
  size_t instructions = 0;
  double slow_difference = 0;  // largest, of the simulated cycles with slow memory
};

// The last write of every STORE, whose bytes follow each other.
class StoreWatch {
 public:
  explicit StoreWatch(const std::vector<tile::Instruction>& program) {
    for (size_t i = 0; i < program.size(); ++i) {
      const auto* s = std::get_if<tile::Store>(&program[i]);
      if (s) left_.push_back({i, uint64_t{s->rows} * s->valid_elements * s->element_bytes});
    }
    last_writes_.resize(program.size());
  }
  void SeeByte(uint64_t cycle) {
    if (at_ == left_.size()) return;
    if (--left_[at_].bytes > 0) return;
    last_writes_[left_[at_++].instruction] = static_cast<tile::Cycle>(cycle);
  }
  // Counted from the start pulse.
  std::vector<tile::Cycle> LastWrites(uint64_t start) const {
    std::vector<tile::Cycle> cycles = last_writes_;
    for (tile::Cycle& c : cycles) {
      if (c > 0) c -= static_cast<tile::Cycle>(start);
    }
    return cycles;
  }

 private:
  struct Left {
    size_t instruction;
    uint64_t bytes;
  };
  std::vector<Left> left_;
  size_t at_ = 0;
  std::vector<tile::Cycle> last_writes_;
};

// Whether the simulator gives the cycles of the run and of every store: exactly, but nearly where memory is
// slower than the ports.
bool CheckClock(const tile::Design& design, const RandomProgram& program, const MemoryModel& model,
                const RunResult& run, const std::vector<tile::Cycle>& last_writes, Totals& totals) {
  const tile::MemoryTiming memory{.latency_cycles = model.latency_cycles,
                                  .bytes_per_cycle = model.bytes_per_cycle,
                                  .outstanding_bursts = model.outstanding_bursts};
  const Result<tile::Timeline> clock =
      tile::RunClock(design, program.instructions, memory,
                     {.program_address = program.program_address,
                      .sizes = {.fifo_beats = 64, .burst_beats = 16, .bursts = 8}});
  if (!clock) {
    std::printf("%s\n", clock.error().message.c_str());
    return false;
  }
  const auto cycles = static_cast<tile::Cycle>(run.cycles);
  const bool is_slow = model.bytes_per_cycle > 0 && model.bytes_per_cycle < 64;
  const double difference =
      std::abs(static_cast<double>(clock->cycles) / static_cast<double>(cycles) - 1);
  if (is_slow) totals.slow_difference = std::max(totals.slow_difference, difference);
  bool is_right = is_slow ? difference <= kSlowDifference : clock->cycles == cycles;
  for (size_t i = 0; i < last_writes.size() && !is_slow; ++i) {
    if (last_writes[i] == clock->last_writes[i]) continue;
    std::printf("instruction %zu wrote last in cycle %lld, simulated %lld\n", i,
                static_cast<long long>(last_writes[i]),
                static_cast<long long>(clock->last_writes[i]));
    is_right = false;
  }
  if (!is_right) {
    std::printf("%lld cycles, simulated %lld\n", static_cast<long long>(cycles),
                static_cast<long long>(clock->cycles));
  }
  return is_right;
}

// Of any latency, with random back-pressure, slow, and as fast as a board's.
MemoryModel Memory(uint64_t seed) {
  MemoryModel model;
  model.seed = seed;
  const auto n = static_cast<int>(seed / 4);
  switch (seed % 4) {
    case 0:
      model.latency_cycles = n % 41;
      model.outstanding_bursts = 1 << n % 4;
      break;
    case 1:
      model.stall_percent = 10 + n % 7 * 10;
      break;
    case 2:
      model.latency_cycles = 60;
      model.bytes_per_cycle = 12.5;
      model.outstanding_bursts = 4;
      break;
    default:
      model.latency_cycles = 40;
      model.bytes_per_cycle = 68;
      break;
  }
  return model;
}

bool RunOne(uint64_t seed, Totals& totals) {
  const tile::Design design = BuiltDesign();
  const RandomProgram program = MakeRandomProgram(design, seed, 6);
  std::vector<uint8_t> expected = program.memory;
  tile::Machine machine(design, expected);
  for (const tile::Instruction& instruction : program.instructions) {
    const Result<void> result = machine.Execute(instruction);
    if (!result) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed),
                  result.error().message.c_str());
      return false;
    }
  }
  const MemoryModel model = Memory(seed);
  TileHarness engine(program.memory.size(), model);
  engine.set_timeout_cycles(100'000);
  engine.WriteMemory(0, program.memory);
  StoreWatch watch(program.instructions);
  engine.set_write_observer([&](uint64_t, uint64_t cycle) { watch.SeeByte(cycle); });
  const RunResult run = RunProgram(engine, program.program_address);
  size_t different = 0;
  size_t first = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (engine.memory()[i] != expected[i] && different++ == 0) first = i;
  }
  // A test that writes nothing tests nothing.
  size_t written = 0;
  for (size_t i = 0; i < expected.size(); ++i) written += expected[i] != program.memory[i];
  totals.written += written;
  totals.cycles += run.cycles;
  totals.instructions += program.instructions.size();
  const bool is_timed =
      model.stall_percent > 0 ||
      CheckClock(design, program, model, run, watch.LastWrites(engine.start_cycle()), totals);
  const bool is_right = is_timed && written > 0 && run.is_done && run.errors == 0 &&
                        different == 0 && engine.breaches() == 0;
  if (!is_right) {
    std::printf(
        "seed %llu: done %d, errors %u, breaches %d, %zu bytes differ from %zu on, %llu cycles\n",
        static_cast<unsigned long long>(seed), run.is_done, run.errors, engine.breaches(),
        different, first, static_cast<unsigned long long>(run.cycles));
    for (const tile::Instruction& instruction : program.instructions) {
      std::printf("  %s\n", tile::ToText(instruction).c_str());
    }
  }
  return is_right;
}

// Registers, and what the engine says of bad programs.
bool CheckErrors() {
  const tile::Design d = BuiltDesign();
  TileHarness engine(1 << 16, {});
  const std::pair<Register, int64_t> expected[] = {{kId, kEngineId},
                                                   {kVersion, 1},
                                                   {kPif, d.pif},
                                                   {kPof, d.pof},
                                                   {kPoy, d.poy},
                                                   {kPox, d.pox},
                                                   {kStatus, 0},
                                                   {kErrors, 0},
                                                   {kEpilogueLanes, d.epilogue_lanes},
                                                   {kOperandBits, d.operand_bits}};
  for (const auto& [address, value] : expected) {
    const uint32_t read = engine.Read32(address);
    if (read == value) continue;
    std::printf("register %x is %u\n", static_cast<unsigned>(address), read);
    return false;
  }
  // An unknown instruction ends the run.
  const std::vector<uint8_t> unknown(tile::kInstructionBytes, 0xFF);
  engine.WriteMemory(0, unknown);
  const RunResult first = RunProgram(engine, 0);
  // A read outside of memory; the program goes on.
  tile::Load load;
  load.address_bytes = 1 << 20;
  load.row_stride_bytes = 64;
  load.rows = load.valid_rows = 1;
  load.row_words = load.chunks = load.stride_y = load.stride_x = 1;
  load.valid_elements = 1;
  engine.WriteMemory(0, tile::Encode(load));
  engine.WriteMemory(tile::kInstructionBytes, tile::Encode(tile::End{}));
  const RunResult second = RunProgram(engine, 0);
  const bool is_error = (engine.Read32(kStatus) & kStatusError) != 0;
  // Nothing at all: the errors are gone.
  const RunResult third = RunProgram(engine, tile::kInstructionBytes);
  const bool is_right = first.is_done && first.errors == 1 && second.is_done &&
                        second.errors == 2 && is_error && third.is_done && third.errors == 0 &&
                        engine.Read32(kStatus) == kStatusDone;
  if (!is_right) std::printf("errors: %u %u %u\n", first.errors, second.errors, third.errors);
  return is_right;
}

}  // namespace
}  // namespace lichen::rtl

int main(int argc, char** argv) {
  const uint64_t programs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10;
  const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  uint64_t failed = lichen::rtl::CheckErrors() ? 0 : 1;
  failed += lichen::rtl::CheckFaults() ? 0 : 1;
  failed += lichen::rtl::CheckTiming(lichen::rtl::BuiltDesign()) ? 0 : 1;
  lichen::rtl::Totals totals;
  for (uint64_t seed = first; seed < first + programs && failed < 1; ++seed) {
    if (!lichen::rtl::RunOne(seed, totals)) ++failed;
  }
  std::printf(
      "%s: %llu programs from seed %llu, %zu instructions, %llu cycles, %zu bytes changed, "
      "slow memory off by %.2f %% at most\n",
      failed == 0 ? "passed" : "FAILED", static_cast<unsigned long long>(programs),
      static_cast<unsigned long long>(first), totals.instructions,
      static_cast<unsigned long long>(totals.cycles), totals.written, 100 * totals.slow_difference);
  return failed == 0 ? 0 : 1;
}
