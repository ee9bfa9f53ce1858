#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "codec/latent_reader.h"

namespace lichen {
namespace {

class FactorisedReader : public LatentReader {
 public:
  FactorisedReader(const Codec::Impl& codec, const SegmentReader& segments, RowRange rows,
                   const Threads& threads)
      : codec_(codec),
        segments_(segments),
        last_segment_(segments.layout().SegmentOf(rows.end - 1)),
        threads_(threads) {}

  Result<void> ReadRow(int64_t y, std::span<int32_t> y_hat) override {
    const int64_t segment = segments_.layout().SegmentOf(y);
    if (!decoded_.contains(segment)) LICHEN_TRY_VOID(DecodeFrom(segment));
    const int64_t first = segments_.layout().LatentRows(segment).begin;
    const int16_t* symbols =
        decoded_[segment].data() + (y - first) * static_cast<int64_t>(y_hat.size());
    for (size_t i = 0; i < y_hat.size(); ++i) {
      y_hat[i] = symbols[i] * (1 << codec_.coding.latent_shift);
    }
    decoded_.erase(decoded_.begin(), decoded_.find(segment));
    return {};
  }

 private:
  Result<std::vector<int16_t>> Decode(int64_t segment) const {
    LICHEN_TRY(const SegmentBytes read, segments_.Read(segment));
    const RowRange rows = segments_.layout().LatentRows(segment);
    std::vector<int16_t> symbols(static_cast<size_t>(
        (rows.end - rows.begin) * segments_.layout().latent_size().w * codec_.latent_channels));
    LICHEN_TRY_VOID(InPlace(read.place, DecodeSymbols(codec_.tables, read.Latents(),
                                                      TableIndices::PerChannel(), symbols)));
    return symbols;
  }

  // This segment and those behind it, one per thread.
  Result<void> DecodeFrom(int64_t segment) {
    const int64_t count = std::min<int64_t>(threads_.count(), last_segment_ - segment + 1);
    std::vector<std::optional<Result<std::vector<int16_t>>>> results(static_cast<size_t>(count));
    threads_.For(count, [&](int64_t i) { results[static_cast<size_t>(i)] = Decode(segment + i); });
    for (int64_t i = 0; i < count; ++i) {
      LICHEN_TRY(decoded_[segment + i], std::move(*results[static_cast<size_t>(i)]));
    }
    return {};
  }

  const Codec::Impl& codec_;
  const SegmentReader& segments_;
  const int64_t last_segment_;
  const Threads& threads_;
  std::map<int64_t, std::vector<int16_t>> decoded_;
};

}  // namespace

std::unique_ptr<LatentReader> MakeFactorisedReader(const Codec::Impl& codec,
                                                   const SegmentReader& segments, RowRange rows,
                                                   const Threads& threads) {
  return std::make_unique<FactorisedReader>(codec, segments, rows, threads);
}

}  // namespace lichen
