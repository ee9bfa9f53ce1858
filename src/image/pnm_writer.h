// Writes raw PGM (P5), PPM (P6) and PAM (P7) by rows. Used through image/writer.h.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "image/writer.h"

namespace lichen {

// as_pam: P7; otherwise P5 or P6, which require 1 or 3 channels.
Result<std::unique_ptr<ImageWriter>> CreatePnmWriter(const std::filesystem::path& path,
                                                     const ImageInfo& info, bool as_pam);

}  // namespace lichen
