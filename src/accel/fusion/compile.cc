#include <algorithm>
#include <array>

#include "accel/fusion/constants.h"
#include "accel/fusion/estimate.h"
#include "accel/fusion/plan.h"
#include "net/shapes.h"

namespace lichen::fusion {
namespace {

constexpr int64_t kRowAlignBytes = 64;
constexpr int64_t kTensorAlignBytes = 4096;
constexpr int64_t kMaxSide = 1 << 16;

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUp(int64_t a, int64_t b) { return CeilDivide(a, b) * b; }
int64_t Log2(int64_t power) {
  int64_t log = 0;
  while (power >> (log + 1) != 0) ++log;
  return log;
}
uint32_t Units(int64_t bytes) { return static_cast<uint32_t>(bytes / kAddressUnitBytes); }

// Where a chunk's constants lie.
struct SetPlace {
  int64_t address_bytes = 0;
  int64_t step_bytes = 0;  // from one chunk to the next
  int64_t words = 0;
};
struct LayerSets {
  std::array<SetPlace, 3> of;  // by WeightTarget
};

class Compiler {
 public:
  explicit Compiler(Plan& plan) : plan_(plan), d_(plan.design) {}

  Result<Fit> Run() {
    const IntGraph* graph = plan_.net.Find(plan_.graph);
    if (!graph) return Fail("the model has no graph '{}'", plan_.graph);
    LICHEN_TRY(std::vector<Layer> layers, InferLayers(*graph, plan_.picture));
    PlaceTensors(*graph, layers);
    for (Layer& layer : layers) {
      PlannedLayer planned{.layer = layer,
                           .mapping = {},
                           .input = Find(layer.input),
                           .output = Find(layer.output),
                           .end_instruction = 0};
      Result<Mapping> mapping = ChooseMapping(layer, plan_.tensors[planned.input].border, d_);
      if (!mapping)
        return Fit{false, fmt::format("layer {}: {}", layer.name, mapping.error().message)};
      planned.mapping = *std::move(mapping);
      plan_.layers.push_back(std::move(planned));
    }
    // Twice: the program's length moves what lies behind it, but not its length.
    for (int64_t pass = 0; pass < 2; ++pass) {
      const auto program_bytes = static_cast<int64_t>(plan_.program.size() * kInstructionBytes);
      PlaceConstants(*graph, RoundUp(program_bytes, kTensorAlignBytes));
      AddressTensors();
      Emit();
    }
    for (const Instruction& instruction : plan_.program) {
      const std::string problem = FieldProblem(instruction);
      if (!problem.empty()) return Fit{false, problem};
    }
    if (static_cast<int64_t>(plan_.program.size()) > d_.program_words) {
      return Fit{false, fmt::format("the program has {} instructions, program_words is {}",
                                    plan_.program.size(), d_.program_words)};
    }
    WriteConstants();
    return Fit{};
  }

 private:
  size_t Find(TensorId tensor) const {
    return static_cast<size_t>(std::ranges::find(plan_.tensors, tensor, &TensorPlace::tensor) -
                               plan_.tensors.begin());
  }

  void PlaceTensors(const IntGraph& graph, const std::vector<Layer>& layers) {
    const auto add = [&](TensorId id, Size2 size, int64_t bits, bool is_signed) {
      TensorPlace place{.tensor = id,
                        .name = graph.tensor(id).name,
                        .size = size,
                        .channels = graph.tensor(id).channels,
                        .border = {},
                        .planes = {}};
      for (const Plane& plane : PlanesOf(bits, is_signed)) place.planes.push_back({.plane = plane});
      plan_.tensors.push_back(std::move(place));
    };
    const Layer& first = layers.front();
    add(first.input, first.input_size, first.input_bits, first.is_input_signed);
    for (const Layer& layer : layers) {
      add(layer.output, layer.output_size, layer.output_bits, layer.is_output_signed);
    }
    for (const Layer& layer : layers) {
      Border& border = plan_.tensors[Find(layer.input)].border;
      const Border needed = NeededBorder(layer);
      border = {std::max(border.top, needed.top), std::max(border.bottom, needed.bottom),
                std::max(border.left, needed.left), std::max(border.right, needed.right)};
    }
    for (TensorPlace& place : plan_.tensors) {
      const int64_t elements =
          (place.border.left + place.size.w + place.border.right) * place.channels;
      for (PlanePlace& plane : place.planes) {
        plane.row_beats = RowBeats(elements, plane.plane);
        plane.row_stride_bytes = RoundUp(plane.row_beats * kBeatBytes, kRowAlignBytes);
      }
    }
  }

