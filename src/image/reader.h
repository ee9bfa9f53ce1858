// Reads pictures by rows: PNG, JPEG and the raw Netpbm formats (P5 PGM, P6 PPM, P7 PAM).
//
// READ ME FIRST: memory grows with the width only, except for interlaced PNG and progressive or
// multi-scan JPEG, which are buffered whole (by width * height).
//
// Contract: the format is told by content, not by name. Nothing is allocated for a size that the
// file is too short to hold. Truncated or damaged files are errors naming file, row and byte.
//   PNG   all types; palette becomes RGB, 1, 2 and 4 bit become 8, tRNS becomes alpha.
//         gAMA, cHRM, sRGB and texts are not carried. Bytes after IEND are ignored.
//   JPEG  grey and colour, 8 bit, with libjpeg's default decoding; CMYK and YCCK, arithmetic
//         coding, 12 bit and lossless are refused.
//   PNM   maxval 255 or less is scaled (rounding to nearest) to 8 bit, above to 16. Bytes after the
//         picture are ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"
#include "image/image.h"

namespace lichen {

class ImageReader {
 public:
  virtual ~ImageReader() = default;
  ImageReader(const ImageReader&) = delete;
  ImageReader& operator=(const ImageReader&) = delete;

  const ImageInfo& info() const { return info_; }
  // Rows read so far; the next ReadRow() gives this one.
  int64_t next_row() const { return next_row_; }
  // The next row, top to bottom, interleaved. Requires next_row() < height and exactly
  // info().RowSamples() samples. With the last row the rest of the file has been checked too.
  // After an error, every further call gives that error.
  Result<void> ReadRow(std::span<uint16_t> samples);

 protected:
  explicit ImageReader(ImageInfo info) : info_(std::move(info)) {}
  virtual Result<void> DoReadRow(int64_t y, std::span<uint16_t> samples) = 0;

 private:
  ImageInfo info_;
  int64_t next_row_ = 0;
  std::optional<Error> failed_;
};

Result<std::unique_ptr<ImageReader>> OpenImage(const std::filesystem::path& path);

// Size, channels, depth and metadata, without reading the pixels.
Result<ImageInfo> ReadImageInfo(const std::filesystem::path& path);

// The whole picture. Error if it has more than max_samples samples (2 bytes each).
Result<Image> ReadImage(const std::filesystem::path& path, int64_t max_samples = int64_t{1} << 32);

}  // namespace lichen
