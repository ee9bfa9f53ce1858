// Random programs of the tile engine with everything they need in memory.
//
// Contract: programs use every instruction, kind, target and stride, stay within buffers and
// memory, and wait for each other by tokens such that program order is the only result possible.
// Jobs alternate between the halves of every buffer. Deterministic for a seed.
#pragma once

#include <cstdint>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/instruction.h"

namespace lichen::rtl {

struct RandomProgram {
  std::vector<tile::Instruction> instructions;
  std::vector<uint8_t> memory;  // with the encoded program
  uint64_t program_address = 0;
};

RandomProgram MakeRandomProgram(const tile::Design& design, uint64_t seed, int jobs);

}  // namespace lichen::rtl
