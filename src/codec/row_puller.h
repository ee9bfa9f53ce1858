// The output rows of a graph, made as they are asked for.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "engine/engine.h"

namespace lichen {

class RowPuller {
 public:
  // Fills row y of the graph's only input; asked for in order.
  using Source = std::function<Result<void>(int64_t y, std::span<int32_t> row)>;
  static Result<std::unique_ptr<RowPuller>> Create(const CompiledGraph& graph, RunOptions options,
                                                   Source source, const Threads& threads);
  // Row y of the graph's first output, which must lie in options.output_rows and not have been
  // forgotten. Valid until Forget(y + 1).
  Result<std::span<const int32_t>> Row(int64_t y);
  // Rows before y will not be asked for again.
  void Forget(int64_t y);

 private:
  RowPuller() = default;

  std::unique_ptr<GraphStream> stream_;
  int64_t advanced_ = 0;  // rows that the stream was asked for
  int64_t first_ = 0;     // of rows_
  std::deque<std::vector<int32_t>> rows_;
  std::vector<std::vector<int32_t>> unused_;
};

}  // namespace lichen
