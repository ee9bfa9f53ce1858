// The engine in simulation: a verilated model in a process of its own, at the other end of a socket.
//
// Contract: implements Bus (bus.h) over bus_protocol.h. Start() fails with a text that names what is missing. Where
// the process has ended, registers read 0, and everything else says so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "bus.h"

namespace lichen::rtl {

class PipeBus : public Bus {
 public:
  struct Options {
    uint64_t memory_bytes = 0;
    uint64_t timeout_cycles = 1'000'000'000;  // of a wait for the interrupt
    // Where memory answers reads and writes with an error: [begin, end).
    uint64_t fault_begin = 0;
    uint64_t fault_end = 0;
  };
  // `model` is the program that `lichen verify BUNDLE` leaves at BUNDLE/build/verify. Null, and `error` says why.
  static std::unique_ptr<PipeBus> Start(const std::string& model, const Options& options,
                                        std::string& error);
  ~PipeBus() override;
  PipeBus(const PipeBus&) = delete;
  PipeBus& operator=(const PipeBus&) = delete;

  uint32_t Read32(uint32_t register_address) override;
  void Write32(uint32_t register_address, uint32_t value) override;
  bool ReadMemory(uint64_t address, std::span<uint8_t> bytes) override;
  bool WriteMemory(uint64_t address, std::span<const uint8_t> bytes) override;
  bool WaitForInterrupt() override;
  uint64_t memory_bytes() const override { return memory_bytes_; }
  uint64_t physical_address() const override { return 0; }

 private:
  PipeBus() = default;
  bool Send(const void* from, size_t count);
  bool Receive(void* to, size_t count);
  void Stop();

  uint64_t memory_bytes_ = 0;
  int socket_ = -1;
  pid_t process_ = -1;
};

}  // namespace lichen::rtl
