// The segments of an open bitstream: their parts, proved whole by the checksum.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "codec/container.h"
#include "codec/segment_layout.h"

namespace lichen {

struct SegmentBytes {
  std::string place;  // for messages: file, segment, rows
  std::vector<uint8_t> bytes;
  size_t alpha_bytes = 0;
  size_t hyper_bytes = 0;

  std::span<const uint8_t> Alpha() const { return std::span(bytes).first(alpha_bytes); }
  std::span<const uint8_t> Hyper() const {
    return std::span(bytes).subspan(alpha_bytes, hyper_bytes);
  }
  std::span<const uint8_t> Latents() const {
    return std::span(bytes).subspan(alpha_bytes + hyper_bytes);
  }
};

class SegmentReader {
 public:
  // Keeps references to all.
  SegmentReader(const Codec::Impl& codec, const InputFile& file, const LicHeader& header)
      : codec_(codec),
        file_(file),
        header_(header),
        layout_(codec, header.info, header.latent_rows_per_segment) {}

  const SegmentLayout& layout() const { return layout_; }
  // Error: a segment is shorter than its symbols can be. Found before anything of the picture's
  // size is allocated.
  Result<void> CheckSizes() const;
  Result<SegmentBytes> Read(int64_t segment) const;

 private:
  const Codec::Impl& codec_;
  const InputFile& file_;
  const LicHeader& header_;
  SegmentLayout layout_;
};

}  // namespace lichen
