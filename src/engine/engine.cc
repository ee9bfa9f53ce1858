#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "engine/compiled_graph.h"
#include "engine/generic_node.h"
#include "engine/row_node.h"
#include "engine/row_ring.h"
#include "engine/row_schedule.h"
#include "net/shapes.h"

namespace lichen {
namespace {

using Clock = std::chrono::steady_clock;

// A step should hold enough work to make the start of threads cheap.
constexpr double kStepMacs = 1.5e8;

size_t Index(TensorId id) { return static_cast<size_t>(id.index); }

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Per-thread memory of the kernels; grows to the largest need and stays.
uint8_t* ThreadScratch(int64_t bytes) {
  static thread_local AlignedArray<uint8_t> scratch;
  if (static_cast<int64_t>(scratch.size()) < bytes) {
    scratch = AlignedArray<uint8_t>(static_cast<size_t>(bytes));
  }
  return scratch.data();
}

}  // namespace

class GraphStream::State {
 public:
  State(const CompiledGraph& graph, RunOptions options, GraphRows rows, const Threads& threads)
      : impl_(graph.impl()),
        graph_(impl_.graph),
        options_(std::move(options)),
        rows_(std::move(rows)),
        threads_(threads) {}

  Result<void> Start() {
    LICHEN_TRY(sizes_, InferSizes(graph_, options_.input_sizes, options_.reference));
    schedule_.emplace(graph_, sizes_, options_.output_rows, options_.every_row);
    const RowRange total = schedule_->Total(graph_.outputs[0]);
    // Rows before the wanted ones (alignment of transposed convolutions) are made with the first.
    row_count_ = total.end - total.begin;
    step_ = options_.rows_per_step > 0 ? options_.rows_per_step : RowsPerStep();
    return MakeRings(schedule_->Capacities(step_));
  }

  Result<void> AdvanceTo(int64_t rows) {
    rows = std::min(rows, row_count_);
    while (done_ < rows) {
      done_ = std::min(done_ + step_, rows);
      LICHEN_TRY_VOID(schedule_->Advance(
          done_, [&](int node, TensorId id, RowRange range) { return Grow(node, id, range); }));
    }
    return {};
  }

  int64_t row_count() const { return row_count_; }
  int64_t step() const { return step_; }
  Size2 size(TensorId id) const { return sizes_[Index(id)]; }
  const IntGraph& graph() const { return graph_; }

 private:
  // A multiple of what the largest reduction between tensors makes from one row.
  int64_t RowsPerStep() const {
    const int64_t height = sizes_[Index(graph_.outputs[0])].h;
    int64_t smallest = height;
    double macs = 0;
    for (const IntNode& node : graph_.nodes) {
      const Size2 out = sizes_[Index(node.output)];
      smallest = std::min(smallest, std::max<int64_t>(out.h, 1));
      macs += static_cast<double>(MacCount(graph_, node, out, sizes_[Index(node.inputs[0])]));
    }
    const int64_t quantum = CeilDiv(height, smallest);
    const double per_quantum = macs / static_cast<double>(smallest);
    const int64_t quanta =
        std::clamp<int64_t>(static_cast<int64_t>(kStepMacs / std::max(per_quantum, 1.0)), 1, 64);
    return quantum * quanta;
  }

  Result<void> MakeRings(const std::vector<int64_t>& capacities) {
    std::vector<int64_t> pad_left(sizes_.size(), 0);
    std::vector<int64_t> pad_right(sizes_.size(), 0);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const CompiledNode& compiled = impl_.nodes[n];
      const IntNode& node = graph_.nodes[n];
      const size_t in = Index(node.inputs[0]);
      if (compiled.path == NodePath::kDepthwise) {
        const Geometry& g = node.geometry;
        const int64_t last =
            (sizes_[Index(node.output)].w - 1) * g.stride_w - g.pad_left + g.kernel_w;
        pad_left[in] = std::max<int64_t>(pad_left[in], g.pad_left);
        pad_right[in] = std::max<int64_t>(pad_right[in], last - sizes_[in].w);
      }
      if (compiled.path != NodePath::kPacked) continue;
      const PackedConv& conv = compiled.conv;
      const int64_t units = CeilDiv(sizes_[Index(node.output)].w, conv.out_columns);
      const int64_t last = (units - 1) * conv.unit_step_w + conv.first_column + conv.window_columns;
      pad_left[in] = std::max<int64_t>(pad_left[in], -conv.first_column);
      pad_right[in] = std::max<int64_t>(pad_right[in], last - sizes_[in].w);
    }
    double wanted_bytes = 0;
    for (size_t t = 0; t < sizes_.size(); ++t) {
      wanted_bytes += static_cast<double>(sizes_[t].w + pad_left[t] + pad_right[t]) *
                      static_cast<double>(graph_.tensors[t].channels * SizeBytes(impl_.types[t])) *
                      static_cast<double>(capacities[t] + 1);
    }
    if (wanted_bytes > static_cast<double>(options_.max_bytes)) {
      return Fail(
          "graph '{}' needs {:.0f} MiB for the rows of a picture {} pixels wide; {} MiB "
          "are allowed",
          graph_.name, wanted_bytes / 1048576, options_.reference.w, options_.max_bytes >> 20);
    }
    int64_t bytes = 0;
    for (size_t t = 0; t < sizes_.size(); ++t) {
      rings_.emplace_back(impl_.types[t], sizes_[t].w, graph_.tensors[t].channels, pad_left[t],
                          pad_right[t], PackedConv::kSlackBytes, capacities[t]);
      bytes += rings_.back().bytes();
    }
    if (options_.peak_bytes) *options_.peak_bytes = bytes;
    return {};
  }

