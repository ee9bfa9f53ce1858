// The `.lic` container: what stands before the coded latents.
//
// Layout, little-endian; every size is checked against the file's size before anything is allocated:
//    0   4 bytes   magic 89 'L' 'I' 'C'
//    4   u8        version: 1, or 2 for models with a hyper-prior and a row context
//    5   u8        channels: 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA; with bit 7 set the file holds
//                  metadata
//    6   u8        bit depth, 8 or 16
//    7   u8        downscale: picture rows per latent row, 1 to 255
//    8   u32       width        12  u32  height      1 to 2^24 pixels
//   16   u32       latent rows per segment (the last segment may have fewer), 1 to 65535
//   20  32 bytes   SHA-256 identity of the model
//   52             with metadata: u32 bytes of the ICC profile, u32 of its name, u32 of Exif
//    .             segment table: per segment u32 bytes of latents, u64 xxHash64 of the segment, with
//                alpha u32 bytes of alpha, and in version 2 u32 bytes of hyper-latents
//    .             with metadata: ICC profile, its name, Exif
//    .   u64       xxHash64 of everything before
//    .             segments, one behind the other: alpha (lossless), hyper-latents (version 2), then
//                  latents (entropy/rans.h)
// The file ends behind the last segment.
//
// Segment i holds the latent rows [i * rows, (i + 1) * rows) and alpha of the picture rows from
// i * rows * downscale on; it decodes alone, but that the hyper-latents which it shares with the
// segment before lie there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/files.h"
#include "base/hash.h"
#include "base/result.h"
#include "image/image.h"

namespace lichen {

struct SegmentEntry {
  uint32_t latent_bytes = 0;
  uint32_t alpha_bytes = 0;
  uint64_t hash = 0;
  uint32_t hyper_bytes = 0;   // version 2
  uint64_t offset_bytes = 0;  // in the file; not stored

  uint64_t SizeBytes() const { return uint64_t{alpha_bytes} + hyper_bytes + latent_bytes; }
};

struct LicHeader {
  bool has_hyper = false;  // version 2
  ImageInfo info;
  int64_t downscale = 0;
  uint32_t latent_rows_per_segment = 0;
  Sha256Digest model_identity{};
  std::vector<SegmentEntry> segments;
  uint64_t size_bytes = 0;  // of header, table, metadata and hash; not stored

  int64_t LatentRows() const { return (info.height + downscale - 1) / downscale; }
};

// Bytes of a header with so many segments and this metadata.
uint64_t HeaderBytes(const ImageInfo& info, uint64_t segment_count, bool has_hyper = false);
std::vector<uint8_t> SerializeHeader(const LicHeader& header);

// Error for everything that SerializeHeader does not give.
Result<LicHeader> ReadHeader(const InputFile& file);

uint64_t HashBytes(std::span<const uint8_t> bytes);

}  // namespace lichen
