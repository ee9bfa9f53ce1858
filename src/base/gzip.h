// Uncompresses .gz data, and the bare DEFLATE data of .zip members, within a bound.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace lichen {

bool IsGzip(std::span<const uint8_t> bytes);

// Error if the data is damaged or truncated, or gives more than max_bytes. One member; bytes after it are an error.
Result<std::vector<uint8_t>> DecodeGzip(std::span<const uint8_t> bytes, uint64_t max_bytes);

// The same for DEFLATE data without header and checksum (RFC 1951).
Result<std::vector<uint8_t>> DecodeDeflate(std::span<const uint8_t> bytes, uint64_t max_bytes);

}  // namespace lichen
