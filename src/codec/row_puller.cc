#include "codec/row_puller.h"

#include <utility>

#include "base/check.h"

namespace lichen {

Result<std::unique_ptr<RowPuller>> RowPuller::Create(const CompiledGraph& graph, RunOptions options,
                                                     Source source, const Threads& threads) {
  std::unique_ptr<RowPuller> puller(new RowPuller());
  puller->first_ = options.output_rows.begin;
  GraphRows rows;
  rows.source = [source = std::move(source)](size_t, int64_t y, std::span<int32_t> row) {
    return source(y, row);
  };
  rows.sink = [puller = puller.get()](size_t, int64_t y,
                                      std::span<const int32_t> row) -> Result<void> {
    // Rows that were forgotten before they were made are not kept.
    if (y < puller->first_) return {};
    std::vector<int32_t> kept;
    if (!puller->unused_.empty()) {
      kept = std::move(puller->unused_.back());
      puller->unused_.pop_back();
    }
    kept.assign(row.begin(), row.end());
    puller->rows_.push_back(std::move(kept));
    return {};
  };
  LICHEN_TRY(GraphStream stream,
             GraphStream::Create(graph, std::move(options), std::move(rows), threads));
  puller->stream_ = std::make_unique<GraphStream>(std::move(stream));
  return puller;
}

Result<std::span<const int32_t>> RowPuller::Row(int64_t y) {
  LICHEN_CHECK(y >= first_);
  while (first_ + static_cast<int64_t>(rows_.size()) <= y) {
    LICHEN_CHECK(advanced_ < stream_->row_count());
    advanced_ += stream_->rows_per_step();
    LICHEN_TRY_VOID(stream_->AdvanceTo(advanced_));
  }
  return std::span<const int32_t>(rows_[static_cast<size_t>(y - first_)]);
}

void RowPuller::Forget(int64_t y) {
  while (first_ < y && !rows_.empty()) {
    unused_.push_back(std::move(rows_.front()));
    rows_.pop_front();
    ++first_;
  }
  first_ = std::max(first_, y);
}

}  // namespace lichen
