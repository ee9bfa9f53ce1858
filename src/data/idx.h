// Reads MNIST: idx files of bytes, plain or gzip (told by their first bytes).
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "data/labelled_pictures.h"

namespace lichen {

// Numbers as an idx file holds them: two bytes 0, type 8 (bytes), the number of axes, their lengths (32 bits, big
// endian), then the elements, the last axis fastest.
struct IdxArray {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;
};

// Error unless the file has exactly `axes` axes and as many bytes as they say.
Result<IdxArray> ReadIdx(const std::filesystem::path& path, size_t axes);

// Grey pictures; `folder` as of ReadLabelledPictures().
Result<LabelledPictures> ReadMnist(const std::filesystem::path& folder, Split split);

}  // namespace lichen
