// The decoder's rows on their way out: alpha is added and the sink called beside the decoding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "codec/alpha.h"
#include "codec/codec.h"
#include "codec/segment_reader.h"

namespace lichen {

class PictureOutput {
 public:
  // Keeps references to all but the crop.
  PictureOutput(const ImageInfo& info, const SegmentReader& segments, const Crop& crop,
                const ImageSink& sink, const Threads& threads);

  // Where the samples of the crop's next row go; alpha is left out.
  std::span<uint16_t> NextRow();
  // That row is complete.
  Result<void> RowDone();
  // All rows have reached the sink.
  Result<void> Finish();

 private:
  struct Batch {
    int64_t first_row = 0;  // of the crop
    int64_t rows = 0;
    std::vector<uint16_t> samples;
  };
  Result<void> HandOver();
  Result<void> Deliver(Batch& batch);
  Result<void> AddAlpha(int64_t y, std::span<uint16_t> samples);

  const ImageInfo& info_;
  const SegmentReader& segments_;
  const Crop crop_;
  const ImageSink& sink_;
  const size_t row_samples_;
  Batch filling_;
  Batch leaving_;
  // Alpha of the segment that is open.
  std::optional<AlphaDecoder> alpha_;
  std::string alpha_place_;
  RowRange alpha_rows_{0, 0};
  int64_t next_alpha_row_ = 0;
  std::vector<uint16_t> alpha_row_;
  Background background_;  // last: waits before the rest goes
};

}  // namespace lichen
