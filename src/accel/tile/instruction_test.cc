#include "accel/tile/instruction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace lichen::tile {
namespace {

using testing::HasSubstr;

std::vector<Instruction> RandomProgram(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Instruction> program;
  while (program.size() < 500) {
    EncodedInstruction bytes{};
    bytes[0] = static_cast<uint8_t>(random() % 5);
    for (size_t i = 1; i < 24; ++i) bytes[i] = static_cast<uint8_t>(random());
    auto decoded = Decode(bytes);
    if (!decoded) {  // END and WEIGHT have few fields
      std::fill(bytes.begin() + 2, bytes.end(), uint8_t{0});
      decoded = Decode(bytes);
    }
    if (decoded) program.push_back(*decoded);
  }
  return program;
}

TEST(TileInstruction, BinaryAndTextGiveItBack) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  const std::vector<Instruction> program = RandomProgram(seed);
  std::string text = "# a comment\n\n";
  for (const Instruction& instruction : program) {
    EXPECT_EQ(FieldProblem(instruction), "");
    const auto decoded = Decode(Encode(instruction));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, instruction);
    text += ToText(instruction) + "  # again\n";
  }
  const auto assembled = Assemble(text);
  ASSERT_TRUE(assembled) << assembled.error().message;
  EXPECT_EQ(*assembled, program);
}

// Fixes the bits of docs/tile.md.
TEST(TileInstruction, FieldsLieWhereTheDocumentSays) {
  const EncodedInstruction load =
      Encode(Load{.sync = {.wait = 2, .signal = 1}, .address_bytes = 0x123456789A, .chunks = 3});
  EXPECT_EQ(load[0], 1 | (2 << 4));
  EXPECT_EQ(load[1], 1 << 3);                           // signal begins at bit 11
  EXPECT_EQ(load[2], static_cast<uint8_t>(0x9A << 2));  // address at bit 18
  const EncodedInstruction compute = Encode(Compute{.target_pitch = 0x801});
  const int first = 18 + 1 + 1 + 2 + 10 + 10 + 8 + 4 + 6 + 4 + 6 + 10 + 4 + 4 + 16 + 16 + 10 + 16 +
                    12 + 8 + 16 + 16;
  EXPECT_EQ(compute[static_cast<size_t>(first / 8)] >> (first % 8) & 1, 1);
}

TEST(TileInstruction, RefusesWhatNoFieldHas) {
  EncodedInstruction bytes{};
  bytes[0] = 9;
  EXPECT_THAT(Decode(bytes).error().message, HasSubstr("opcode 9"));
  bytes = {};
  bytes[31] = 0x80;
  EXPECT_THAT(Decode(bytes).error().message, HasSubstr("bit 255"));
  EXPECT_THAT(FieldProblem(Store{.run = 1 << 14}), HasSubstr("run is 16384"));
}

TEST(TileInstruction, AssemblerNamesTheLine) {
  for (const auto& [text, reason] :
       {std::pair{"END\nJUMP a=1", "line 2: unknown instruction 'JUMP'"},
        {"LOAD rows", "line 1: 'rows': write FIELD=NUMBER"},
        {"LOAD rows=x", "line 1: 'rows=x'"},
        {"LOAD rows=4096", "line 1: rows=4096 does not fit"},
        {"STORE stride_y=1", "line 1: STORE has no field 'stride_y'"}}) {
    const auto program = Assemble(text);
    ASSERT_FALSE(program) << text;
    EXPECT_THAT(program.error().message, HasSubstr(reason));
  }
}

}  // namespace
}  // namespace lichen::tile
