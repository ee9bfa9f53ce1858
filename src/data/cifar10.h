// Reads CIFAR-10: 32x32 RGB, 10 classes, 50000 pictures for training and 10000 for tests.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "data/labelled_pictures.h"

namespace lichen {

inline constexpr char kCifar10Pack[] = "cifar10_jpeg.pack.xz";

// The standard binaries, each plain or .gz: records of a label byte and 3072 bytes (c, y, x).
Result<LabelledPictures> ReadCifar10(const std::filesystem::path& folder, Split split);

// Packed JPEG, xz or plain: "CIFJPG1\n", then 60000 records of a label byte, a length (16 bits, little endian) and
// so many bytes of JPEG; the last 10000 are for tests. Lossy.
Result<LabelledPictures> ReadPackedCifar10(const std::filesystem::path& path, Split split);

}  // namespace lichen
