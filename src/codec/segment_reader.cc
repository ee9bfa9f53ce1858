#include "codec/segment_reader.h"

#include <utility>

namespace lichen {
namespace {

// Half of the bound leaves room for the coder's own rounding.
double LeastBytes(int64_t rows, int64_t columns, double min_bits_per_pixel) {
  return static_cast<double>(rows) * static_cast<double>(columns) * min_bits_per_pixel / 8 / 2 - 64;
}

}  // namespace

Result<void> SegmentReader::CheckSizes() const {
  int64_t hyper_begin = 0;
  for (size_t i = 0; i < header_.segments.size(); ++i) {
    const SegmentEntry& entry = header_.segments[i];
    const RowRange rows = layout_.LatentRows(static_cast<int64_t>(i));
    const int64_t count = rows.end - rows.begin;
    const int64_t width = layout_.latent_size().w;
    if (entry.latent_bytes < LeastBytes(count, width, codec_.min_bits_per_pixel)) {
      return Fail("{}: segment {} has {} bytes, too few for its {} x {} latents", file_.path(), i,
                  entry.latent_bytes, count, width);
    }
    if (!codec_.hyper) continue;
    const int64_t hyper_end = layout_.HyperRows(static_cast<int64_t>(i)).end;
    const int64_t hyper_width = layout_.hyper_size().w;
    const double least =
        LeastBytes(hyper_end - hyper_begin, hyper_width, codec_.hyper->min_bits_per_pixel);
    if (entry.hyper_bytes < least) {
      return Fail("{}: segment {} has {} bytes, too few for its {} x {} hyper-latents",
                  file_.path(), i, entry.hyper_bytes, hyper_end - hyper_begin, hyper_width);
    }
    hyper_begin = hyper_end;
  }
  return {};
}

Result<SegmentBytes> SegmentReader::Read(int64_t segment) const {
  const SegmentEntry& entry = header_.segments[static_cast<size_t>(segment)];
  const RowRange rows = layout_.LatentRows(segment);
  SegmentBytes read{
      .place = fmt::format("{}: segment {} of {} (latent rows {} to {}, from byte {})",
                           file_.path(), segment, header_.segments.size(), rows.begin, rows.end - 1,
                           entry.offset_bytes),
      .bytes = std::vector<uint8_t>(entry.SizeBytes()),
      .alpha_bytes = entry.alpha_bytes,
      .hyper_bytes = entry.hyper_bytes};
  LICHEN_TRY_VOID(file_.ReadAt(entry.offset_bytes, read.bytes));
  if (HashBytes(read.bytes) != entry.hash) {
    return Fail("{} is damaged: wrong checksum", read.place);
  }
  if (entry.alpha_bytes != 0 && !header_.info.HasAlpha()) {
    return Fail("{} has alpha, the picture has none", read.place);
  }
  return read;
}

}  // namespace lichen
