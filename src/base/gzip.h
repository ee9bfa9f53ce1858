// Uncompresses .gz data within a bound.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"

namespace lichen {

bool IsGzip(std::span<const uint8_t> bytes);

// Error if the data is damaged or truncated, or gives more than max_bytes. One member; bytes after it are an error.
Result<std::vector<uint8_t>> DecodeGzip(std::span<const uint8_t> bytes, uint64_t max_bytes);

// The file, or where there is none the one with .gz behind its name; where neither is there, the file.
std::filesystem::path PlainOrGzip(const std::filesystem::path& plain);

// A file's bytes, decoded where they are gzip. Error if there are more than max_bytes.
Result<std::vector<uint8_t>> ReadPlainOrGzip(const std::filesystem::path& path, uint64_t max_bytes);

}  // namespace lichen
