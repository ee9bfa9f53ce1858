// The decoder's latents: rows of y_hat out of a bitstream's segments.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/threads.h"
#include "codec/segment_reader.h"

namespace lichen {

class LatentReader {
 public:
  virtual ~LatentReader() = default;
  // Rows of the range that it was made for, in order; none is left out.
  virtual Result<void> ReadRow(int64_t y, std::span<int32_t> y_hat) = 0;
};

// All keep references to what they are given.

// With a table per channel: segments are independent, and several are decoded at once.
std::unique_ptr<LatentReader> MakeFactorisedReader(const Codec::Impl& codec,
                                                   const SegmentReader& segments, RowRange rows,
                                                   const Threads& threads);

// With a hyper-prior and a row context: decodes from the beginning of the segment of rows.begin,
// and always the next row beside the caller's work. Error: the streams cannot be made.
Result<std::unique_ptr<LatentReader>> MakeContextReader(const Codec::Impl& codec,
                                                        const ImageInfo& info,
                                                        const SegmentReader& segments,
                                                        RowRange rows, const Threads& threads);

}  // namespace lichen