  void AddressTensors() {
    int64_t at = constants_end_;
    for (TensorPlace& place : plan_.tensors) {
      const int64_t rows = place.border.top + place.size.h + place.border.bottom;
      for (PlanePlace& plane : place.planes) {
        plane.address_bytes = RoundUp(at, kTensorAlignBytes);
        at = plane.address_bytes + rows * plane.row_stride_bytes;
      }
    }
    plan_.memory_bytes = RoundUp(at, kTensorAlignBytes);
  }

  void PlaceConstants(const IntGraph& graph, int64_t at) {
    sets_.clear();
    constants_.clear();
    for (const PlannedLayer& planned : plan_.layers) {
      const Layer& layer = planned.layer;
      const Mapping& m = planned.mapping;
      LayerSets sets;
      const Border& border = plan_.tensors[planned.input].border;
      const ValueRange range = graph.tensor(layer.node->output).range;
      const bool are_steps_shared = layer.node->geometry.groups == 1;
      for (int64_t target = 0; target < 3; ++target) {
        SetPlace& place = sets.of[static_cast<size_t>(target)];
        place.address_bytes = at;
        const bool is_shared = target == 1 && are_steps_shared;
        for (int64_t chunk = 0; chunk < (is_shared ? 1 : m.chunks); ++chunk) {
          Constant constant{at, target == 0   ? WeightBytes(layer, m, d_, chunk)
                                : target == 1 ? StepBytes(layer, m, border, d_, chunk)
                                              : ParameterBytes(layer, m, d_, range, chunk)};
          const auto bytes = static_cast<int64_t>(constant.bytes.size());
          const int64_t word_bytes = target == 0   ? m.WordRows(d_) * d_.columns * 4
                                     : target == 1 ? d_.StepBeats() * kBeatBytes
                                                   : d_.columns * kRecordBytes;
          place.words = bytes / word_bytes;
          place.step_bytes = is_shared ? 0 : RoundUp(bytes, kRowAlignBytes);
          at += RoundUp(bytes, kRowAlignBytes);
          constants_.push_back(std::move(constant));
        }
      }
      sets_.push_back(sets);
    }
    constants_end_ = at;
  }

  void WriteConstants() {
    plan_.constants.assign(static_cast<size_t>(constants_end_), 0);
    auto at = plan_.constants.begin();
    for (const Instruction& instruction : plan_.program) {
      const EncodedInstruction bytes = Encode(instruction);
      at = std::copy(bytes.begin(), bytes.end(), at);
    }
    for (const Constant& constant : constants_) {
      std::ranges::copy(constant.bytes, plan_.constants.begin() + constant.address_bytes);
    }
  }

  // Iterations of a loop: the first and the last stand alone, since they wait or signal otherwise.
  struct Part {
    int64_t first = 0;
    int64_t count = 1;
    bool is_loop = false;
  };
  static std::vector<Part> PartsOf(int64_t count) {
    std::vector<Part> parts{{0}};
    if (count > 2) parts.push_back({1, count - 2, true});
    if (count > 1) parts.push_back({count - 1});
    return parts;
  }
  void Begin(const Part& part, uint32_t level) {
    if (part.is_loop) {
      plan_.program.push_back(
          Loop{.sync = {}, .level = level, .count = static_cast<uint32_t>(part.count)});
    }
  }
  void Finish(const Part& part, uint32_t level) {
    if (part.is_loop) plan_.program.push_back(Next{.sync = {}, .level = level});
  }

  void Emit() {
    plan_.program.clear();
    // The first weights of a layer are fetched before the layer in front of it runs, if that one's
    // are all there by then.
    EmitSet(0, {0}, true);
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const bool is_ahead = plan_.layers[i].mapping.chunks == 1;
      const bool has_next = i + 1 < plan_.layers.size();
      if (has_next && is_ahead) EmitSet(i + 1, {0}, true);
      EmitLayer(i);
      if (has_next && !is_ahead) EmitSet(i + 1, {0}, true);
      plan_.layers[i].end_instruction = plan_.program.size();
    }
    plan_.program.push_back(End{});
  }

  // Weights, steps and parameters of a chunk; `is_first`: of the layer's first tile, whose chunk 0 was
  // fetched before.
  void EmitSet(size_t index, const Part& part, bool is_ahead) {
    const LayerSets& sets = sets_[index];
    const Mapping& m = plan_.layers[index].mapping;
    if (!is_ahead && m.chunks == 1) return;
    for (size_t target = 0; target < 3; ++target) {
      const SetPlace& place = sets.of[target];
      Weight weight{
          .sync = {},
          .memory = {.address = Units(place.address_bytes + part.first * place.step_bytes),
                     .step0 = 0,
                     .step1 = part.is_loop ? Units(place.step_bytes) : 0},
          .words = static_cast<uint32_t>(place.words),
          .target = static_cast<WeightTarget>(target),
          .rows = target == 0 ? static_cast<uint32_t>(m.WordRows(d_)) : 0,
          .flip = target == 2};
      if (target == 0) weight.sync.wait = Bit(Token::kComputeToWeight);
      if (target == 2) weight.sync.signal = Bit(Token::kWeightToCompute);
      plan_.program.push_back(weight);
    }
  }

