// Writes pictures by rows: PNG, and raw PGM, PPM and PAM.
//
// Contract: memory grows with the width only. The file appears whole at Finish() or not at all.
// READ ME FIRST: PGM, PPM and PAM hold no metadata; HoldsMetadata() tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"
#include "image/image.h"

namespace lichen {

class ImageWriter {
 public:
  virtual ~ImageWriter() = default;
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;

  const ImageInfo& info() const { return info_; }
  int64_t next_row() const { return next_row_; }
  // The next row, top to bottom, interleaved. Requires next_row() < height and exactly
  // info().RowSamples() samples, none above info().MaxSample().
  Result<void> WriteRow(std::span<const uint16_t> samples);
  // Puts the file in its place. Requires that all rows have been written without an error.
  Result<void> Finish();

 protected:
  explicit ImageWriter(ImageInfo info) : info_(std::move(info)) {}
  virtual Result<void> DoWriteRow(std::span<const uint16_t> samples) = 0;
  virtual Result<void> DoFinish() = 0;

 private:
  ImageInfo info_;
  int64_t next_row_ = 0;
};

// Chooses by the name's ending: .png; .ppm (RGB), .pgm (grey), .pnm (either), .pam (any). Missing
// folders are created.
Result<std::unique_ptr<ImageWriter>> CreateImageWriter(const std::filesystem::path& path,
                                                       const ImageInfo& info);

// Whether a picture can be written under that name; a check before long work.
Result<void> CheckWritable(const std::filesystem::path& path, const ImageInfo& info);

// Whether the format that the name asks for keeps ICC and Exif.
bool HoldsMetadata(const std::filesystem::path& path);

Result<void> WriteImage(const std::filesystem::path& path, const Image& image);

}  // namespace lichen
