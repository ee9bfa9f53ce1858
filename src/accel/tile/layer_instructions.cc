#include "accel/tile/layer_instructions.h"

#include <algorithm>

namespace lichen::tile {
namespace {

uint32_t U(int64_t value) { return static_cast<uint32_t>(value); }
int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The fields that do not depend on the pass.
Compute TileCompute(const Design& design, const PlannedLayer& planned, const BufferPlace& place,
                    ComputeTarget target) {
  const Mapping& m = planned.mapping;
  const bool is_middle = target == ComputeTarget::kMiddle;
  Compute c;
  c.target = target;
  c.row_groups = U(m.row_groups);
  c.column_groups = U(m.column_groups);
  c.target_base = is_middle ? 0 : U(place.output);
  c.target_row_pitch = is_middle ? 0 : U(m.tile_columns * m.pixel_words);
  c.target_pitch = U(is_middle ? m.lane_count / design.epilogue_lanes : m.pixel_words);
  return c;
}

// Rows [first, first + count) of what a tile stores along one axis.
struct Span {
  int64_t first = 0;
  int64_t count = 0;
};
// Of the outputs of a phase: every axis.phases-th from `first` on.
Span StoredSpan(const Axis& axis, int64_t tile, int64_t positions, int64_t phase, int64_t stored,
                bool pools) {
  const int64_t step = pools ? 2 : 1;
  Span span{.first = tile * (positions / step) * axis.phases + phase, .count = 0};
  if (span.first < stored) {
    span.count = std::min(positions / step, CeilDiv(stored - span.first, axis.phases));
  }
  return span;
}

class StoreMaker {
 public:
  StoreMaker(const Plan& plan, const PlannedLayer& planned, int64_t ty, int64_t tx, int64_t base)
      : layer_(planned.layer),
        m_(planned.mapping),
        tensor_(plan.tensors[planned.output]),
        ty_(ty),
        tx_(tx),
        base_(base) {}

  // One for each row phase that has rows here: its elements are a run of each pixel, in two parts
  // where its strip was cut.
  std::vector<Store> Rows() const {
    const int64_t run = layer_.x.phases * m_.lane_channels;
    const int64_t columns =
        std::min(m_.tile_columns * layer_.x.phases / PoolStep(), tensor_.width - FirstColumn());
    std::vector<Store> list;
    for (const Strip& strip : m_.strips) {
      if (strip.first_x != 0) continue;
      const Span rows = RowSpan(strip.phase_y);
      if (rows.count == 0 || columns <= 0) continue;
      Store store = Blank();
      store.address_bytes = Address(rows.first, FirstColumn(), 0);
      store.row_stride_bytes = U(layer_.y.phases * tensor_.row_stride_bytes);
      store.rows = U(rows.count);
      store.run = U(run);
      store.first = U(strip.first_lane);
      store.valid_elements = U(columns * tensor_.pixel_elements);
      store.base = U(base_);
      store.row_pitch = U(m_.tile_columns * m_.pixel_words);
      store.column_pitch = U(m_.pixel_words);
      if (const Strip* rest = RestOf(strip)) {
        store.split = U(strip.phases_x * m_.lane_channels);
        store.second = U(rest->first_lane);
      }
      list.push_back(store);
    }
    return list;
  }

  // One for each row and column phase; its rows are pixels, its pixels rows. Lanes [first_lane,
  // first_lane + lanes) of a phase go to its channels from `first_lane` on.
  std::vector<Store> Pixels(int64_t first_lane, int64_t lanes) const {
    std::vector<Store> list;
    const int64_t count = std::min(lanes, m_.stored_channels - first_lane);
    if (count <= 0) return list;
    for (const Strip& strip : m_.strips) {
      const Span rows = RowSpan(strip.phase_y);
      for (int64_t row = 0; row < rows.count; ++row) {
        for (int64_t x = strip.first_x; x < strip.first_x + strip.phases_x; ++x) {
          const Span columns =
              StoredSpan(layer_.x, tx_, m_.tile_columns, x, layer_.StoredColumns(), layer_.pools);
          if (columns.count == 0) continue;
          const int64_t lane = strip.first_lane + (x - strip.first_x) * m_.lane_channels;
          Store store = Blank();
          store.address_bytes =
              Address(rows.first + row * layer_.y.phases, columns.first, first_lane);
          store.row_stride_bytes =
              U(layer_.x.phases * tensor_.pixel_elements * tensor_.element_bytes);
          store.rows = U(columns.count);
          store.run = U(count);
          store.first = U(lane);
          store.valid_elements = U(count);
          store.base = U(base_ + row * PoolStep() * m_.tile_columns * m_.pixel_words);
          store.row_pitch = U(m_.pixel_words);
          store.column_pitch = layer_.pools ? U(m_.tile_columns * m_.pixel_words) : 0;
          list.push_back(store);
        }
      }
    }
    return list;
  }

 private:
  int64_t PoolStep() const { return layer_.pools ? 2 : 1; }
  int64_t FirstColumn() const { return tx_ * (m_.tile_columns / PoolStep()) * layer_.x.phases; }

  Span RowSpan(int64_t phase) const {
    return StoredSpan(layer_.y, ty_, m_.tile_rows, phase, layer_.StoredRows(), layer_.pools);
  }

  // The strip with the row phase's other columns, if it was cut.
  const Strip* RestOf(const Strip& strip) const {
    for (const Strip& other : m_.strips) {
      if (other.phase_y == strip.phase_y && other.first_x > 0) return &other;
    }
    return nullptr;
  }

