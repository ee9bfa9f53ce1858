// Files: whole reads with a bound, and writes that appear whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

// The bytes of a regular file (or pipe). Error if it cannot be read, is a directory or a device, or holds more than max_bytes.
Result<std::vector<uint8_t>> ReadFile(const std::filesystem::path& path,
                                      uint64_t max_bytes = uint64_t{1} << 32);

// Sequential reading with a known total size; for input that is too large to hold.
class InputFile {
 public:
  static Result<InputFile> Open(const std::filesystem::path& path);
  InputFile(InputFile&&) noexcept;
  InputFile& operator=(InputFile&&) noexcept;
  ~InputFile();
  uint64_t size_bytes() const { return size_bytes_; }
  const std::string& path() const { return path_; }
  // Reads exactly bytes.size() bytes at the absolute position; an error names path and position.
  Result<void> ReadAt(uint64_t position_bytes, std::span<uint8_t> bytes) const;

 private:
  InputFile() = default;
  int fd_ = -1;
  uint64_t size_bytes_ = 0;
  std::string path_;
};

// A file written beside its destination (a hidden temporary name in the same folder) that takes the destination's name on
// Commit(), after a sync. Destroyed without Commit(), it leaves nothing. Missing folders of the
// destination are created. A killed process leaves at most the temporary, never the destination; where the
// system has O_TMPFILE not even that.
class OutputFile {
 public:
  static Result<OutputFile> Create(const std::filesystem::path& path);
  OutputFile(OutputFile&&) noexcept;
  OutputFile& operator=(OutputFile&&) noexcept;
  ~OutputFile();
  Result<void> Write(std::span<const uint8_t> bytes);
  Result<void> WriteAt(uint64_t position_bytes, std::span<const uint8_t> bytes);
  uint64_t position_bytes() const { return position_bytes_; }
  Result<void> Commit();

 private:
  OutputFile() = default;
  void Discard();
  int fd_ = -1;
  uint64_t position_bytes_ = 0;
  std::filesystem::path destination_;
  std::filesystem::path temporary_;
};

Result<void> WriteFile(const std::filesystem::path& path, std::span<const uint8_t> bytes);
Result<void> WriteFile(const std::filesystem::path& path, std::string_view text);

}  // namespace lichen
