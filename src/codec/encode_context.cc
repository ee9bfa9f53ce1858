#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "codec/latent_writer.h"
#include "codec/row_puller.h"
#include "kernels/row_context.h"

namespace lichen {
namespace {

// Goes through the latent rows from the top. The hyper-parameters of a row pull rows of z_hat, these
// rows of y, these rows of the picture; so each runs only as far ahead of the others as it must.
// The context of a row runs beside the analysis of the next.
class ContextEncoder {
 public:
  explicit ContextEncoder(const EncodeParts& parts)
      : parts_(parts),
        codec_(parts.codec),
        hyper_width_(static_cast<size_t>(parts.layout.hyper_size().w * codec_.hyper->channels)),
        background_(parts.threads) {
    const size_t count = static_cast<size_t>(parts.layout.latent_size().w * codec_.latent_channels);
    y_.resize(count);
    means_.resize(count);
    indices_.resize(count);
    symbols_.resize(count);
    y_hat_.resize(count);
  }

  Result<int64_t> Run() {
    LICHEN_TRY_VOID(Start());
    for (int64_t segment = 0; segment < parts_.layout.count(); ++segment) {
      LICHEN_TRY_VOID(EncodeSegment(segment));
    }
    LICHEN_TRY_VOID(background_.Wait());
    return saturated_;
  }

 private:
  Result<void> Start() {
    const Size2 padded = codec_.PaddedSize(parts_.info);
    if (parts_.analysis) {
      LICHEN_TRY(given_, AnalyseElsewhere(parts_));
    } else {
      LICHEN_TRY(
          analysis_,
          RowPuller::Create(
              codec_.analysis.compiled(), {.input_sizes = {padded}, .reference = padded},
              [this](int64_t y, std::span<int32_t> row) { return parts_.input.ReadRow(y, row); },
              parts_.threads));
    }
    LICHEN_TRY(
        hyper_analysis_,
        RowPuller::Create(
            codec_.hyper->analysis.compiled(),
            {.input_sizes = {parts_.layout.latent_size()}, .reference = padded, .rows_per_step = 1},
            [this](int64_t y, std::span<int32_t> row) -> Result<void> {
              LICHEN_TRY(const auto latents, Latents(y));
              std::copy(latents.begin(), latents.end(), row.begin());
              hyper_next_ = y + 1;
              ForgetLatents();
              return {};
            },
            parts_.threads));
    LICHEN_TRY(
        hyper_synthesis_,
        RowPuller::Create(
            codec_.hyper->synthesis.compiled(),
            {.input_sizes = {parts_.layout.hyper_size()}, .reference = padded, .rows_per_step = 1},
            [this](int64_t y, std::span<int32_t> row) { return HyperRow(y, row); },
            parts_.threads));
    return {};
  }

  // Row y of the latents.
  Result<std::span<const int32_t>> Latents(int64_t y) {
    if (analysis_) return analysis_->Row(y);
    return std::span<const int32_t>(given_.view().Row(0, y), y_.size());
  }

  // Rows of y that neither the hyper-analysis nor the context will ask for.
  void ForgetLatents() {
    if (analysis_) analysis_->Forget(std::min(hyper_next_, context_next_));
  }

  Result<void> HyperRow(int64_t y, std::span<int32_t> row) {
    LICHEN_TRY_VOID(MakeHyperRows(y + 1));
    LICHEN_CHECK(y >= hyper_kept_);
    const auto first =
        hyper_symbols_.begin() + static_cast<int64_t>(hyper_width_) * (y - hyper_kept_);
    std::copy_n(first, hyper_width_, row.begin());
    return {};
  }

  // Makes the rows of z_hat before `end`.
  Result<void> MakeHyperRows(int64_t end) {
    for (; hyper_made_ < end; ++hyper_made_) {
      LICHEN_TRY(const auto z_hat, hyper_analysis_->Row(hyper_made_));
      hyper_symbols_.insert(hyper_symbols_.end(), z_hat.begin(), z_hat.end());
      hyper_analysis_->Forget(hyper_made_ + 1);
    }
    return {};
  }

