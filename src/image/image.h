// A picture: its size, channels, bit depth and metadata (ImageInfo) and, held whole, its samples.
//
// Contract: samples are uint16_t whatever the bit depth (8-bit pictures use 0..255), interleaved in
// the order y, x, c. Channels are 1 grey, 2 grey+alpha, 3 RGB, 4 RGB+alpha; alpha is not
// premultiplied. Metadata bytes are carried, never interpreted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

// The largest height and width that any reader or writer accepts.
inline constexpr int64_t kMaxSidePx = int64_t{1} << 24;

struct Metadata {
  std::vector<uint8_t> icc;  // ICC profile, uncompressed; empty: none
  std::string icc_name;      // profile name of a PNG; may be empty
  std::vector<uint8_t>
      exif;  // TIFF block: what follows "Exif\0\0" in a JPEG, the eXIf chunk of a PNG
  bool operator==(const Metadata&) const = default;
};

struct ImageInfo {
  int64_t height = 0;
  int64_t width = 0;
  int channels = 3;   // 1 grey, 2 grey+alpha, 3 RGB, 4 RGB+alpha
  int bit_depth = 8;  // 8 or 16
  Metadata metadata;

  bool HasAlpha() const { return channels == 2 || channels == 4; }
  int ColourChannels() const { return channels <= 2 ? 1 : 3; }  // without alpha
  int MaxSample() const { return (1 << bit_depth) - 1; }
  int64_t RowSamples() const { return width * channels; }
  bool operator==(const ImageInfo&) const = default;
};

struct Image {
  ImageInfo info;
  std::vector<uint16_t> samples;  // height * width * channels

  std::span<uint16_t> Row(int64_t y);
  std::span<const uint16_t> Row(int64_t y) const;
  uint16_t At(int64_t y, int64_t x, int c) const;
};

// A black picture of that size (and fully transparent, if it has alpha). Requires
// CheckImageInfo(info).
Image MakeImage(ImageInfo info);

// Error unless sides are in [1, kMaxSidePx], channels in [1, 4] and bit_depth is 8 or 16.
Result<void> CheckImageInfo(const ImageInfo& info);
// CheckImageInfo, and as many samples as the size asks for, none above MaxSample().
Result<void> CheckImage(const Image& image);

// "768x512 RGB, 8 bit", for messages.
std::string Describe(const ImageInfo& info);

}  // namespace lichen
