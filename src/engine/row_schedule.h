// Inside the engine: which rows each node makes, step by step, and how many a tensor must keep.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace lichen {

// Rows of input number `input` that rows [out.begin, out.end) of the node's output depend on,
// within the picture.
RowRange InputRows(const IntNode& node, RowRange out, int64_t input_height);

// Output rows that a node makes together (1 but for transposed convolutions).
int64_t RowQuantum(const IntNode& node);

class RowSchedule {
 public:
  // Sizes of all tensors (InferSizes) and the wanted rows of the outputs; with every_row all rows of
  // all tensors are made, the last with the outputs' last.
  RowSchedule(const IntGraph& graph, std::vector<Size2> sizes, RowRange output_rows,
              bool every_row = false);

  // Rows of each tensor that are made at all.
  RowRange Total(TensorId id) const { return total_[static_cast<size_t>(id.index)]; }

  // Advances every output to `rows` rows beyond output_rows.begin (of the first output; others in
  // proportion). For each tensor that grows, in order, calls grow(node index or -1 for an input,
  // tensor, first row, end row). False once everything has been made.
  using Grow = std::function<Result<void>(int node, TensorId tensor, RowRange rows)>;
  Result<bool> Advance(int64_t rows, const Grow& grow);

  // Rows that each tensor must hold at once for steps of `rows_per_step`, found by a dry run.
  std::vector<int64_t> Capacities(int64_t rows_per_step) const;

  // Where `tensor` stands: rows before it have been made.
  int64_t made(TensorId id) const { return made_[static_cast<size_t>(id.index)]; }

 private:
  void SetTotals(RowRange output_rows, bool every_row);
  std::vector<int64_t> Needs(int64_t rows) const;
  int64_t OldestNeeded(size_t tensor) const;

  const IntGraph* graph_;
  std::vector<Size2> sizes_;
  bool every_row_ = false;
  std::vector<RowRange> total_;
  std::vector<int64_t> made_;
  std::vector<std::vector<int>> readers_;  // nodes that read a tensor
};

}  // namespace lichen
