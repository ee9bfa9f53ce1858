// Runs a plan's program on an engine, on a board as in simulation.
//
// Contract: memory is that of a plan, from 0: constants (program, weights, parameters), then tensors (sw/design.h says
// where). Every function gives what went wrong, or an empty text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bus.h"

namespace lichen::rtl {

// What an engine says of itself in its registers.
struct EngineParameters {
  uint32_t pif = 0;
  uint32_t pof = 0;
  uint32_t poy = 0;
  uint32_t pox = 0;
  uint32_t epilogue_lanes = 0;
  uint32_t operand_bits = 0;
};

class Driver {
 public:
  // Keeps a reference.
  explicit Driver(Bus& bus) : bus_(bus) {}

  // That the engine has these parameters, and memory for so many bytes.
  [[nodiscard]] std::string Check(const EngineParameters& expected, uint64_t memory_bytes);
  // Writes the constants, their program moved to where the memory lies for the engine.
  [[nodiscard]] std::string Load(std::vector<uint8_t> constants);
  [[nodiscard]] std::string Write(uint64_t address, std::span<const uint8_t> bytes);
  [[nodiscard]] std::string Read(uint64_t address, std::span<uint8_t> bytes);
  // Runs the program to its end. `cycles` is the engine's own count.
  [[nodiscard]] std::string Run(uint64_t& cycles);

 private:
  Bus& bus_;
};

}  // namespace lichen::rtl
