// Reads PNG by rows. Used through image/reader.h.
//
// Contract: pixels are decoded by libspng, with every CRC checked; an interlaced picture is
// decoded whole at the first row.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "image/byte_source.h"
#include "image/reader.h"

namespace lichen {

bool LooksLikePng(std::span<const uint8_t> start);
// Takes a source at position 0.
Result<std::unique_ptr<ImageReader>> OpenPng(ByteSource source);

}  // namespace lichen