  uint64_t Address(int64_t row, int64_t column, int64_t channel) const {
    return static_cast<uint64_t>(
        tensor_.address_bytes + row * tensor_.row_stride_bytes +
        (column * tensor_.pixel_elements + layer_.first_channel + channel) * tensor_.element_bytes);
  }

  Store Blank() const {
    Store store;
    store.element_bytes = U(tensor_.element_bytes);
    store.pools = layer_.pools ? 1 : 0;
    return store;
  }

  const Layer& layer_;
  const Mapping& m_;
  const TensorPlace& tensor_;
  int64_t ty_;
  int64_t tx_;
  int64_t base_;
};

}  // namespace

Load MakeLoad(const Plan& plan, const PlannedLayer& planned, int64_t ty, int64_t tx, int64_t base) {
  const Layer& layer = planned.layer;
  const Mapping& m = planned.mapping;
  const Design& design = plan.design;
  const TensorPlace& tensor = plan.tensors[planned.input];
  const int64_t first_row = ty * m.tile_rows * layer.y.stride - layer.y.pad;
  const int64_t top = std::clamp<int64_t>(-first_row, 0, m.input_rows);
  const int64_t valid_rows =
      std::clamp<int64_t>(tensor.height - std::max<int64_t>(first_row, 0), 0, m.input_rows - top);
  // Words from the row's first element, as folded.
  const int64_t first_word = (tx * m.tile_columns * m.stride_x - m.pad_x) * m.chunks;
  const int64_t row_words = m.input_pixels * m.chunks;
  const int64_t left = std::clamp<int64_t>(-first_word, 0, row_words);
  const int64_t first_element = std::max<int64_t>(first_word, 0) * design.pif;
  const int64_t row_elements = tensor.width * tensor.pixel_elements;
  const int64_t elements =
      std::clamp<int64_t>(row_elements - first_element, 0, (row_words - left) * design.pif);
  return {.sync = {},
          .address_bytes = static_cast<uint64_t>(
              tensor.address_bytes + std::max<int64_t>(first_row, 0) * tensor.row_stride_bytes +
              (elements > 0 ? first_element : 0) * design.ElementBytes()),
          .row_stride_bytes = U(tensor.row_stride_bytes),
          .rows = U(m.input_rows),
          .top_rows = U(top),
          .valid_rows = U(elements > 0 ? valid_rows : 0),
          .row_words = U(row_words),
          .left_words = U(left),
          .valid_elements = U(elements),
          .base = U(base),
          .row_pitch = U(m.row_pitch),
          .chunks = U(m.chunks),
          .stride_y = U(layer.y.stride),
          .stride_x = U(m.stride_x),
          .is_unsigned = design.ElementBytes() == 1 && tensor.is_unsigned};
}

std::vector<Compute> MakeComputes(const Design& design, const PlannedLayer& planned,
                                  const WeightBlock& block, const BufferPlace& place) {
  const Layer& layer = planned.layer;
  const Mapping& m = planned.mapping;
  const int64_t group_words = design.pof / design.epilogue_lanes;
  const auto target = layer.norm ? ComputeTarget::kMiddle : ComputeTarget::kOutput;
  const int64_t first_stored = m.order == LoopOrder::kBlocks ? block.first_group : 0;
  std::vector<Compute> list;
  for (const Pass& pass : block.passes) {
    Compute c = TileCompute(design, planned, place, target);
    c.source = ComputeSource::kInput;
    c.kind = ComputeKind::kConvolution;
    c.lane_groups = U(pass.groups);
    c.taps_y = U(pass.taps_y);
    c.taps_x = U(pass.taps_x);
    c.tap_row = U(pass.tap_y);
    c.tap_column = U(pass.tap_x);
    c.chunks = U(pass.chunks);
    c.stride_y = U(layer.y.stride);
    c.stride_x = U(m.stride_x);
    c.source_base = U(place.input + pass.first_chunk);
    c.source_pitch = U(m.row_pitch);
    c.pixel_words = U(m.chunks);
    c.weight_base = U(place.weights + pass.weight_word);
    c.parameter_base = U(place.parameters);
    c.parameter_group = U(pass.parameter_group);
    c.target_base += U((pass.first_group - first_stored) * group_words);
    list.push_back(c);
  }
  for (const Pass& pass : block.norm_passes) {
    Compute c = TileCompute(design, planned, place, ComputeTarget::kOutput);
    c.source = ComputeSource::kMiddle;
    c.kind = layer.norm->kind == OpKind::kGdn ? ComputeKind::kGdn : ComputeKind::kIgdn;
    c.lane_groups = U(pass.groups);
    c.taps_y = 1;
    c.taps_x = 1;
    c.chunks = U(pass.chunks);
    c.stride_y = 1;
    c.stride_x = 1;
    c.source_base = U((pass.first_group - block.first_norm_group) * group_words);
    c.source_pitch = U(m.lane_count / design.epilogue_lanes);
    c.pixel_words = U(block.first_norm_group * group_words);
    c.weight_base = U(place.weights + pass.weight_word);
    c.parameter_base = U(place.parameters + block.norm_parameter_word);
    c.target_base += U(pass.first_group * group_words);
    list.push_back(c);
  }
  return list;
}

std::vector<Store> MakeStores(const Plan& plan, const PlannedLayer& planned, int64_t ty, int64_t tx,
                              int64_t base, const WeightBlock* block) {
  const StoreMaker maker(plan, planned, ty, tx, base);
  if (!planned.mapping.stores_pixels) return maker.Rows();
  const int64_t pof = plan.design.pof;
  return block ? maker.Pixels(block->first_group * pof, block->groups * pof)
               : maker.Pixels(0, planned.mapping.stored_channels);
}

}  // namespace lichen::tile
