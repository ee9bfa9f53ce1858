// The engine on a board under Linux: registers through UIO, memory through u-dma-buf.
//
// Contract: implements Bus (sw/bus.h). /dev/uioN is the engine's generic-uio node with its interrupt,
// /dev/udmabufN a buffer of contiguous memory, in which addresses count from 0; Relocate()
// (sw/relocate.h) moves a program there. Open() fails with a text that names
// what is missing. Compiled here, not run on a board.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "bus.h"

namespace lichen::rtl {

class UioBus : public Bus {
 public:
  // Null, and `error` says why.
  static std::unique_ptr<UioBus> Open(const std::string& uio, const std::string& udmabuf,
                                      std::string& error);
  ~UioBus() override;
  UioBus(const UioBus&) = delete;
  UioBus& operator=(const UioBus&) = delete;

  uint32_t Read32(uint32_t register_address) override;
  void Write32(uint32_t register_address, uint32_t value) override;
  bool ReadMemory(uint64_t address, std::span<uint8_t> bytes) override;
  bool WriteMemory(uint64_t address, std::span<const uint8_t> bytes) override;
  // Up to 10 seconds.
  bool WaitForInterrupt() override;

  uint64_t memory_bytes() const override { return memory_bytes_; }
  uint64_t physical_address() const override { return physical_address_; }

 private:
  UioBus() = default;
  int uio_ = -1;
  int buffer_ = -1;
  volatile uint32_t* registers_ = nullptr;
  uint8_t* memory_ = nullptr;
  uint64_t memory_bytes_ = 0;
  uint64_t physical_address_ = 0;
};

}  // namespace lichen::rtl