  Result<void> Grow(int node, TensorId id, RowRange range) {
    if (node < 0) {
      LICHEN_TRY_VOID(ReadInput(id, range));
    } else {
      const auto start = Clock::now();
      RunNode(static_cast<size_t>(node), range);
      if (options_.node_seconds) {
        options_.node_seconds->resize(graph_.nodes.size());
        (*options_.node_seconds)[static_cast<size_t>(node)] +=
            std::chrono::duration<double>(Clock::now() - start).count();
      }
    }
    return Deliver(id, range);
  }

  void RunNode(size_t n, RowRange range) {
    switch (impl_.nodes[n].path) {
      case NodePath::kPacked:
        return RunPackedNode(n, range);
      case NodePath::kDepthwise:
        return RunDepthwiseNode(n, range);
      case NodePath::kRows:
        return RunRowsNode(n, range);
      case NodePath::kGeneric:
        return RunGenericNode(n, range);
    }
  }

  Result<void> ReadInput(TensorId id, RowRange range) {
    const size_t input = static_cast<size_t>(
        std::find(graph_.inputs.begin(), graph_.inputs.end(), id) - graph_.inputs.begin());
    const ValueRange values = graph_.tensor(id).range;
    RowRing& ring = rings_[Index(id)];
    row_.resize(static_cast<size_t>(ring.width() * ring.channels()));
    const int32_t min = static_cast<int32_t>(values.min);
    const int32_t max = static_cast<int32_t>(values.max);
    for (int64_t y = range.begin; y < range.end; ++y) {
      LICHEN_TRY_VOID(rows_.source(input, y, row_));
      for (int32_t& v : row_) v = std::clamp(v, min, max);
      ring.Store(y, row_);
    }
    return {};
  }

  Result<void> Deliver(TensorId id, RowRange range) {
    const auto output = std::find(graph_.outputs.begin(), graph_.outputs.end(), id);
    const bool wanted = output != graph_.outputs.end() && rows_.sink;
    if (!wanted && !rows_.observer) return {};
    RowRing& ring = rings_[Index(id)];
    row_.resize(static_cast<size_t>(ring.width() * ring.channels()));
    for (int64_t y = range.begin; y < range.end; ++y) {
      const bool inside = y >= options_.output_rows.begin &&
                          (options_.output_rows.end < 0 || y < options_.output_rows.end);
      if (!rows_.observer && !inside) continue;
      ring.Load(y, row_);
      if (rows_.observer) rows_.observer(id, y, row_);
      if (wanted && inside) {
        LICHEN_TRY_VOID(rows_.sink(static_cast<size_t>(output - graph_.outputs.begin()), y, row_));
      }
    }
    return {};
  }

