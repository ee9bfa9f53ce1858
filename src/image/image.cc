#include "image/image.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace lichen {

std::span<uint16_t> Image::Row(int64_t y) {
  LICHEN_CHECK(y >= 0 && y < info.height);
  const int64_t count = info.RowSamples();
  return std::span(samples).subspan(static_cast<size_t>(y * count), static_cast<size_t>(count));
}

std::span<const uint16_t> Image::Row(int64_t y) const {
  LICHEN_CHECK(y >= 0 && y < info.height);
  const int64_t count = info.RowSamples();
  return std::span(samples).subspan(static_cast<size_t>(y * count), static_cast<size_t>(count));
}

uint16_t Image::At(int64_t y, int64_t x, int c) const {
  LICHEN_DCHECK(x >= 0 && x < info.width && c >= 0 && c < info.channels);
  return samples[static_cast<size_t>((y * info.width + x) * info.channels + c)];
}

Image MakeImage(ImageInfo info) {
  LICHEN_CHECK(CheckImageInfo(info).has_value());
  Image image;
  image.samples.resize(static_cast<size_t>(info.height * info.RowSamples()));
  image.info = std::move(info);
  return image;
}

Result<void> CheckImageInfo(const ImageInfo& info) {
  if (info.height < 1 || info.height > kMaxSidePx || info.width < 1 || info.width > kMaxSidePx) {
    return Fail("a picture of {}x{} pixels (width x height) is not possible; sides are 1 to {}",
                info.width, info.height, kMaxSidePx);
  }
  if (info.channels < 1 || info.channels > 4) {
    return Fail(
        "{} channels are not possible; pictures have 1 (grey), 2 (grey+alpha), 3 (RGB) or 4 "
        "(RGB+alpha)",
        info.channels);
  }
  if (info.bit_depth != 8 && info.bit_depth != 16) {
    return Fail("a bit depth of {} is not possible; it is 8 or 16", info.bit_depth);
  }
  return {};
}

Result<void> CheckImage(const Image& image) {
  LICHEN_TRY_VOID(CheckImageInfo(image.info));
  const ImageInfo& info = image.info;
  const size_t expected = static_cast<size_t>(info.height * info.RowSamples());
  if (image.samples.size() != expected) {
    return Fail("the picture has {} samples, but {} needs {}", image.samples.size(), Describe(info),
                expected);
  }
  const auto largest = std::max_element(image.samples.begin(), image.samples.end());
  if (*largest > info.MaxSample()) {
    const int64_t at = largest - image.samples.begin();
    return Fail("row {}: sample {} does not fit in {} bits", at / info.RowSamples(), *largest,
                info.bit_depth);
  }
  return {};
}

std::string Describe(const ImageInfo& info) {
  static constexpr const char* kNames[] = {"grey", "grey+alpha", "RGB", "RGB+alpha"};
  const bool known = info.channels >= 1 && info.channels <= 4;
  return fmt::format("{}x{} {}, {} bit", info.width, info.height,
                     known ? kNames[info.channels - 1] : "?", info.bit_depth);
}

}  // namespace lichen
