#include "image/reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "image/byte_source.h"
#include "image/jpeg_reader.h"
#include "image/png_reader.h"
#include "image/pnm_reader.h"

namespace lichen {

Result<void> ImageReader::ReadRow(std::span<uint16_t> samples) {
  LICHEN_CHECK(next_row_ < info_.height);
  LICHEN_CHECK(samples.size() == static_cast<size_t>(info_.RowSamples()));
  if (failed_) return tl::unexpected(*failed_);
  Result<void> result = DoReadRow(next_row_, samples);
  if (result) {
    ++next_row_;
  } else {
    failed_ = result.error();
  }
  return result;
}

Result<std::unique_ptr<ImageReader>> OpenImage(const std::filesystem::path& path) {
  LICHEN_TRY(ByteSource source, ByteSource::Open(path));
  std::array<uint8_t, 8> start{};
  const size_t count = std::min<uint64_t>(start.size(), source.size_bytes());
  LICHEN_TRY_VOID(source.Read(std::span(start).first(count)));
  LICHEN_TRY_VOID(source.Seek(0));
  if (LooksLikePng(start)) return OpenPng(std::move(source));
  if (LooksLikeJpeg(start)) return OpenJpeg(std::move(source));
  if (LooksLikePnm(start)) return OpenPnm(std::move(source));
  return Fail(
      "{}: is not a PNG, JPEG, PPM, PGM or PAM picture (it starts with bytes {:02x} {:02x} "
      "{:02x} {:02x}); convert it to PNG",
      path.string(), start[0], start[1], start[2], start[3]);
}

Result<ImageInfo> ReadImageInfo(const std::filesystem::path& path) {
  LICHEN_TRY(const auto reader, OpenImage(path));
  return reader->info();
}

Result<Image> ReadImage(const std::filesystem::path& path, int64_t max_samples) {
  LICHEN_TRY(const auto reader, OpenImage(path));
  Image image{.info = reader->info(), .samples = {}};
  const int64_t row_samples = image.info.RowSamples();
  if (row_samples > max_samples / image.info.height) {
    return Fail("{}: {} is too large to be held whole ({} samples are allowed); read it by rows",
                path.string(), Describe(image.info), max_samples);
  }
  // Reserved, not filled: pages of a picture that turns out damaged are never touched.
  image.samples.reserve(static_cast<size_t>(row_samples * image.info.height));
  for (int64_t y = 0; y < image.info.height; ++y) {
    image.samples.resize(static_cast<size_t>((y + 1) * row_samples));
    LICHEN_TRY_VOID(reader->ReadRow(image.Row(y)));
  }
  return image;
}

}  // namespace lichen
