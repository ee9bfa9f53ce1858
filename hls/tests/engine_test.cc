// The HLS engine against tile::Machine on random programs, byte for byte of memory.
#include <gtest/gtest.h>

#include <cstring>

#include "accel/tile/machine.h"
#include "rtl/tb/random_program.h"
#include "tile_engine.h"

namespace lichen {
namespace {

using tile_hls::Beat;

tile::Design BuiltDesign() {
  tile::Design d;
  d.pif = tile_hls::kPif;
  d.pof = tile_hls::kPof;
  d.poy = tile_hls::kPoy;
  d.pox = tile_hls::kPox;
  d.epilogue_lanes = tile_hls::kEpilogueLanes;
  d.input_buffer_words = tile_hls::kInputBufferWords;
  d.weight_buffer_words = tile_hls::kWeightBufferWords;
  d.parameter_buffer_words = tile_hls::kParameterBufferWords;
  d.middle_buffer_words = tile_hls::kMiddleBufferWords;
  d.output_buffer_words = tile_hls::kOutputBufferWords;
  d.operand_bits = tile_hls::kOperandBits;
  return d;
}

// Runs the program in `memory`; gives the engine's errors.
uint32_t RunEngine(uint64_t program, std::vector<uint8_t>& memory) {
  std::vector<Beat> beats(memory.size() / sizeof(Beat));
  std::memcpy(beats.data(), memory.data(), beats.size() * sizeof(Beat));
  ap_uint<32> errors = 0;
  tile_engine(beats.data(), beats.data(), beats.data(), beats.data(), program, &errors);
  std::memcpy(memory.data(), beats.data(), beats.size() * sizeof(Beat));
  return errors.to_uint();
}

TEST(HlsEngine, EqualsTheMachineOnRandomPrograms) {
  const tile::Design design = BuiltDesign();
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const rtl::RandomProgram program = rtl::MakeRandomProgram(design, seed, 6);
    std::vector<uint8_t> expected = program.memory;
    tile::Machine machine(design, expected);
    for (const tile::Instruction& instruction : program.instructions) {
      const Result<void> result = machine.Execute(instruction);
      ASSERT_TRUE(result) << "seed " << seed << ": " << result.error().message;
    }
    ASSERT_NE(expected, program.memory) << "seed " << seed << " writes nothing";
    std::vector<uint8_t> memory = program.memory;
    testing::internal::CaptureStderr();
    EXPECT_EQ(RunEngine(program.program_address, memory), 0U);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "seed " << seed;
    size_t different = 0;
    for (size_t i = 0; i < memory.size(); ++i) different += memory[i] != expected[i];
    ASSERT_EQ(different, 0U) << "seed " << seed;
  }
}

TEST(HlsEngine, TakesAnUnknownInstructionAsEnd) {
  std::vector<uint8_t> memory(4096, 0xFF);
  EXPECT_EQ(RunEngine(0, memory), 1U);
  memory.assign(4096, 0);
  EXPECT_EQ(RunEngine(32, memory), 0U);
}

// A program whose LOAD waits for a token that nobody gives.
TEST(HlsEngineDeathTest, SaysWhichUnitWaitsForEver) {
  std::vector<uint8_t> memory(4096, 0);
  tile::Load load;
  load.sync.wait = tile::Bit(tile::Token::kStoreToLoad);
  const tile::EncodedInstruction bytes = tile::Encode(load);
  std::memcpy(memory.data(), bytes.data(), bytes.size());
  EXPECT_EXIT(RunEngine(0, memory), testing::ExitedWithCode(1), "stream store_to_load is read");
}

}  // namespace
}  // namespace lichen
