// The row-autoregressive loop: entropy parameters of one latent row from the rows above it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "engine/engine.h"
#include "kernels/row_context.h"
#include "net/int_net.h"

namespace lichen {

RowContextCoding ContextCoding(const IntNet& net);

// The graphs `context` and `entropy_parameters`, ready to run.
struct ContextGraphs {
  const CompiledGraph* context = nullptr;
  const CompiledGraph* parameters = nullptr;
  RowContextCoding coding;
};

// One pass over the rows of a latent of the given size, from the top. All columns and channels of a
// row are predicted at once.
class RowContextStream {
 public:
  // `hyper_row(h, row)` fills row h of the hyper-synthesis' output.
  using HyperRow = std::function<Result<void>(int64_t h, std::span<int32_t> row)>;
  static Result<RowContextStream> Create(const ContextGraphs& graphs, Size2 latent_size,
                                         HyperRow hyper_row, const Threads& threads);
  // Means and table indices of the next row; then SetRow() must give its y_hat.
  Result<void> PredictRow(std::span<int32_t> means, std::span<int32_t> indices);
  void SetRow(std::span<const int32_t> y_hat);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

struct ContextTensors {
  Tensor<int32_t> means;
  Tensor<int32_t> indices;
  Tensor<int32_t> symbols;
  Tensor<int32_t> y_hat;
};

// The encoder's loop over whole tensors: y and the output of the hyper-synthesis.
Result<ContextTensors> RunRowContext(const ContextGraphs& graphs, const Tensor<int32_t>& y,
                                     const Tensor<int32_t>& hyper, const Threads& threads);
Result<ContextTensors> RunRowContext(const IntNet& net, const Tensor<int32_t>& y,
                                     const Tensor<int32_t>& hyper, const Threads& threads);

// Error: row h of `context` reads a row that is not above h, or row h of `entropy_parameters`
// another one than h, or their sizes do not fit the latents'.
Result<void> CheckRowContext(const IntGraph& context, const IntGraph& parameters);

}  // namespace lichen
