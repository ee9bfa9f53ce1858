// The encoder's way from latents to segments.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "base/threads.h"
#include "codec/picture_source.h"
#include "codec/segment_writer.h"

namespace lichen {

// What an encoder works with; all outlive it.
struct EncodeParts {
  const Codec::Impl& codec;
  const ImageInfo& info;
  const SegmentLayout& layout;
  PictureSource& input;
  SegmentWriter& writer;
  const Threads& threads;
  const AnalysisRun& analysis;  // or empty
};

// y from parts.analysis, for the whole picture.
Result<Tensor<int32_t>> AnalyseElsewhere(const EncodeParts& parts);

// Code all segments; give how many values of y are at the bounds of their range.
Result<int64_t> EncodeFactorised(const EncodeParts& parts);
Result<int64_t> EncodeWithContext(const EncodeParts& parts);

}  // namespace lichen
