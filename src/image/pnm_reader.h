// Reads raw PGM (P5), PPM (P6) and PAM (P7) by rows. Used through image/reader.h.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "image/byte_source.h"
#include "image/reader.h"

namespace lichen {

bool LooksLikePnm(std::span<const uint8_t> start);
// Takes a source at position 0.
Result<std::unique_ptr<ImageReader>> OpenPnm(ByteSource source);

}  // namespace lichen
