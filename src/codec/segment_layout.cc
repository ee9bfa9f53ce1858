#include "codec/segment_layout.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace lichen {

SegmentLayout::SegmentLayout(const Codec::Impl& codec, const ImageInfo& info,
                             int64_t latent_rows_per_segment)
    : codec_(codec),
      rows_per_segment_(latent_rows_per_segment),
      height_(info.height),
      padded_(codec.PaddedSize(info)),
      latent_(codec.LatentSize(info)) {
  const int64_t rows = (info.height + codec.downscale - 1) / codec.downscale;
  count_ = (rows + rows_per_segment_ - 1) / rows_per_segment_;
  if (codec.hyper) {
    const auto size = codec.HyperSize(info);
    LICHEN_CHECK(size.has_value());
    hyper_ = *size;
  }
}

int64_t SegmentLayout::SegmentOf(int64_t latent_row) const {
  return std::min(latent_row / rows_per_segment_, count_ - 1);
}

int64_t SegmentLayout::SegmentOfPictureRow(int64_t y) const {
  return SegmentOf(y / codec_.downscale);
}

RowRange SegmentLayout::LatentRows(int64_t segment) const {
  return {segment * rows_per_segment_,
          segment + 1 == count_ ? latent_.h : (segment + 1) * rows_per_segment_};
}

RowRange SegmentLayout::PictureRows(int64_t segment) const {
  const int64_t rows = rows_per_segment_ * codec_.downscale;
  return {segment * rows, std::min((segment + 1) * rows, height_)};
}

RowRange SegmentLayout::HyperRows(int64_t segment) const {
  return {segment == 0 ? 0 : HyperEnd(segment - 1), HyperEnd(segment)};
}

int64_t SegmentLayout::HyperEnd(int64_t segment) const {
  const auto needed = NeededInputRows(
      codec_.hyper->synthesis.graph(),
      {.input_sizes = {hyper_}, .reference = padded_, .output_rows = {0, LatentRows(segment).end}});
  LICHEN_CHECK(needed.has_value());
  return (*needed)[0].end;
}

}  // namespace lichen
