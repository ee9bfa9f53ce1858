// A verilated tile engine with a memory behind its ports.
//
// Contract: implements Bus cycle by cycle. The memory answers the first beat of a burst
// `latency_cycles` after its address, then up to a beat a cycle and port, bursts of a port in
// order; writes are answered `latency_cycles` after their last beat. With `stall_percent`, every
// handshake is held back at random in that share of cycles. Breaches of the AXI rules are counted
// and printed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bus.h"

namespace lichen::rtl {

struct MemoryModel {
  int latency_cycles = 8;
  double bytes_per_cycle = 0;  // all ports together; 0: no bound but a beat a cycle and port
  int outstanding_bursts = 8;  // per port and direction
  int stall_percent = 0;       // of the cycles, for each handshake
  uint64_t seed = 1;
  // Addresses [fault_begin, fault_end): reads and writes of a beat there are answered with SLVERR.
  uint64_t fault_begin = 0;
  uint64_t fault_end = 0;
};

class TileHarness : public Bus {
 public:
  TileHarness(size_t memory_bytes, const MemoryModel& model);
  ~TileHarness() override;

  uint32_t Read32(uint32_t register_address) override;
  void Write32(uint32_t register_address, uint32_t value) override;
  bool ReadMemory(uint64_t address, std::span<uint8_t> bytes) override;
  bool WriteMemory(uint64_t address, std::span<const uint8_t> bytes) override;
  bool WaitForInterrupt() override;
  uint64_t memory_bytes() const override { return memory_.size(); }
  uint64_t physical_address() const override { return 0; }

  // Sees every byte that the engine writes, and the cycle.
  void set_write_observer(std::function<void(uint64_t address, uint64_t cycle)> observer) {
    write_observer_ = std::move(observer);
  }
  // The cycle of the last start pulse, by the observer's count; the engine counts from the next.
  uint64_t start_cycle() const { return start_cycle_; }
  // Waits at most so many cycles.
  void set_timeout_cycles(uint64_t cycles) { timeout_cycles_ = cycles; }
  std::vector<uint8_t>& memory() { return memory_; }
  int breaches() const;

 private:
  struct Impl;
  void Tick();

  std::vector<uint8_t> memory_;
  uint64_t timeout_cycles_ = 1'000'000;
  uint64_t start_cycle_ = 0;
  std::function<void(uint64_t, uint64_t)> write_observer_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lichen::rtl
