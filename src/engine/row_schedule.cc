#include "engine/row_schedule.h"

#include <algorithm>
#include <utility>

namespace lichen {
namespace {

int64_t FloorTo(int64_t value, int64_t quantum) { return FloorDiv(value, quantum) * quantum; }
int64_t CeilTo(int64_t value, int64_t quantum) { return FloorTo(value + quantum - 1, quantum); }

size_t Index(TensorId id) { return static_cast<size_t>(id.index); }

void Extend(RowRange& range, RowRange more) {
  if (more.begin >= more.end) return;
  if (range.begin >= range.end) {
    range = more;
    return;
  }
  range.begin = std::min(range.begin, more.begin);
  range.end = std::max(range.end, more.end);
}

}  // namespace

RowRange InputRows(const IntNode& node, RowRange out, int64_t input_height) {
  const Geometry& g = node.geometry;
  RowRange in = out;
  switch (node.kind) {
    case OpKind::kConv2d:
      in.begin = out.begin * g.stride_h - g.pad_top;
      in.end = (out.end - 1) * g.stride_h - g.pad_top + g.kernel_h;
      break;
    case OpKind::kConvTranspose2d:
      in.begin = -FloorDiv(-(out.begin + g.pad_top - (g.kernel_h - 1)), g.stride_h);
      in.end = FloorDiv(out.end - 1 + g.pad_top, g.stride_h) + 1;
      break;
    case OpKind::kLinear:
      in = {0, input_height};
      break;
    case OpKind::kDepthToSpace:
      in.begin = (out.begin + g.crop) / g.block;
      in.end = (out.end - 1 + g.crop) / g.block + 1;
      break;
    case OpKind::kSpaceToDepth:
      in.begin = out.begin * g.block;
      in.end = out.end * g.block;
      break;
    case OpKind::kMaxPool:
      in.begin = out.begin * g.stride_h;
      in.end = (out.end - 1) * g.stride_h + g.kernel_h;
      break;
    default:
      break;
  }
  in.begin = std::clamp<int64_t>(in.begin, 0, input_height);
  in.end = std::clamp<int64_t>(in.end, in.begin, input_height);
  return in;
}

int64_t RowQuantum(const IntNode& node) {
  return node.kind == OpKind::kConvTranspose2d ? node.geometry.stride_h : 1;
}

RowSchedule::RowSchedule(const IntGraph& graph, std::vector<Size2> sizes, RowRange output_rows,
                         bool every_row)
    : graph_(&graph),
      sizes_(std::move(sizes)),
      every_row_(every_row),
      readers_(graph.tensors.size()) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (TensorId id : graph.nodes[n].inputs) readers_[Index(id)].push_back(static_cast<int>(n));
  }
  SetTotals(output_rows, every_row);
  for (const RowRange& range : total_) made_.push_back(range.begin);
}

void RowSchedule::SetTotals(RowRange output_rows, bool every_row) {
  total_.assign(graph_->tensors.size(), {0, 0});
  if (every_row) {
    for (size_t t = 0; t < total_.size(); ++t) total_[t] = {0, sizes_[t].h};
    return;
  }
  for (TensorId id : graph_->outputs) {
    const int64_t height = sizes_[Index(id)].h;
    const bool all = output_rows.begin == 0 && output_rows.end < 0;
    RowRange wanted = all ? RowRange{0, height} : output_rows;
    wanted.end = wanted.end < 0 ? height : std::min(wanted.end, height);
    Extend(total_[Index(id)], wanted);
  }
  for (size_t n = graph_->nodes.size(); n-- > 0;) {
    const IntNode& node = graph_->nodes[n];
    RowRange& out = total_[Index(node.output)];
    if (out.begin >= out.end) continue;
    const int64_t quantum = RowQuantum(node);
    out.begin = FloorTo(out.begin, quantum);
    out.end = std::min(CeilTo(out.end, quantum), sizes_[Index(node.output)].h);
    for (TensorId id : node.inputs) {
      Extend(total_[Index(id)], InputRows(node, out, sizes_[Index(id)].h));
    }
  }
}

// How far each tensor must be made so that the outputs have `rows` rows.
std::vector<int64_t> RowSchedule::Needs(int64_t rows) const {
  std::vector<int64_t> needs = made_;
  const RowRange first = total_[Index(graph_->outputs[0])];
  const int64_t first_rows = std::max<int64_t>(first.end - first.begin, 1);
  for (TensorId id : graph_->outputs) {
    const RowRange& total = total_[Index(id)];
    const int64_t own = rows >= first_rows
                            ? total.end - total.begin
                            : (rows * (total.end - total.begin) + first_rows - 1) / first_rows;
    needs[Index(id)] = std::max(needs[Index(id)], std::min(total.begin + own, total.end));
  }
  if (every_row_ && rows >= first_rows) {
    for (size_t t = 0; t < needs.size(); ++t) needs[t] = total_[t].end;
  }
  for (size_t n = graph_->nodes.size(); n-- > 0;) {
    const IntNode& node = graph_->nodes[n];
    const size_t out = Index(node.output);
    if (needs[out] <= made_[out]) continue;
    needs[out] = std::min(CeilTo(needs[out], RowQuantum(node)), total_[out].end);
    for (TensorId id : node.inputs) {
      const RowRange in = InputRows(node, {made_[out], needs[out]}, sizes_[Index(id)].h);
      needs[Index(id)] = std::max(needs[Index(id)], in.end);
    }
  }
  return needs;
}

Result<bool> RowSchedule::Advance(int64_t rows, const Grow& grow) {
  const std::vector<int64_t> needs = Needs(rows);
  bool grown = false;
  const auto make = [&](int node, TensorId id) -> Result<void> {
    const size_t t = Index(id);
    if (needs[t] <= made_[t]) return {};
    grown = true;
    const RowRange range{made_[t], needs[t]};
    if (grow) LICHEN_TRY_VOID(grow(node, id, range));
    made_[t] = needs[t];
    return {};
  };
  for (TensorId id : graph_->inputs) LICHEN_TRY_VOID(make(-1, id));
  for (size_t n = 0; n < graph_->nodes.size(); ++n) {
    LICHEN_TRY_VOID(make(static_cast<int>(n), graph_->nodes[n].output));
  }
  return grown;
}

int64_t RowSchedule::OldestNeeded(size_t tensor) const {
  int64_t oldest = made_[tensor];
  for (int n : readers_[tensor]) {
    const IntNode& node = graph_->nodes[static_cast<size_t>(n)];
    const size_t out = Index(node.output);
    if (made_[out] >= total_[out].end) continue;
    const RowRange in = InputRows(node, {made_[out], made_[out] + 1}, sizes_[tensor].h);
    oldest = std::min(oldest, in.begin);
  }
  return oldest;
}

std::vector<int64_t> RowSchedule::Capacities(int64_t rows_per_step) const {
  RowSchedule dry = *this;
  std::vector<int64_t> capacities(total_.size(), 1);
  const RowRange first = total_[Index(graph_->outputs[0])];
  for (int64_t rows = rows_per_step;; rows += rows_per_step) {
    const std::vector<int64_t> needs = dry.Needs(rows);
    for (size_t t = 0; t < needs.size(); ++t) {
      capacities[t] = std::max(capacities[t], needs[t] - dry.OldestNeeded(t));
    }
    const Result<bool> grown = dry.Advance(rows, nullptr);
    if ((!grown || !*grown) && rows >= first.end - first.begin) return capacities;
  }
}

}  // namespace lichen
