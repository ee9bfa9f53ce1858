#include "codec/picture_output.h"

#include <utility>

namespace lichen {
namespace {

constexpr int64_t kBatchRows = 16;

}  // namespace

PictureOutput::PictureOutput(const ImageInfo& info, const SegmentReader& segments, const Crop& crop,
                             const ImageSink& sink, const Threads& threads)
    : info_(info),
      segments_(segments),
      crop_(crop),
      sink_(sink),
      row_samples_(static_cast<size_t>(crop.width * info.channels)),
      background_(threads) {
  filling_.samples.resize(row_samples_ * kBatchRows);
  leaving_.samples.resize(row_samples_ * kBatchRows);
  if (info.HasAlpha()) alpha_row_.resize(static_cast<size_t>(info.width));
}

std::span<uint16_t> PictureOutput::NextRow() {
  return std::span(filling_.samples)
      .subspan(static_cast<size_t>(filling_.rows) * row_samples_, row_samples_);
}

Result<void> PictureOutput::RowDone() {
  return ++filling_.rows < kBatchRows ? Result<void>() : HandOver();
}

Result<void> PictureOutput::Finish() {
  if (filling_.rows > 0) LICHEN_TRY_VOID(HandOver());
  return background_.Wait();
}

Result<void> PictureOutput::HandOver() {
  LICHEN_TRY_VOID(background_.Wait());
  std::swap(filling_, leaving_);
  filling_.first_row = leaving_.first_row + leaving_.rows;
  filling_.rows = 0;
  return background_.Start([this] { return Deliver(leaving_); });
}

Result<void> PictureOutput::Deliver(Batch& batch) {
  for (int64_t i = 0; i < batch.rows; ++i) {
    const auto samples =
        std::span(batch.samples).subspan(static_cast<size_t>(i) * row_samples_, row_samples_);
    const int64_t row = batch.first_row + i;
    if (info_.HasAlpha()) LICHEN_TRY_VOID(AddAlpha(crop_.y + row, samples));
    LICHEN_TRY_VOID(sink_.row(row, samples));
  }
  return {};
}

Result<void> PictureOutput::AddAlpha(int64_t y, std::span<uint16_t> samples) {
  if (y >= alpha_rows_.end) {
    const SegmentLayout& layout = segments_.layout();
    const int64_t segment = layout.SegmentOfPictureRow(y);
    LICHEN_TRY(const SegmentBytes read, segments_.Read(segment));
    alpha_place_ = read.place;
    alpha_rows_ = layout.PictureRows(segment);
    next_alpha_row_ = alpha_rows_.begin;
    alpha_.emplace(read.Alpha(), info_.width, alpha_rows_.end - alpha_rows_.begin, info_.bit_depth);
  }
  for (; next_alpha_row_ <= y; ++next_alpha_row_) {
    LICHEN_TRY_VOID(InPlace(alpha_place_, alpha_->ReadRow(alpha_row_)));
  }
  const size_t channels = static_cast<size_t>(info_.channels);
  for (size_t x = 0; x < static_cast<size_t>(crop_.width); ++x) {
    samples[x * channels + channels - 1] = alpha_row_[static_cast<size_t>(crop_.x) + x];
  }
  return {};
}

}  // namespace lichen
