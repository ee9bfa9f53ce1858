// Writes PNG by rows. Used through image/writer.h.
//
// Contract: fast rather than small (deflate level 1); the same picture always gives the same
// bytes for one version of zlib. Holds two rows and a fixed buffer.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "image/writer.h"

namespace lichen {

Result<std::unique_ptr<ImageWriter>> CreatePngWriter(const std::filesystem::path& path,
                                                     const ImageInfo& info);

}  // namespace lichen
