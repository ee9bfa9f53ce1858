// Runs IntNet graphs on the CPU, streaming rows: bit-equal to engine/reference.h.
//
// Contract: memory grows with the picture's width, not with its height: every tensor is a ring of
// the rows still needed. Output does not depend on thread count, CPU target or rows per step.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "net/int_net.h"

namespace lichen {

// A graph made ready to run: weights packed for the CPU target that is active when it is made.
// Immutable; any number of runs may share it.
class CompiledGraph {
 public:
  // The graph must have passed CheckIntNet. Keeps no reference to it, nor to the threads, which share
  // the nodes.
  explicit CompiledGraph(const IntGraph& graph, const Threads& threads = Threads(1));
  CompiledGraph(CompiledGraph&&) noexcept;
  CompiledGraph& operator=(CompiledGraph&&) noexcept;
  ~CompiledGraph();
  const IntGraph& graph() const;  // without the weights of packed nodes

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct RowRange {
  int64_t begin = 0;
  int64_t end = -1;  // -1: to the last row
};

// Rows are w * c values in NHWC order.
struct GraphRows {
  // Fills row y of graph.inputs[input]; values are saturated to the tensor's range. Rows are asked
  // for in order, each once, from the first that the wanted output rows need.
  std::function<Result<void>(size_t input, int64_t y, std::span<int32_t> row)> source;
  // Takes row y of graph.outputs[output], in order.
  std::function<Result<void>(size_t output, int64_t y, std::span<const int32_t> row)> sink;
  // Optional: sees every row of every tensor as it is made.
  std::function<void(TensorId tensor, int64_t y, std::span<const int32_t> row)> observer;
};

struct RunOptions {
  std::vector<Size2> input_sizes;  // of graph.inputs
  Size2 reference;                 // the picture's size (net/shapes.h)
  RowRange output_rows;            // of every graph output (all outputs have the same height then)
  bool every_row = false;          // also make rows of inner tensors that no output depends on
  int64_t rows_per_step = 0;       // output rows made together; 0: chosen by the work they hold
  std::vector<double>* node_seconds = nullptr;  // optional: time of each node is added
  int64_t* peak_bytes = nullptr;                // optional: bytes of all row rings
  int64_t max_bytes = int64_t{4} << 30;         // more than this for the rings is an error
};

// A run that its caller advances, for graphs whose input depends on earlier output (row contexts).
// Keeps references to graph and threads.
class GraphStream {
 public:
  static Result<GraphStream> Create(const CompiledGraph& graph, RunOptions options, GraphRows rows,
                                    const Threads& threads);
  GraphStream(GraphStream&&) noexcept;
  GraphStream& operator=(GraphStream&&) noexcept;
  ~GraphStream();
  // Makes output rows until `rows` of them (from output_rows.begin) are done, but asks for no input
  // beyond what those need. RunOptions::rows_per_step bounds how far one call may advance.
  Result<void> AdvanceTo(int64_t rows);
  // Number of wanted rows of the first output.
  int64_t row_count() const;
  int64_t rows_per_step() const;
  // The size of graph.outputs[output].
  Size2 output_size(size_t output) const;

 private:
  class State;
  explicit GraphStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The whole run at once.
Result<void> RunGraph(const CompiledGraph& graph, const RunOptions& options, const GraphRows& rows,
                      const Threads& threads);

// The rows of graph.inputs[input] that the given output rows depend on.
Result<std::vector<RowRange>> NeededInputRows(const IntGraph& graph, const RunOptions& options);

// Whole tensors in and out: every tensor of the graph by TensorId, as RunReference gives them.
Result<std::vector<Tensor<int32_t>>> RunWhole(const CompiledGraph& graph,
                                              const std::vector<Tensor<int32_t>>& inputs,
                                              Size2 reference, const Threads& threads,
                                              std::vector<double>* node_seconds = nullptr);

}  // namespace lichen
