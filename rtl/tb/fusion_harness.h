// A verilated fusion machine with a memory behind its ports.
//
// Contract: implements Bus cycle by cycle; the memory is accel/common/axi_memory.h, whose cycle 0 is that of the start
// pulse. Breaches of the AXI rules are counted and printed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "axi_memory.h"
#include "bus.h"

namespace lichen::rtl {

inline constexpr uint32_t kFusionId = 0x4C494346;  // "LICF"
inline constexpr uint32_t kProgramWords = 0x2C;    // register: instructions of the program

class FusionHarness : public Bus {
 public:
  FusionHarness(size_t memory_bytes, const accel::AxiTiming& timing);
  ~FusionHarness() override;

  uint32_t Read32(uint32_t register_address) override;
  void Write32(uint32_t register_address, uint32_t value) override;
  bool ReadMemory(uint64_t address, std::span<uint8_t> bytes) override;
  bool WriteMemory(uint64_t address, std::span<const uint8_t> bytes) override;
  bool WaitForInterrupt() override;
  uint64_t memory_bytes() const override { return memory_.size(); }
  uint64_t physical_address() const override { return 0; }

  // Sees the address of each beat that the engine writes, and the cycle since its start.
  void set_write_observer(std::function<void(uint64_t address, int64_t cycle)> observer) {
    write_observer_ = std::move(observer);
  }
  void set_timeout_cycles(int64_t cycles) { timeout_cycles_ = cycles; }
  std::vector<uint8_t>& memory() { return memory_; }
  int breaches() const;

 private:
  struct Impl;
  void Tick();

  std::vector<uint8_t> memory_;
  int64_t timeout_cycles_ = 1'000'000;
  std::function<void(uint64_t, int64_t)> write_observer_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lichen::rtl
