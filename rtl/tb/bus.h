// What a host sees of a tile engine: registers, memory, and the end of a run.
//
// Contract: a host counts the engine's memory from 0; for the engine it lies at physical_address().
// Registers are those of rtl/README.md. Simulation and driver implement it.
#pragma once

#include <cstdint>
#include <span>

namespace lichen::rtl {

class Bus {
 public:
  virtual ~Bus() = default;
  virtual uint32_t Read32(uint32_t register_address) = 0;
  virtual void Write32(uint32_t register_address, uint32_t value) = 0;
  // False: beyond the memory, or the connection is lost; nothing was read or written.
  virtual bool ReadMemory(uint64_t address, std::span<uint8_t> bytes) = 0;
  virtual bool WriteMemory(uint64_t address, std::span<const uint8_t> bytes) = 0;
  // False: no interrupt came within the time the bus allows.
  virtual bool WaitForInterrupt() = 0;
  virtual uint64_t memory_bytes() const = 0;
  // Of the memory, as the engine sees it; Relocate() (sw/relocate.h) adds it to a program's addresses.
  virtual uint64_t physical_address() const = 0;

 protected:
  bool IsInside(uint64_t address, uint64_t count) const {
    return address <= memory_bytes() && count <= memory_bytes() - address;
  }
};

// Registers of the engine.
enum Register : uint32_t {
  kId = 0x00,
  kVersion = 0x04,
  kControl = 0x08,
  kStatus = 0x0C,
  kProgramLow = 0x10,
  kProgramHigh = 0x14,
  kCyclesLow = 0x18,
  kCyclesHigh = 0x1C,
  kInterruptEnable = 0x20,
  kInterruptStatus = 0x24,
  kErrors = 0x28,
  kPif = 0x40,
  kPof = 0x44,
  kPoy = 0x48,
  kPox = 0x4C,
  kEpilogueLanes = 0x50,
  kOperandBits = 0x54,
};

inline constexpr uint32_t kEngineId = 0x4C494348;  // "LICH"
inline constexpr uint32_t kStatusBusy = 1;
inline constexpr uint32_t kStatusDone = 2;
inline constexpr uint32_t kStatusError = 4;
// Bits of kErrors.
inline constexpr uint32_t kErrorInstruction = 1;
inline constexpr uint32_t kErrorRead = 2;
inline constexpr uint32_t kErrorWrite = 4;

struct RunResult {
  bool is_done = false;
  uint32_t errors = 0;  // bits of kErrors
  uint64_t cycles = 0;
};

// Runs the program at an address to its end, as a driver does.
inline RunResult RunProgram(Bus& bus, uint64_t program_address) {
  bus.Write32(kProgramLow, static_cast<uint32_t>(program_address));
  bus.Write32(kProgramHigh, static_cast<uint32_t>(program_address >> 32));
  bus.Write32(kInterruptEnable, 1);
  bus.Write32(kControl, 1);
  RunResult result;
  result.is_done = bus.WaitForInterrupt() && (bus.Read32(kStatus) & kStatusDone) != 0;
  bus.Write32(kInterruptStatus, 1);
  result.errors = bus.Read32(kErrors);
  result.cycles = bus.Read32(kCyclesLow) | uint64_t{bus.Read32(kCyclesHigh)} << 32;
  return result;
}

}  // namespace lichen::rtl
