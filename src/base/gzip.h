// Uncompresses .gz data within a bound.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace lichen {

bool IsGzip(std::span<const uint8_t> bytes);

// Error if the data is damaged or truncated, or gives more than max_bytes. One member; bytes after it are an error.
Result<std::vector<uint8_t>> DecodeGzip(std::span<const uint8_t> bytes, uint64_t max_bytes);

}  // namespace lichen