  Result<void> EncodeSegment(int64_t segment) {
    const RowRange rows = parts_.layout.LatentRows(segment);
    for (int64_t y = rows.begin; y < rows.end; ++y) {
      LICHEN_TRY(const auto parameters, hyper_synthesis_->Row(y));
      LICHEN_TRY(const auto latents, Latents(y));
      // Whatever is ready beside the row that is being coded.
      LICHEN_TRY_VOID(background_.Wait());
      if (y == rows.begin) LICHEN_TRY_VOID(StartContext(rows));
      parameters_.assign(parameters.begin(), parameters.end());
      std::copy(latents.begin(), latents.end(), y_.begin());
      hyper_synthesis_->Forget(y + 1);
      context_next_ = y + 1;
      ForgetLatents();
      if (y + 1 < rows.end) {
        LICHEN_TRY_VOID(background_.Start([this] { return CodeRow(); }));
        continue;
      }
      LICHEN_TRY_VOID(TakeHyperSymbols(parts_.layout.HyperRows(segment)));
      LICHEN_TRY(alpha_, parts_.input.NextAlpha());
      LICHEN_TRY_VOID(background_.Start([this]() -> Result<void> {
        LICHEN_TRY_VOID(CodeRow());
        LICHEN_TRY_VOID(parts_.writer.Write(std::move(alpha_), segment_));
        segment_.Clear();
        return {};
      }));
    }
    return {};
  }

  Result<void> StartContext(RowRange rows) {
    const Size2 size{rows.end - rows.begin, parts_.layout.latent_size().w};
    LICHEN_TRY(context_, RowContextStream::Create(
                             codec_.Context(), size,
                             [this](int64_t, std::span<int32_t> row) -> Result<void> {
                               std::copy(parameters_.begin(), parameters_.end(), row.begin());
                               return {};
                             },
                             parts_.threads));
    return {};
  }

  // Moves the rows that a segment holds from hyper_symbols_ to it. The hyper-synthesis may have
  // read them long ago or not at all.
  Result<void> TakeHyperSymbols(RowRange rows) {
    LICHEN_TRY_VOID(MakeHyperRows(rows.end));
    const auto end =
        hyper_symbols_.begin() + static_cast<int64_t>(hyper_width_) * (rows.end - hyper_kept_);
    segment_.hyper.clear();
    std::transform(hyper_symbols_.begin(), end, std::back_inserter(segment_.hyper),
                   [](int32_t v) { return static_cast<int16_t>(v); });
    hyper_symbols_.erase(hyper_symbols_.begin(), end);
    hyper_kept_ = rows.end;
    return {};
  }

  // The row in y_ and parameters_.
  Result<void> CodeRow() {
    LICHEN_TRY_VOID(context_->PredictRow(means_, indices_));
    const RowContextCoding coding = codec_.Context().coding;
    LatentsToSymbols(y_, means_, coding, symbols_);
    SymbolsToLatents(symbols_, means_, coding, y_hat_);
    context_->SetRow(y_hat_);
    for (size_t i = 0; i < y_.size(); ++i) {
      segment_.latents.push_back(static_cast<int16_t>(symbols_[i]));
      segment_.numbers.push_back(static_cast<uint8_t>(indices_[i]));
      saturated_ += y_[i] == codec_.latent_range.min || y_[i] == codec_.latent_range.max;
    }
    return {};
  }

  const EncodeParts& parts_;
  const Codec::Impl& codec_;
  const size_t hyper_width_;
  std::unique_ptr<RowPuller> analysis_;  // null: given_ holds all latents
  Tensor<int32_t> given_;
  std::unique_ptr<RowPuller> hyper_analysis_;
  std::unique_ptr<RowPuller> hyper_synthesis_;
  int64_t hyper_next_ = 0;             // rows of y that the hyper-analysis has read
  int64_t context_next_ = 0;           // and the context
  std::deque<int32_t> hyper_symbols_;  // rows hyper_kept_ to hyper_made_ - 1 of z_hat
  int64_t hyper_kept_ = 0;
  int64_t hyper_made_ = 0;
  // Of the row that is being coded; not to be touched while it is.
  std::optional<RowContextStream> context_;
  std::vector<int32_t> parameters_;
  std::vector<int32_t> y_;
  std::vector<int32_t> means_;
  std::vector<int32_t> indices_;
  std::vector<int32_t> symbols_;
  std::vector<int32_t> y_hat_;
  SegmentSymbols segment_;
  std::vector<uint8_t> alpha_;
  int64_t saturated_ = 0;
  Background background_;  // last: waits before the rest goes
};

}  // namespace

Result<int64_t> EncodeWithContext(const EncodeParts& parts) { return ContextEncoder(parts).Run(); }

}  // namespace lichen
