// The chunk structure of a PNG file: a scan that finds size and metadata and proves that the file
// is whole, and a filtered byte stream for the pixel decoder.
//
// Contract: the scan reads chunk headers, and all chunks but IDAT, whose CRCs it checks; it keeps
// iCCP and eXIf alone, after checking that the file holds them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "image/byte_source.h"
#include "image/image.h"

namespace lichen {

inline constexpr std::array<uint8_t, 8> kPngSignature = {0x89, 'P',  'N',  'G',
                                                         '\r', '\n', 0x1a, '\n'};

struct PngLayout {
  int64_t height = 0;
  int64_t width = 0;
  int bit_depth = 0;   // 1, 2, 4, 8, 16, per sample or palette index
  int color_type = 0;  // as in the file: 0, 2, 3, 4, 6
  bool interlaced = false;
  bool has_transparency = false;  // a tRNS chunk
  uint64_t idat_bytes = 0;        // of all IDAT chunks together
  Metadata metadata;
};

// Leaves the source anywhere.
Result<PngLayout> ScanPng(ByteSource& source);

// Gives the signature, the critical chunks and tRNS, one after the other, and leaves out the rest,
// so that the pixel decoder neither parses nor stores what it does not need.
// Requires a file that ScanPng() accepted.
class PngCriticalStream {
 public:
  explicit PngCriticalStream(ByteSource source) : source_(std::move(source)) {}
  const ByteSource& source() const { return source_; }
  // Fills all of bytes; false at the end of the stream.
  Result<bool> Read(std::span<uint8_t> bytes);

 private:
  ByteSource source_;
  uint64_t piece_left_bytes_ = kPngSignature.size();  // of the chunk that is being given
};

}  // namespace lichen
