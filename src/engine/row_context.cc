#include "engine/row_context.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "net/shapes.h"

namespace lichen {

RowContextCoding ContextCoding(const IntNet& net) {
  return {net.coding.latent_shift, net.coding.symbol_range, net.coding.index_max};
}

struct RowContextStream::State {
  RowContextCoding coding;
  HyperRow hyper_row;
  std::vector<int32_t> latest_row;      // y_hat of the last finished row
  std::vector<int32_t> context_row;     // output of the context graph for the current row
  std::vector<int32_t> parameters_row;  // of the current row
  std::optional<GraphStream> context;
  std::optional<GraphStream> parameters;
  int64_t next = 0;
};

Result<RowContextStream> RowContextStream::Create(const ContextGraphs& graphs, Size2 latent_size,
                                                  HyperRow hyper_row, const Threads& threads) {
  RowContextStream stream;
  stream.state_ = std::make_shared<State>();
  State* state = stream.state_.get();  // outlives the callbacks, which it owns
  state->coding = graphs.coding;
  state->hyper_row = std::move(hyper_row);
  GraphRows rows;
  rows.source = [state](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
    if (y + 1 != state->next || row.size() != state->latest_row.size()) {
      return Fail("graph 'context' is not causal: it reads latent row {} for row {}", y,
                  state->next);
    }
    std::copy(state->latest_row.begin(), state->latest_row.end(), row.begin());
    return {};
  };
  rows.sink = [state](size_t, int64_t, std::span<const int32_t> row) -> Result<void> {
    state->context_row.assign(row.begin(), row.end());
    return {};
  };
  LICHEN_TRY(state->context, GraphStream::Create(*graphs.context,
                                                 {.input_sizes = {latent_size}, .rows_per_step = 1},
                                                 std::move(rows), threads));
  GraphRows parameter_rows;
  parameter_rows.source = [state](size_t input, int64_t y, std::span<int32_t> row) -> Result<void> {
    if (input == 1) return state->hyper_row(y, row);
    if (y != state->next || row.size() != state->context_row.size()) {
      return Fail("graph 'entropy_parameters' does not fit the output of 'context'");
    }
    std::copy(state->context_row.begin(), state->context_row.end(), row.begin());
    return {};
  };
  parameter_rows.sink = [state](size_t, int64_t, std::span<const int32_t> row) -> Result<void> {
    state->parameters_row.assign(row.begin(), row.end());
    return {};
  };
  const Size2 context_size = state->context->output_size(0);
  if (context_size.h != latent_size.h || context_size.w != latent_size.w) {
    return Fail("graph 'context' must keep the size of the latents");
  }
  LICHEN_TRY(state->parameters,
             GraphStream::Create(*graphs.parameters,
                                 {.input_sizes = {context_size, latent_size}, .rows_per_step = 1},
                                 std::move(parameter_rows), threads));
  return stream;
}

Result<void> RowContextStream::PredictRow(std::span<int32_t> means, std::span<int32_t> indices) {
  LICHEN_TRY_VOID(state_->context->AdvanceTo(state_->next + 1));
  LICHEN_TRY_VOID(state_->parameters->AdvanceTo(state_->next + 1));
  if (state_->parameters_row.size() != 2 * means.size()) {
    return Fail("graph 'entropy_parameters' must give two values per latent");
  }
  SplitEntropyParameters(state_->parameters_row, state_->coding, means, indices);
  return {};
}

void RowContextStream::SetRow(std::span<const int32_t> y_hat) {
  state_->latest_row.assign(y_hat.begin(), y_hat.end());
  ++state_->next;
}

Result<ContextTensors> RunRowContext(const IntNet& net, const Tensor<int32_t>& y,
                                     const Tensor<int32_t>& hyper, const Threads& threads) {
  const CompiledGraph context(*net.Find("context"));
  const CompiledGraph parameters(*net.Find("entropy_parameters"));
  return RunRowContext({&context, &parameters, ContextCoding(net)}, y, hyper, threads);
}

Result<ContextTensors> RunRowContext(const ContextGraphs& graphs, const Tensor<int32_t>& y,
                                     const Tensor<int32_t>& hyper, const Threads& threads) {
  const Shape shape = y.shape();
  if (hyper.shape().h != shape.h || hyper.shape().w != shape.w) {
    return Fail("the hyper-synthesis gives {}x{} for latents of {}x{}", hyper.shape().h,
                hyper.shape().w, shape.h, shape.w);
  }
  ContextTensors made{Tensor<int32_t>(shape), Tensor<int32_t>(shape), Tensor<int32_t>(shape),
                      Tensor<int32_t>(shape)};
  const size_t count = static_cast<size_t>(shape.w * shape.c);
  LICHEN_TRY(RowContextStream stream, RowContextStream::Create(
                                          graphs, {shape.h, shape.w},
                                          [&](int64_t h, std::span<int32_t> row) -> Result<void> {
                                            std::copy_n(hyper.view().Row(0, h), row.size(),
                                                        row.begin());
                                            return {};
                                          },
                                          threads));
  for (int64_t h = 0; h < shape.h; ++h) {
    const auto row = [&](Tensor<int32_t>& t) { return std::span(t.view().Row(0, h), count); };
    LICHEN_TRY_VOID(stream.PredictRow(row(made.means), row(made.indices)));
    LatentsToSymbols({y.view().Row(0, h), count}, row(made.means), graphs.coding,
                     row(made.symbols));
    SymbolsToLatents(row(made.symbols), row(made.means), graphs.coding, row(made.y_hat));
    stream.SetRow(row(made.y_hat));
  }
  return made;
}

Result<void> CheckRowContext(const IntGraph& context, const IntGraph& parameters) {
  if (context.inputs.size() != 1 || context.outputs.size() != 1 || parameters.inputs.size() != 2 ||
      parameters.outputs.size() != 1) {
    return Fail(
        "graph 'context' takes y_hat, 'entropy_parameters' its output and the hyper-prior's");
  }
  // Large enough for any kernel that sees nothing but what it may.
  constexpr Size2 kSize{16, 16};
  const auto keeps_size = [&](const IntGraph& graph, std::vector<Size2> inputs) -> Result<void> {
    LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, std::move(inputs), kSize));
    if (sizes[static_cast<size_t>(graph.outputs[0].index)] == kSize) return {};
    return Fail("graph '{}' must keep the size of the latents", graph.name);
  };
  LICHEN_TRY_VOID(keeps_size(context, {kSize}));
  LICHEN_TRY_VOID(keeps_size(parameters, {kSize, kSize}));
  for (int64_t h = 0; h < kSize.h; ++h) {
    LICHEN_TRY(const std::vector<RowRange> above,
               NeededInputRows(context, {.input_sizes = {kSize}, .output_rows = {h, h + 1}}));
    if (above[0].begin < above[0].end && above[0].end > h) {
      return Fail("graph 'context' is not causal: it reads latent row {} for row {}",
                  above[0].end - 1, h);
    }
    LICHEN_TRY(
        const std::vector<RowRange> same,
        NeededInputRows(parameters, {.input_sizes = {kSize, kSize}, .output_rows = {h, h + 1}}));
    for (const RowRange& range : same) {
      if (range.begin < range.end && (range.begin != h || range.end != h + 1)) {
        return Fail("graph 'entropy_parameters' reads rows {} to {} for row {}", range.begin,
                    range.end - 1, h);
      }
    }
  }
  return {};
}

}  // namespace lichen
