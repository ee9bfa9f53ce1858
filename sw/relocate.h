// Moves a program to another place in memory: adds an offset to the address of every LOAD, WEIGHT and
// STORE.
//
// Contract: 32 bytes per instruction (docs/tile.md): opcode in bits 0 to 3, the address of 40 bits from
// bit 18 on. The offset is a multiple of 4096, so that bursts stay whole.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace lichen::rtl {

inline constexpr size_t kProgramWordBytes = 32;

inline void Relocate(std::span<uint8_t> program, uint64_t offset) {
  constexpr int kAddressBit = 18;
  constexpr uint64_t kAddressMask = (uint64_t{1} << 40) - 1;
  for (size_t at = 0; at + kProgramWordBytes <= program.size(); at += kProgramWordBytes) {
    uint64_t low;
    std::memcpy(&low, program.data() + at, sizeof(low));
    const uint64_t opcode = low & 15;
    if (opcode == 0) return;  // END
    if (opcode != 1 && opcode != 2 && opcode != 4) continue;
    const uint64_t address = (low >> kAddressBit & kAddressMask) + offset;
    low = (low & ~(kAddressMask << kAddressBit)) | (address & kAddressMask) << kAddressBit;
    std::memcpy(program.data() + at, &low, sizeof(low));
  }
}

}  // namespace lichen::rtl