  // One item of a packed node's work: some units of one unit row, some blocks.
  void RunPackedItem(size_t n, int64_t unit_row, RowRange units, RowRange blocks) {
    const IntNode& node = graph_.nodes[n];
    const CompiledNode& compiled = impl_.nodes[n];
    const PackedConv& conv = compiled.conv;
    const size_t in = Index(node.inputs[0]);
    const size_t out = Index(node.output);
    RowRing& input = rings_[in];
    RowRing& output = rings_[out];
    const int64_t pixel_bytes = conv.in_channels * SizeBytes(conv.input);

    const int64_t conv_bytes = ScratchBytes(conv);
    const int64_t abs_bytes = kMaxUnitsPerCall * pixel_bytes + PackedConv::kSlackBytes;
    const int64_t pointer_bytes =
        (conv.window_rows + conv.out_rows) * static_cast<int64_t>(sizeof(void*));
    uint8_t* scratch = ThreadScratch(conv_bytes + abs_bytes + pointer_bytes + 64);
    uint8_t* abs_row = scratch + conv_bytes;
    const uint8_t** window =
        reinterpret_cast<const uint8_t**>(abs_row + (abs_bytes + 63) / 64 * 64);
    uint8_t** out_rows = const_cast<uint8_t**>(window + conv.window_rows);

    for (int32_t r = 0; r < conv.window_rows; ++r) {
      const int64_t y = unit_row * conv.unit_step_h + conv.first_row + r;
      window[r] = input.RowOrZeros(y, sizes_[in].h) + conv.first_column * pixel_bytes;
    }
    for (int32_t r = 0; r < conv.out_rows; ++r) {
      const int64_t y = unit_row * conv.out_rows + r;
      out_rows[r] = y < sizes_[out].h ? output.Row(y) : nullptr;
    }
    PackedConvCall call{.rows = window,
                        .unit_begin = units.begin,
                        .unit_end = units.end,
                        .block_begin = static_cast<int32_t>(blocks.begin),
                        .block_end = static_cast<int32_t>(blocks.end),
                        .out_rows = out_rows,
                        .out_width = sizes_[out].w,
                        .output = output.type(),
                        .scratch = scratch,
                        .tail = compiled.tail};
    if (compiled.tail != PackedTail::kNone) {
      call.x_row = window[0];
      call.x_type = input.type();
      call.output_requant = &compiled.output_requant;
      call.gain_requant = &compiled.gain_requant;
      call.table = node.params.table.data() - node.params.table_first;
      if (compiled.tail != PackedTail::kLagc) {
        AbsRow(window[0] + units.begin * pixel_bytes, input.type(),
               (units.end - units.begin) * conv.in_channels, abs_row);
        window[0] = abs_row - units.begin * pixel_bytes;
      }
    }
    RunPackedConv(conv, call);
  }

  void RunPackedNode(size_t n, RowRange range) {
    const PackedConv& conv = impl_.nodes[n].conv;
    const int64_t width = sizes_[Index(graph_.nodes[n].output)].w;
    const int64_t units = CeilDiv(width, conv.out_columns);
    const int64_t row_begin = range.begin / conv.out_rows;
    const int64_t rows = CeilDiv(range.end, conv.out_rows) - row_begin;
    // Tiles of a multiple of 6 units (what the registers hold), about equal.
    int64_t tiles = CeilDiv(units, kMaxUnitsPerCall);
    const int64_t tile = std::min(CeilDiv(CeilDiv(units, tiles), 6) * 6, kMaxUnitsPerCall);
    tiles = CeilDiv(units, tile);
    const int64_t blocks = static_cast<int64_t>(conv.blocks.size());
    const int64_t parts = rows * tiles >= 8 * threads_.count() ? 1 : blocks;
    const int64_t per_row = tiles * parts;
    threads_.For(rows * per_row, [&](int64_t item) {
      const int64_t row = row_begin + item / per_row;
      const int64_t first = item % per_row / parts * tile;
      const int64_t part = item % parts;
      RunPackedItem(n, row, {first, std::min(first + tile, units)},
                    parts == 1 ? RowRange{0, blocks} : RowRange{part, part + 1});
    });
  }

  void RunDepthwiseNode(size_t n, RowRange range) {
    const DepthwiseConv& conv = impl_.nodes[n].depthwise;
    const Geometry& g = conv.geometry;
    const size_t in = Index(graph_.nodes[n].inputs[0]);
    const size_t out = Index(graph_.nodes[n].output);
    const int64_t pixel_bytes = conv.channels * SizeBytes(rings_[in].type());
    threads_.For(range.end - range.begin, [&](int64_t i) {
      const int64_t y = range.begin + i;
      const uint8_t** window = reinterpret_cast<const uint8_t**>(
          ThreadScratch(g.kernel_h * static_cast<int64_t>(sizeof(void*))));
      for (int32_t ky = 0; ky < g.kernel_h; ++ky) {
        window[ky] = rings_[in].RowOrZeros(y * g.stride_h - g.pad_top + ky, sizes_[in].h) -
                     g.pad_left * pixel_bytes;
      }
      RunDepthwise(conv, window, rings_[in].type(), sizes_[out].w,
                   {rings_[out].Row(y), rings_[out].type()});
    });
  }

  void RunRowsNode(size_t n, RowRange range) {
    const IntNode& node = graph_.nodes[n];
    const size_t out = Index(node.output);
    std::vector<RowRing*> inputs;
    for (TensorId id : node.inputs) inputs.push_back(&rings_[Index(id)]);
    threads_.For(range.end - range.begin, [&](int64_t i) {
      RunRowNode(node, impl_.nodes[n], graph_.tensors[out], inputs, range.begin + i, rings_[out]);
    });
  }

