// Checks registers, errors and the engine's timing rules, then runs random programs on the
// verilated engine and compares memory with tile::Machine, byte for byte.
//
// Usage: engine_test PROGRAMS [FIRST_SEED]. The design comes from the macros that the build gives.
#include <cstdio>
#include <cstdlib>

#include "accel/tile/machine.h"
#include "random_program.h"
#include "tile_harness.h"
#include "timing_test.h"

namespace lichen::rtl {
namespace {

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
};

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
  MemoryModel model;
  model.seed = seed;
  // Ideal, slow, and with random back-pressure.
  if (seed % 3 == 1) model.stall_percent = 10 + static_cast<int>(seed % 7) * 10;
  if (seed % 3 == 2)
    model = {.latency_cycles = 60, .bytes_per_cycle = 12.5, .outstanding_bursts = 4, .seed = seed};
  TileHarness engine(program.memory.size(), model);
  engine.set_timeout_cycles(100'000);
  engine.WriteMemory(0, program.memory);
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
  const bool is_right =
      written > 0 && run.is_done && run.errors == 0 && different == 0 && engine.breaches() == 0;
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
  failed += lichen::rtl::CheckTiming(lichen::rtl::BuiltDesign()) ? 0 : 1;
  lichen::rtl::Totals totals;
  for (uint64_t seed = first; seed < first + programs && failed < 1; ++seed) {
    if (!lichen::rtl::RunOne(seed, totals)) ++failed;
  }
  std::printf(
      "%s: %llu programs from seed %llu, %zu instructions, %llu cycles, %zu bytes changed\n",
      failed == 0 ? "passed" : "FAILED", static_cast<unsigned long long>(programs),
      static_cast<unsigned long long>(first), totals.instructions,
      static_cast<unsigned long long>(totals.cycles), totals.written);
  return failed == 0 ? 0 : 1;
}
