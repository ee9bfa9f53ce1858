// Reads JPEG by rows. Used through image/reader.h.
//
// Contract: libjpeg-turbo with its default settings (accurate integer DCT, smooth upsampling), on
// which golden results depend. What libjpeg only warns about and pads (missing or corrupt data) is
// an error here; a missing end-of-image marker too. Memory is by width for baseline JPEG, and about
// 2 bytes per coefficient for progressive and multi-scan ones.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "image/byte_source.h"
#include "image/reader.h"

namespace lichen {

bool LooksLikeJpeg(std::span<const uint8_t> start);
// Takes a source at position 0.
Result<std::unique_ptr<ImageReader>> OpenJpeg(ByteSource source);

}  // namespace lichen