  void EmitLayer(size_t index) {
    const Mapping& m = plan_.layers[index].mapping;
    for (const Part& tiles : PartsOf(m.tiles)) {
      const bool is_first = tiles.first == 0;
      const bool is_last = tiles.first + tiles.count == m.tiles;
      Begin(tiles, 0);
      EmitLoads(index, tiles);
      for (const Part& chunks : PartsOf(m.chunks)) {
        Begin(chunks, 1);
        if (!is_first || chunks.first > 0) EmitSet(index, chunks, false);
        EmitCompute(index, tiles, chunks, is_first, is_last);
        Finish(chunks, 1);
      }
      EmitStores(index, tiles, is_last);
      Finish(tiles, 0);
    }
  }

  int64_t RowsOf(size_t index, const Part& tiles) const {
    const PlannedLayer& planned = plan_.layers[index];
    const Mapping& m = planned.mapping;
    return std::min(m.tile_rows, planned.layer.output_size.h - tiles.first * m.tile_rows);
  }

  void EmitLoads(size_t index, const Part& tiles) {
    const PlannedLayer& planned = plan_.layers[index];
    const Layer& layer = planned.layer;
    const Mapping& m = planned.mapping;
    const TensorPlace& place = plan_.tensors[planned.input];
    const Geometry& g = layer.node->geometry;
    const int64_t advance = m.tile_rows * layer.PoolSize() * g.stride_h;
    const int64_t first = place.border.top - g.pad_top + tiles.first * advance;
    for (size_t i = 0; i < place.planes.size(); ++i) {
      const PlanePlace& plane = place.planes[i];
      const bool is_last = i + 1 == place.planes.size();
      Load load{.sync = {},
                .memory = {.address = Units(plane.address_bytes + first * plane.row_stride_bytes),
                           .step0 = tiles.is_loop ? Units(advance * plane.row_stride_bytes) : 0,
                           .step1 = 0},
                .row_stride = Units(plane.row_stride_bytes),
                .rows = static_cast<uint32_t>(InputRows(layer, RowsOf(index, tiles))),
                .row_beats = static_cast<uint32_t>(plane.row_beats),
                .base = static_cast<uint32_t>(m.plane_base[i]),
                .row_pitch = static_cast<uint32_t>(m.pitch * plane.plane.digits / kWordDigits),
                .flip = is_last};
      if (i == 0) {
        load.sync.wait = Bit(Token::kComputeToLoad);
        if (index > 0 && tiles.first == 0) load.sync.wait |= Bit(Token::kStoreToLoad);
      }
      if (is_last) load.sync.signal = Bit(Token::kLoadToCompute);
      plan_.program.push_back(load);
    }
  }

  void EmitCompute(size_t index, const Part& tiles, const Part& chunks, bool is_first_tile,
                   bool is_last_tile) {
    const PlannedLayer& planned = plan_.layers[index];
    const Layer& layer = planned.layer;
    const Mapping& m = planned.mapping;
    const Geometry& g = layer.node->geometry;
    const bool is_first = chunks.first == 0;
    const bool is_last = chunks.first + chunks.count == m.chunks;
    const int64_t chunk_words = m.blocks * (m.kind == GroupKind::kChannels ? m.groups : 1);
    const int64_t rows = RowsOf(index, tiles);
    const bool has_new_weights = m.chunks > 1 || is_first_tile;
    const bool ends_weights = m.chunks > 1 || is_last_tile;
    Compute compute{.sync = {},
                    .groups_log2 = static_cast<uint32_t>(Log2(m.groups)),
                    .kind = m.kind,
                    .fold_log2 = static_cast<uint32_t>(Log2(m.fold)),
                    .blocks = static_cast<uint32_t>(m.blocks),
                    .rows = static_cast<uint32_t>(rows),
                    .columns = static_cast<uint32_t>(layer.output_size.w),
                    .pool = static_cast<uint32_t>(layer.PoolSize()),
                    .steps = static_cast<uint32_t>(m.steps),
                    .stride_y = static_cast<uint32_t>(g.stride_h),
                    .stride_x = static_cast<uint32_t>(g.stride_w),
                    .pitch = static_cast<uint32_t>(m.pitch),
                    .pixel = static_cast<uint32_t>(layer.input_channels),
                    .block_words = static_cast<uint32_t>(m.block_words),
                    .pixel_words = static_cast<uint32_t>(m.words),
                    .first_word = static_cast<uint32_t>(chunks.first * chunk_words),
                    .word_step = chunks.is_loop ? static_cast<uint32_t>(chunk_words) : 0,
                    .plane_pitch = static_cast<uint32_t>(rows * layer.output_size.w * m.words),
                    .bytes_log2 = static_cast<uint32_t>(Log2(m.result_bytes)),
                    .flip_source = is_last,
                    .flip_weight = ends_weights,
                    .flip_target = is_last};
    if (is_first) compute.sync.wait |= Bit(Token::kLoadToCompute) | Bit(Token::kStoreToCompute);
    if (has_new_weights) compute.sync.wait |= Bit(Token::kWeightToCompute);
    if (is_last) compute.sync.signal |= Bit(Token::kComputeToLoad) | Bit(Token::kComputeToStore);
    if (ends_weights) compute.sync.signal |= Bit(Token::kComputeToWeight);
    plan_.program.push_back(compute);
  }