  void RunGenericNode(size_t n, RowRange range) {
    const IntNode& node = graph_.nodes[n];
    const size_t out = Index(node.output);
    std::vector<GenericInput> inputs;
    for (TensorId id : node.inputs) {
      inputs.push_back(
          {sizes_[Index(id)], graph_.tensor(id).channels,
           [ring = &rings_[Index(id)]](int64_t y, std::span<int32_t> row) { ring->Load(y, row); }});
    }
    const int64_t quantum = RowQuantum(node);
    threads_.For(CeilDiv(range.end - range.begin, quantum), [&](int64_t i) {
      const RowRange rows{range.begin + i * quantum,
                          std::min(range.begin + (i + 1) * quantum, range.end)};
      const Tensor<int32_t> made =
          RunGenericRows(node, inputs, graph_.tensors[out], sizes_[out], rows);
      const size_t row_count = static_cast<size_t>(sizes_[out].w * graph_.tensors[out].channels);
      for (int64_t y = rows.begin; y < rows.end; ++y) {
        rings_[out].Store(y, {made.view().Row(0, y - rows.begin), row_count});
      }
    });
  }

  const CompiledGraph::Impl& impl_;
  const IntGraph& graph_;
  RunOptions options_;
  GraphRows rows_;
  const Threads& threads_;
  std::optional<RowSchedule> schedule_;
  int64_t row_count_ = 0;
  int64_t step_ = 1;
  int64_t done_ = 0;
  std::vector<Size2> sizes_;
  std::vector<RowRing> rings_;
  std::vector<int32_t> row_;
};

Result<GraphStream> GraphStream::Create(const CompiledGraph& graph, RunOptions options,
                                        GraphRows rows, const Threads& threads) {
  auto state = std::make_unique<State>(graph, std::move(options), std::move(rows), threads);
  LICHEN_TRY_VOID(state->Start());
  return GraphStream(std::move(state));
}
GraphStream::GraphStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
GraphStream::GraphStream(GraphStream&&) noexcept = default;
GraphStream& GraphStream::operator=(GraphStream&&) noexcept = default;
GraphStream::~GraphStream() = default;
Result<void> GraphStream::AdvanceTo(int64_t rows) { return state_->AdvanceTo(rows); }
int64_t GraphStream::row_count() const { return state_->row_count(); }
int64_t GraphStream::rows_per_step() const { return state_->step(); }
Size2 GraphStream::output_size(size_t output) const {
  return state_->size(state_->graph().outputs[output]);
}

Result<void> RunGraph(const CompiledGraph& graph, const RunOptions& options, const GraphRows& rows,
                      const Threads& threads) {
  LICHEN_TRY(GraphStream stream, GraphStream::Create(graph, options, rows, threads));
  return stream.AdvanceTo(stream.row_count());
}

Result<std::vector<RowRange>> NeededInputRows(const IntGraph& graph, const RunOptions& options) {
  LICHEN_TRY(std::vector<Size2> sizes, InferSizes(graph, options.input_sizes, options.reference));
  const RowSchedule schedule(graph, std::move(sizes), options.output_rows);
  std::vector<RowRange> ranges;
  for (TensorId id : graph.inputs) ranges.push_back(schedule.Total(id));
  return ranges;
}

Result<std::vector<Tensor<int32_t>>> RunWhole(const CompiledGraph& compiled,
                                              const std::vector<Tensor<int32_t>>& inputs,
                                              Size2 reference, const Threads& threads,
                                              std::vector<double>* node_seconds) {
  const IntGraph& graph = compiled.graph();
  RunOptions options{.reference = reference, .every_row = true, .node_seconds = node_seconds};
  for (const auto& input : inputs) {
    options.input_sizes.push_back({input.shape().h, input.shape().w});
  }
  LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, options.input_sizes, reference));
  const int64_t batch = inputs.empty() ? 1 : inputs[0].shape().n;
  std::vector<Tensor<int32_t>> tensors;
  for (size_t t = 0; t < sizes.size(); ++t) {
    tensors.emplace_back(Shape{batch, sizes[t].h, sizes[t].w, graph.tensors[t].channels});
  }
  for (int64_t n = 0; n < batch; ++n) {
    GraphRows rows;
    rows.source = [&](size_t input, int64_t y, std::span<int32_t> row) -> Result<void> {
      std::copy_n(inputs[input].view().Row(n, y), row.size(), row.begin());
      return {};
    };
    rows.observer = [&](TensorId id, int64_t y, std::span<const int32_t> row) {
      std::copy(row.begin(), row.end(), tensors[Index(id)].view().Row(n, y));
    };
    LICHEN_TRY_VOID(RunGraph(compiled, options, rows, threads));
  }
  return tensors;
}

}  // namespace lichen
