// Bytes under a path, for code that reads files: in memory, gone with the object.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace lichen {

class MemoryFile {
 public:
  explicit MemoryFile(std::span<const uint8_t> bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::filesystem::path path() const;

 private:
  int fd_;
};

}  // namespace lichen