  void EmitStores(size_t index, const Part& tiles, bool is_last_tile) {
    const PlannedLayer& planned = plan_.layers[index];
    const Layer& layer = planned.layer;
    const Mapping& m = planned.mapping;
    const TensorPlace& place = plan_.tensors[planned.output];
    const int64_t rows = RowsOf(index, tiles);
    const int64_t first = place.border.top + tiles.first * m.tile_rows;
    for (size_t i = 0; i < place.planes.size(); ++i) {
      const PlanePlace& plane = place.planes[i];
      const bool is_last = i + 1 == place.planes.size();
      const bool is_wide = layer.output_bits > kMaxOperandBits;
      Store store{
          .sync = {},
          .memory = {.address = Units(plane.address_bytes + first * plane.row_stride_bytes),
                     .step0 = tiles.is_loop ? Units(m.tile_rows * plane.row_stride_bytes) : 0,
                     .step1 = 0},
          .row_stride = Units(plane.row_stride_bytes),
          .rows = static_cast<uint32_t>(rows),
          .pixels = static_cast<uint32_t>(layer.output_size.w),
          .elements = static_cast<uint32_t>(layer.output_channels),
          .lead =
              static_cast<uint32_t>(place.border.left * layer.output_channels * plane.plane.digits),
          .row_beats = static_cast<uint32_t>(plane.row_beats),
          .base = is_wide ? static_cast<uint32_t>(static_cast<int64_t>(i) * rows *
                                                  layer.output_size.w * m.words)
                          : 0,
          .pixel_words = static_cast<uint32_t>(m.words),
          .fold_log2 = static_cast<uint32_t>(Log2(m.fold)),
          .digits_log2 = static_cast<uint32_t>(Log2(plane.plane.digits)),
          .digit_offset = is_wide ? 0 : static_cast<uint32_t>(plane.plane.offset),
          .flip = is_last};
      if (i == 0) store.sync.wait = Bit(Token::kComputeToStore);
      if (is_last) {
        store.sync.signal = Bit(Token::kStoreToCompute);
        if (is_last_tile && index + 1 < plan_.layers.size()) {
          store.sync.signal |= Bit(Token::kStoreToLoad);
        }
      }
      plan_.program.push_back(store);
    }
  }

  struct Constant {
    int64_t address_bytes = 0;
    std::vector<uint8_t> bytes;
  };

  Plan& plan_;
  const Design& d_;
  std::vector<LayerSets> sets_;
  std::vector<Constant> constants_;
  int64_t constants_end_ = 0;
};

}  // namespace

Result<Compiled> Compile(IntNet net, const std::string& graph, const Design& design,
                         const Board& board, Size2 picture) {
  if (picture.h < 1 || picture.w < 1 || picture.h > kMaxSide || picture.w > kMaxSide) {
    return Fail("a picture of {}x{}: sides must be 1 to {}", picture.h, picture.w, kMaxSide);
  }
  LICHEN_TRY_VOID(CheckDesign(design));
  Compiled compiled{.fit = CheckBoard(design, board), .plan = {}};
  if (compiled.fit.ok) compiled.fit = CheckFit(EstimateResources(design), board);
  if (!compiled.fit.ok) return compiled;
  Plan& plan = compiled.plan;
  plan.design = design;
  plan.board = board;
  plan.net = std::move(net);
  plan.graph = graph;
  plan.picture = picture;
  LICHEN_TRY(compiled.fit, Compiler(plan).Run());
  return compiled;
}

}  // namespace lichen::fusion
