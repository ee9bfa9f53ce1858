#include "codec/picture_source.h"

#include <algorithm>
#include <utility>

namespace lichen {
namespace {

constexpr int64_t kBatchRows = 16;

}  // namespace

PictureSource::PictureSource(const Codec::Impl& codec, ImageReader& reader,
                             const SegmentLayout& layout, const Progress& progress,
                             const Threads& threads)
    : codec_(codec),
      reader_(reader),
      info_(reader.info()),
      layout_(layout),
      progress_(progress),
      lut_(InputLut(info_.MaxSample(), codec.input_range.max)),
      row_samples_(static_cast<size_t>(info_.RowSamples())),
      background_(threads) {
  if (info_.HasAlpha()) {
    alpha_.emplace(info_.width, info_.bit_depth);
    alpha_row_.resize(static_cast<size_t>(info_.width));
  }
}

Result<void> PictureSource::ReadRow(int64_t y, std::span<int32_t> row) {
  const int64_t wanted = std::min(y, info_.height - 1);
  while (rows_taken_ <= wanted) LICHEN_TRY_VOID(TakeBatch());
  while (batches_.front().first_row + batches_.front().rows <= wanted) batches_.pop_front();
  const Batch& batch = batches_.front();
  const uint16_t* samples =
      batch.samples.data() + static_cast<size_t>(wanted - batch.first_row) * row_samples_;
  const size_t stride = static_cast<size_t>(info_.channels);
  const size_t channels = static_cast<size_t>(codec_.picture_channels);
  const bool grey = info_.ColourChannels() == 1;
  const size_t width = static_cast<size_t>(info_.width);
  for (size_t x = 0; x < width; ++x) {
    for (size_t c = 0; c < channels; ++c) {
      row[x * channels + c] = lut_[samples[x * stride + (grey ? 0 : c)]];
    }
  }
  for (size_t i = width * channels; i < row.size(); ++i) row[i] = row[i - channels];
  return {};
}

Result<std::vector<uint8_t>> PictureSource::NextAlpha() {
  if (!info_.HasAlpha()) return std::vector<uint8_t>();
  const int64_t end = layout_.PictureRows(next_segment_++).end;
  while (rows_taken_ < end) LICHEN_TRY_VOID(TakeBatch());
  std::vector<uint8_t> chunk = std::move(alpha_chunks_.front());
  alpha_chunks_.pop_front();
  return chunk;
}

Result<void> PictureSource::Finish() {
  while (rows_taken_ < info_.height) {
    batches_.clear();
    LICHEN_TRY_VOID(TakeBatch());
  }
  return {};
}

Result<void> PictureSource::TakeBatch() {
  if (!is_started_) LICHEN_TRY_VOID(background_.Start([this] { return ReadBatch(); }));
  is_started_ = true;
  LICHEN_TRY_VOID(background_.Wait());
  rows_taken_ += reading_.rows;
  batches_.push_back(std::exchange(reading_, {}));
  std::move(new_alpha_chunks_.begin(), new_alpha_chunks_.end(), std::back_inserter(alpha_chunks_));
  new_alpha_chunks_.clear();
  if (progress_) progress_(rows_taken_, info_.height);
  if (rows_taken_ == info_.height) return {};
  return background_.Start([this] { return ReadBatch(); });
}

Result<void> PictureSource::ReadBatch() {
  const int64_t begin = reader_.next_row();
  const int64_t rows = std::min(kBatchRows, info_.height - begin);
  reading_.first_row = begin;
  reading_.samples.resize(row_samples_ * static_cast<size_t>(rows));
  const size_t channels = static_cast<size_t>(info_.channels);
  for (int64_t i = 0; i < rows; ++i) {
    const auto samples =
        std::span(reading_.samples).subspan(static_cast<size_t>(i) * row_samples_, row_samples_);
    LICHEN_TRY_VOID(reader_.ReadRow(samples));
    ++reading_.rows;
    if (!alpha_) continue;
    for (size_t x = 0; x < alpha_row_.size(); ++x) {
      alpha_row_[x] = samples[x * channels + channels - 1];
    }
    alpha_->AddRow(alpha_row_);
    const int64_t y = begin + i;
    if (y + 1 == layout_.PictureRows(layout_.SegmentOfPictureRow(y)).end) {
      new_alpha_chunks_.push_back(alpha_->Finish());
    }
  }
  return {};
}

}  // namespace lichen
