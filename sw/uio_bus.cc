#include "uio_bus.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace lichen::rtl {
namespace {

constexpr size_t kRegisterBytes = 4096;
constexpr int kTimeoutMs = 10'000;

// A number of /sys/class/u-dma-buf/NAME/KEY; false if it is not there.
bool ReadNumber(const std::string& device, const char* key, uint64_t& value) {
  const std::string name = device.substr(device.rfind('/') + 1);
  std::ifstream in("/sys/class/u-dma-buf/" + name + "/" + key);
  std::string text;
  if (!(in >> text)) return false;
  value = std::stoull(text, nullptr, 0);
  return true;
}

}  // namespace

std::unique_ptr<UioBus> UioBus::Open(const std::string& uio, const std::string& udmabuf,
                                     std::string& error) {
  std::unique_ptr<UioBus> bus(new UioBus);
  bus->uio_ = ::open(uio.c_str(), O_RDWR | O_CLOEXEC);
  if (bus->uio_ < 0) {
    error =
        uio + ": " + std::strerror(errno) + "; is the engine in the device tree as generic-uio?";
    return nullptr;
  }
  void* registers =
      ::mmap(nullptr, kRegisterBytes, PROT_READ | PROT_WRITE, MAP_SHARED, bus->uio_, 0);
  if (registers == MAP_FAILED) {
    error = uio + ": its registers cannot be mapped";
    return nullptr;
  }
  bus->registers_ = static_cast<volatile uint32_t*>(registers);
  if (bus->Read32(kId) != kEngineId) {
    error = uio + ": is no Lichen engine (its id register holds something else)";
    return nullptr;
  }
  bus->buffer_ = ::open(udmabuf.c_str(), O_RDWR | O_SYNC | O_CLOEXEC);
  if (bus->buffer_ < 0 || !ReadNumber(udmabuf, "size", bus->memory_bytes_) ||
      !ReadNumber(udmabuf, "phys_addr", bus->physical_address_)) {
    error = udmabuf + ": is no u-dma-buf; load the module with the memory that sw/design.h names";
    return nullptr;
  }
  void* memory =
      ::mmap(nullptr, bus->memory_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, bus->buffer_, 0);
  if (memory == MAP_FAILED) {
    error = udmabuf + ": cannot be mapped";
    return nullptr;
  }
  bus->memory_ = static_cast<uint8_t*>(memory);
  return bus;
}

UioBus::~UioBus() {
  if (memory_) ::munmap(memory_, memory_bytes_);
  if (registers_) ::munmap(const_cast<uint32_t*>(registers_), kRegisterBytes);
  if (buffer_ >= 0) ::close(buffer_);
  if (uio_ >= 0) ::close(uio_);
}

uint32_t UioBus::Read32(uint32_t register_address) { return registers_[register_address / 4]; }

void UioBus::Write32(uint32_t register_address, uint32_t value) {
  registers_[register_address / 4] = value;
}

bool UioBus::ReadMemory(uint64_t address, std::span<uint8_t> bytes) {
  if (!IsInside(address, bytes.size())) return false;
  std::memcpy(bytes.data(), memory_ + address, bytes.size());
  return true;
}

bool UioBus::WriteMemory(uint64_t address, std::span<const uint8_t> bytes) {
  if (!IsInside(address, bytes.size())) return false;
  std::memcpy(memory_ + address, bytes.data(), bytes.size());
  return true;
}

bool UioBus::WaitForInterrupt() {
  const uint32_t enable = 1;
  if (::write(uio_, &enable, sizeof(enable)) != sizeof(enable)) return false;
  pollfd ready = {uio_, POLLIN, 0};
  if (::poll(&ready, 1, kTimeoutMs) <= 0) return false;
  uint32_t count = 0;
  return ::read(uio_, &count, sizeof(count)) == sizeof(count);
}

}  // namespace lichen::rtl
