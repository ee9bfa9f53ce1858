#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "codec/latent_reader.h"
#include "codec/row_puller.h"
#include "kernels/row_context.h"

namespace lichen {
namespace {

// Rows of z_hat, in order, out of the segments that hold them.
class HyperReader {
 public:
  HyperReader(const Codec::Impl& codec, const SegmentReader& segments)
      : codec_(codec), segments_(segments) {}

  Result<void> ReadRow(int64_t y, std::span<int32_t> z_hat) {
    symbols_.resize(z_hat.size());
    while (next_ <= y) {
      while (next_ >= rows_.end) LICHEN_TRY_VOID(OpenSegment(y));
      LICHEN_TRY_VOID(InPlace(place_, decoder_->DecodeRow(TableIndices::PerChannel(), symbols_)));
      ++next_;
      if (next_ == rows_.end) LICHEN_TRY_VOID(InPlace(place_, decoder_->Finish()));
    }
    std::copy(symbols_.begin(), symbols_.end(), z_hat.begin());
    return {};
  }

 private:
  // The next segment, at the beginning the one that holds row y.
  Result<void> OpenSegment(int64_t y) {
    const SegmentLayout& layout = segments_.layout();
    do {
      if (++segment_ >= layout.count()) {
        return Fail("the model needs row {} of its hyper-latents, there are {}", y, rows_.end);
      }
      rows_ = layout.HyperRows(segment_);
    } while (rows_.end <= y);
    next_ = rows_.begin;
    LICHEN_TRY(const SegmentBytes read, segments_.Read(segment_));
    place_ = read.place + ", hyper-latents";
    LICHEN_TRY(decoder_, InPlace(place_, RansDecoder::Create(codec_.hyper->tables, read.Hyper())));
    return {};
  }

  const Codec::Impl& codec_;
  const SegmentReader& segments_;
  int64_t segment_ = -1;
  RowRange rows_{0, 0};  // of the open segment
  int64_t next_ = 0;
  std::string place_;
  std::optional<RansDecoder> decoder_;
  std::vector<int16_t> symbols_;
};

class ContextReader : public LatentReader {
 public:
  ContextReader(const Codec::Impl& codec, const SegmentReader& segments, RowRange rows,
                const Threads& threads)
      : codec_(codec),
        segments_(segments),
        end_(rows.end),
        threads_(threads),
        next_(segments.layout().LatentRows(segments.layout().SegmentOf(rows.begin)).begin),
        hyper_latents_(codec, segments),
        background_(threads) {
    const size_t count =
        static_cast<size_t>(segments.layout().latent_size().w * codec.latent_channels);
    means_.resize(count);
    indices_.resize(count);
    numbers_.resize(count);
    coded_.resize(count);
    symbols_.resize(count);
    y_hat_.resize(count);
  }

  Result<void> Start(const ImageInfo& info) {
    const RunOptions options{.input_sizes = {segments_.layout().hyper_size()},
                             .reference = codec_.PaddedSize(info),
                             .output_rows = {next_, end_},
                             .rows_per_step = 1};
    LICHEN_TRY(hyper_, RowPuller::Create(
                           codec_.hyper->synthesis.compiled(), options,
                           [this](int64_t y, std::span<int32_t> row) {
                             return hyper_latents_.ReadRow(y, row);
                           },
                           threads_));
    // Tells now whether the streams can be made; every segment makes its own.
    return StartContext(segments_.layout().LatentRows(segments_.layout().SegmentOf(next_)));
  }

  Result<void> ReadRow(int64_t y, std::span<int32_t> y_hat) override {
    LICHEN_TRY_VOID(background_.Wait());
    while (next_ <= y) LICHEN_TRY_VOID(DecodeRow());
    std::copy(y_hat_.begin(), y_hat_.end(), y_hat.begin());
    if (next_ < end_) LICHEN_TRY_VOID(background_.Start([this] { return DecodeRow(); }));
    return {};
  }

 private:
  Result<void> StartContext(RowRange rows) {
    segment_rows_ = rows;
    const Size2 size{rows.end - rows.begin, segments_.layout().latent_size().w};
    LICHEN_TRY(context_, RowContextStream::Create(
                             codec_.Context(), size,
                             [this](int64_t h, std::span<int32_t> row) -> Result<void> {
                               const int64_t y = segment_rows_.begin + h;
                               LICHEN_TRY(const auto parameters, hyper_->Row(y));
                               std::copy(parameters.begin(), parameters.end(), row.begin());
                               hyper_->Forget(y + 1);
                               return {};
                             },
                             threads_));
    return {};
  }

  Result<void> OpenSegment() {
    const int64_t segment = segments_.layout().SegmentOf(next_);
    LICHEN_TRY(const SegmentBytes read, segments_.Read(segment));
    place_ = read.place;
    LICHEN_TRY(decoder_, InPlace(place_, RansDecoder::Create(codec_.tables, read.Latents())));
    return StartContext(segments_.layout().LatentRows(segment));
  }

  // Row next_ into y_hat_.
  Result<void> DecodeRow() {
    if (!decoder_ || next_ == segment_rows_.end) LICHEN_TRY_VOID(OpenSegment());
    LICHEN_TRY_VOID(context_->PredictRow(means_, indices_));
    std::copy(indices_.begin(), indices_.end(), numbers_.begin());
    LICHEN_TRY_VOID(InPlace(place_, decoder_->DecodeRow(TableIndices::Explicit(numbers_), coded_)));
    std::copy(coded_.begin(), coded_.end(), symbols_.begin());
    SymbolsToLatents(symbols_, means_, codec_.Context().coding, y_hat_);
    context_->SetRow(y_hat_);
    ++next_;
    if (next_ == segment_rows_.end) LICHEN_TRY_VOID(InPlace(place_, decoder_->Finish()));
    return {};
  }

  const Codec::Impl& codec_;
  const SegmentReader& segments_;
  const int64_t end_;
  const Threads& threads_;
  int64_t next_;  // the row that is decoded next
  HyperReader hyper_latents_;
  std::unique_ptr<RowPuller> hyper_;
  RowRange segment_rows_;
  std::string place_;
  std::optional<RansDecoder> decoder_;
  std::optional<RowContextStream> context_;
  std::vector<int32_t> means_;
  std::vector<int32_t> indices_;
  std::vector<uint8_t> numbers_;
  std::vector<int16_t> coded_;
  std::vector<int32_t> symbols_;
  std::vector<int32_t> y_hat_;  // of row next_ - 1
  Background background_;       // last: waits before the rest goes
};

}  // namespace

Result<std::unique_ptr<LatentReader>> MakeContextReader(const Codec::Impl& codec,
                                                        const ImageInfo& info,
                                                        const SegmentReader& segments,
                                                        RowRange rows, const Threads& threads) {
  auto reader = std::make_unique<ContextReader>(codec, segments, rows, threads);
  LICHEN_TRY_VOID(reader->Start(info));
  return std::unique_ptr<LatentReader>(std::move(reader));
}

}  // namespace lichen
