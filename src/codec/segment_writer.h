// The encoder's segments on their way to the file, and its header.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "codec/codec.h"
#include "codec/codec_impl.h"
#include "codec/container.h"
#include "codec/segment_layout.h"

namespace lichen {

// Symbols of a segment before they are coded.
struct SegmentSymbols {
  std::vector<int16_t> latents;
  std::vector<uint8_t> numbers;  // the table of each latent; empty: a table per channel
  std::vector<int16_t> hyper;
  void Clear();
};

class SegmentWriter {
 public:
  // Keeps references to all but the info.
  SegmentWriter(const Codec::Impl& codec, const ImageInfo& info, const EncodeOptions& options,
                int64_t latent_rows_per_segment, const SegmentLayout& layout, OutputFile& out);

  Result<void> Write(std::vector<uint8_t> alpha, const SegmentSymbols& symbols);
  // Writes the header, after the last segment.
  Result<EncodeStats> Finish();

 private:
  Result<std::vector<uint8_t>> Encode(const PreparedTables& tables,
                                      std::span<const int16_t> symbols,
                                      const TableIndices& indices);

  const Codec::Impl& codec_;
  const EncodeOptions& options_;
  OutputFile& out_;
  LicHeader header_;
  EncodeStats stats_;
  uint64_t position_bytes_;
};

}  // namespace lichen
