// The encoder's picture: rows as the network reads them, and the coded alpha of each segment.
//
// Contract: rows are read ahead beside the caller's work, a few at a time; an error of the reader is
// given when one of these rows is asked for.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "codec/alpha.h"
#include "codec/codec.h"
#include "codec/codec_impl.h"
#include "codec/segment_layout.h"
#include "image/reader.h"

namespace lichen {

class PictureSource {
 public:
  // Keeps references to all.
  PictureSource(const Codec::Impl& codec, ImageReader& reader, const SegmentLayout& layout,
                const Progress& progress, const Threads& threads);

  // Row y of the padded picture as the analysis' input; asked for in order.
  Result<void> ReadRow(int64_t y, std::span<int32_t> row);
  // The alpha of the next segment, empty without alpha.
  Result<std::vector<uint8_t>> NextAlpha();
  // Reads what is left, so that damage anywhere in the file is found.
  Result<void> Finish();

 private:
  struct Batch {
    int64_t first_row = 0;
    int64_t rows = 0;
    std::vector<uint16_t> samples;
  };
  // Waits for the batch that is being read and begins the next.
  Result<void> TakeBatch();
  Result<void> ReadBatch();

  const Codec::Impl& codec_;
  ImageReader& reader_;
  const ImageInfo info_;
  const SegmentLayout& layout_;
  const Progress& progress_;
  const std::vector<int32_t> lut_;
  const size_t row_samples_;
  std::deque<Batch> batches_;  // read, and not done with
  int64_t rows_taken_ = 0;     // of the picture, by TakeBatch
  bool is_started_ = false;
  int64_t next_segment_ = 0;  // of NextAlpha
  std::deque<std::vector<uint8_t>> alpha_chunks_;
  // Of the reading; not to be touched while it goes on.
  Batch reading_;
  std::optional<AlphaEncoder> alpha_;
  std::vector<uint16_t> alpha_row_;
  std::vector<std::vector<uint8_t>> new_alpha_chunks_;
  Background background_;  // last: waits before the rest goes
};

}  // namespace lichen
