// Buffered sequential reading of a file, for the picture readers.
//
// Contract: holds one buffer, never the file (but bytes that are given whole). Asking for more than is left is an error that
// names the file, the position and what was missing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace lichen {

class ByteSource {
 public:
  static Result<ByteSource> Open(const std::filesystem::path& path, size_t buffer_bytes = 1 << 16);
  // Bytes that are no file; `name` stands for the path in messages. Error: there are none.
  static Result<ByteSource> FromBytes(std::vector<uint8_t> bytes, std::string name);

  const std::string& path() const { return path_; }
  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t position_bytes() const { return position_bytes_; }
  uint64_t LeftBytes() const { return size_bytes() - position_bytes_; }

  Result<void> Read(std::span<uint8_t> bytes);
  // A view of buffered bytes, at least one, of which the caller then takes some by Skip().
  Result<std::span<const uint8_t>> Buffered();
  // Moves; seeking past the end is an error.
  Result<void> Seek(uint64_t position_bytes);
  Result<void> Skip(uint64_t bytes) { return Seek(position_bytes_ + bytes); }

 private:
  ByteSource() = default;

  std::optional<InputFile> file_;  // none: all bytes are in the buffer
  std::string path_;
  uint64_t size_bytes_ = 0;
  std::vector<uint8_t> buffer_;
  uint64_t buffer_position_bytes_ = 0;  // of buffer_[0] in the file
  uint64_t buffer_filled_bytes_ = 0;
  uint64_t position_bytes_ = 0;
};

}  // namespace lichen
