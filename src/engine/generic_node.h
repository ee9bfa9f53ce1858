// Inside the engine: any node on a few rows, through its reference operator.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/tensor.h"
#include "engine/engine.h"

namespace lichen {

// What a generic node reads: row y of its inputs as int32 (0 <= y < height).
struct GenericInput {
  Size2 size;
  int64_t channels = 0;
  std::function<void(int64_t y, std::span<int32_t> row)> load;
};

// Runs the reference operator of `node` for the output rows `out` (a multiple of RowQuantum, or the
// rest of the picture) and returns them. Slow: copies the rows that it reads.
Tensor<int32_t> RunGenericRows(const IntNode& node, const std::vector<GenericInput>& inputs,
                               const TensorInfo& output, Size2 output_size, RowRange out);

// The operator itself on whole tensors.
void RunOperator(const IntNode& node, std::span<const TensorView<const int32_t>> inputs,
                 ValueRange range, TensorView<int32_t> out);

}  // namespace lichen
