#include <algorithm>

#include "accel/tile/constants.h"
#include "accel/tile/estimate.h"
#include "accel/tile/plan.h"
#include "base/check.h"
#include "net/shapes.h"

namespace lichen::tile {
namespace {

constexpr int64_t kAlignBytes = 64;
constexpr int64_t kMaxTiles = int64_t{1} << 20;

int64_t RoundUp(int64_t a, int64_t b) { return (a + b - 1) / b * b; }
int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
void AddBits(T& instruction, uint32_t wait, uint32_t signal) {
  instruction.sync.wait |= wait;
  instruction.sync.signal |= signal;
}

uint32_t U(int64_t value) { return static_cast<uint32_t>(value); }

// Emits the program of a plan whose layers and tensors are placed.
class Emitter {
 public:
  explicit Emitter(Plan& plan) : plan_(plan), design_(plan.design) {}

  // Places of weights and parameters in memory, per layer.
  struct Constants {
    int64_t weights_bytes = 0;
    int64_t parameters_bytes = 0;
  };

  void Program(const std::vector<Constants>& constants) {
    PlaceInBuffers();
    FetchWeights(0, constants);
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      PlannedLayer& planned = plan_.layers[i];
      const Mapping& m = planned.mapping;
      for (int64_t ty = 0; ty < m.tiles_y; ++ty) {
        for (int64_t tx = 0; tx < m.tiles_x; ++tx) {
          const bool is_first = ty == 0 && tx == 0;
          const bool is_last = ty == m.tiles_y - 1 && tx == m.tiles_x - 1;
          Tile(i, ty, tx, is_first, is_last);
          // Behind the first tile, so that it runs beside the others.
          if (is_first && i + 1 < plan_.layers.size()) FetchWeights(i + 1, constants);
        }
      }
      planned.end_instruction = plan_.program.size();
    }
    plan_.program.emplace_back(End{});
  }

 private:
  struct Place {
    int64_t weights = 0;
    int64_t parameters = 0;
    bool is_beside_last = false;  // beside those of the layer before, not over them
  };

  // Layers take turns at the bottom and the top of the buffers where two fit.
  void PlaceInBuffers() {
    bool was_low = false;
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const Mapping& m = plan_.layers[i].mapping;
      Place place;
      if (i > 0) {
        const Mapping& before = plan_.layers[i - 1].mapping;
        place.is_beside_last =
            m.weight_words + before.weight_words <= design_.weight_buffer_words &&
            m.parameter_words + before.parameter_words <= design_.parameter_buffer_words;
      }
      const bool is_high = place.is_beside_last && was_low;
      place.weights = is_high ? design_.weight_buffer_words - m.weight_words : 0;
      place.parameters = is_high ? design_.parameter_buffer_words - m.parameter_words : 0;
      was_low = !is_high;
      places_.push_back(place);
    }
  }

  // The compute unit gives a token at each layer's end; this takes those of all layers whose words
  // the new ones overwrite.
  void FetchWeights(size_t index, const std::vector<Constants>& constants) {
    const Mapping& m = plan_.layers[index].mapping;
    const Place& place = places_[index];
    const auto layer = static_cast<int64_t>(index);
    const int64_t done_before = place.is_beside_last ? layer - 1 : layer;
    int64_t waits = std::max<int64_t>(done_before, 0) - tokens_taken_;
    tokens_taken_ += std::max<int64_t>(waits, 0);
    const auto wait = [&] { return waits-- > 0 ? Bit(Token::kComputeToWeight) : 0; };
    Weight parameters{.sync = {},
                      .address_bytes = static_cast<uint64_t>(constants[index].parameters_bytes),
                      .words = U(m.parameter_words),
                      .target = WeightTarget::kParameters,
                      .base = U(place.parameters)};
    AddBits(parameters, wait(), 0);
    plan_.program.emplace_back(parameters);
    Weight weights{.sync = {},
                   .address_bytes = static_cast<uint64_t>(constants[index].weights_bytes),
                   .words = U(m.weight_words),
                   .target = WeightTarget::kWeights,
                   .base = U(place.weights)};
    AddBits(weights, wait(), Bit(Token::kWeightToCompute));
    plan_.program.emplace_back(weights);
    LICHEN_CHECK(waits <= 0);
  }

  void Tile(size_t index, int64_t ty, int64_t tx, bool is_first, bool is_last) {
    const PlannedLayer& planned = plan_.layers[index];
    const int64_t slot = tile_count_ % 2;
    const bool is_reused = tile_count_ >= 2;
    ++tile_count_;
    const int64_t input_base = slot * (design_.input_buffer_words / 2);
    const int64_t output_base = slot * (design_.output_buffer_words / 2);
    Load load = MakeLoad(planned, ty, tx, input_base);
    AddBits(load, is_reused ? Bit(Token::kComputeToLoad) : 0, Bit(Token::kLoadToCompute));
    if (is_first && index > 0) AddBits(load, Bit(Token::kStoreToLoad), 0);
    plan_.program.emplace_back(load);

    std::vector<Compute> computes = Convolutions(planned, places_[index], input_base, output_base);
    AddBits(computes.front(), Bit(Token::kLoadToCompute), 0);
    if (is_first) AddBits(computes.front(), Bit(Token::kWeightToCompute), 0);
    AddBits(computes.back(), 0, Bit(Token::kComputeToLoad));
    std::vector<Compute> norms = Norms(planned, places_[index], output_base);
    Compute& first_output = norms.empty() ? computes.front() : norms.front();
    if (is_reused) AddBits(first_output, Bit(Token::kStoreToCompute), 0);
    Compute& last = norms.empty() ? computes.back() : norms.back();
    AddBits(last, 0, Bit(Token::kComputeToStore));
    if (is_last) AddBits(last, 0, Bit(Token::kComputeToWeight));
    for (const Compute& compute : computes) plan_.program.emplace_back(compute);
    for (const Compute& compute : norms) plan_.program.emplace_back(compute);

    std::vector<Store> stores = Stores(planned, ty, tx, output_base);
    AddBits(stores.front(), Bit(Token::kComputeToStore), 0);
    AddBits(stores.back(), 0, Bit(Token::kStoreToCompute));
    if (is_last && index + 1 < plan_.layers.size()) {
      AddBits(stores.back(), 0, Bit(Token::kStoreToLoad));
    }
    for (const Store& store : stores) plan_.program.emplace_back(store);
  }

  Load MakeLoad(const PlannedLayer& planned, int64_t ty, int64_t tx, int64_t base) const {
    const Layer& layer = planned.layer;
    const Mapping& m = planned.mapping;
    const TensorPlace& tensor = plan_.tensors[planned.input];
    const int64_t first_row = ty * m.tile_rows * layer.y.stride - layer.y.pad;
    const int64_t top = std::clamp<int64_t>(-first_row, 0, m.input_rows);
    const int64_t valid_rows =
        std::clamp<int64_t>(tensor.height - std::max<int64_t>(first_row, 0), 0, m.input_rows - top);
    // Words from the row's first element, as folded.
    const int64_t first_word = (tx * m.tile_columns * m.stride_x - m.pad_x) * m.chunks;
    const int64_t row_words = m.input_pixels * m.chunks;
    const int64_t left = std::clamp<int64_t>(-first_word, 0, row_words);
    const int64_t first_element = std::max<int64_t>(first_word, 0) * design_.pif;
    const int64_t row_elements = tensor.width * tensor.pixel_elements;
    const int64_t elements =
        std::clamp<int64_t>(row_elements - first_element, 0, (row_words - left) * design_.pif);
    return {.sync = {},
            .address_bytes = static_cast<uint64_t>(
                tensor.address_bytes + std::max<int64_t>(first_row, 0) * tensor.row_stride_bytes +
                (elements > 0 ? first_element : 0) * design_.ElementBytes()),
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
            .is_unsigned = design_.ElementBytes() == 1 && tensor.is_unsigned};
  }

  std::vector<Compute> Convolutions(const PlannedLayer& planned, const Place& place,
                                    int64_t input_base, int64_t output_base) const {
    const Mapping& m = planned.mapping;
    const int64_t group_words = design_.pof / design_.epilogue_lanes;
    const int64_t pixel_words = m.lane_count / design_.epilogue_lanes;
    const bool has_norm = planned.layer.norm != nullptr;
    std::vector<Compute> list;
    for (const Pass& pass : m.passes) {
      list.push_back(
          {.sync = {},
           .source = ComputeSource::kInput,
           .target = has_norm ? ComputeTarget::kMiddle : ComputeTarget::kOutput,
           .kind = ComputeKind::kConvolution,
           .row_groups = U(m.row_groups),
           .column_groups = U(m.column_groups),
           .lane_groups = U(pass.groups),
           .taps_y = U(pass.taps_y),
           .taps_x = U(pass.taps_x),
           .tap_row = U(pass.tap_y),
           .tap_column = U(pass.tap_x),
           .chunks = U(m.chunks),
           .stride_y = U(planned.layer.y.stride),
           .stride_x = U(m.stride_x),
           .source_base = U(input_base),
           .source_pitch = U(m.row_pitch),
           .pixel_words = U(m.chunks),
           .weight_base = U(place.weights + pass.weight_word),
           // The constants are one word for all; groups count from it.
           .parameter_base = U(place.parameters),
           .parameter_group = U(pass.first_group),
           .target_base = U((has_norm ? 0 : output_base) + pass.first_group * group_words),
           .target_row_pitch = U(has_norm ? 0 : m.tile_columns * pixel_words),
           .target_pitch = U(pixel_words)});
    }
    return list;
  }

  std::vector<Compute> Norms(const PlannedLayer& planned, const Place& place,
                             int64_t output_base) const {
    const Mapping& m = planned.mapping;
    const int64_t group_words = design_.pof / design_.epilogue_lanes;
    const int64_t pixel_words = m.lane_count / design_.epilogue_lanes;
    std::vector<Compute> list;
    for (const Pass& pass : m.norm_passes) {
      list.push_back({.sync = {},
                      .source = ComputeSource::kMiddle,
                      .target = ComputeTarget::kOutput,
                      .kind = planned.layer.norm->kind == OpKind::kGdn ? ComputeKind::kGdn
                                                                       : ComputeKind::kIgdn,
                      .row_groups = U(m.row_groups),
                      .column_groups = U(m.column_groups),
                      .lane_groups = U(pass.groups),
                      .taps_y = 1,
                      .taps_x = 1,
                      .tap_row = 0,
                      .tap_column = 0,
                      .chunks = U(m.lane_channels / design_.pif),
                      .stride_y = 1,
                      .stride_x = 1,
                      .source_base = U(pass.first_group * group_words),
                      .source_pitch = U(pixel_words),
                      .pixel_words = 0,
                      .weight_base = U(place.weights + pass.weight_word),
                      .parameter_base = U(place.parameters + m.norm_parameter_word),
                      .parameter_group = 0,
                      .target_base = U(output_base + pass.first_group * group_words),
                      .target_row_pitch = U(m.tile_columns * pixel_words),
                      .target_pitch = U(pixel_words)});
    }
    return list;
  }

  // One for each row phase that has rows here.
  std::vector<Store> Stores(const PlannedLayer& planned, int64_t ty, int64_t tx,
                            int64_t base) const {
    const Layer& layer = planned.layer;
    const Mapping& m = planned.mapping;
    const TensorPlace& tensor = plan_.tensors[planned.output];
    const int64_t pixel_words = m.lane_count / design_.epilogue_lanes;
    const int64_t run = layer.x.phases * m.lane_channels;
    const int64_t first_x = tx * m.tile_columns * layer.x.phases;
    const int64_t columns = std::min(m.tile_columns * layer.x.phases, tensor.width - first_x);
    std::vector<Store> list;
    for (size_t rank = 0; rank < layer.y.order.size(); ++rank) {
      const int64_t first_y = ty * m.tile_rows * layer.y.phases + layer.y.order[rank];
      if (first_y >= tensor.height) continue;
      const int64_t rows = std::min(m.tile_rows, CeilDiv(tensor.height - first_y, layer.y.phases));
      list.push_back({.sync = {},
                      .address_bytes = static_cast<uint64_t>(
                          tensor.address_bytes + first_y * tensor.row_stride_bytes +
                          first_x * tensor.pixel_elements * tensor.element_bytes),
                      .row_stride_bytes = U(layer.y.phases * tensor.row_stride_bytes),
                      .rows = U(rows),
                      .run = U(run),
                      .first = U(static_cast<int64_t>(rank) * run),
                      .valid_elements = U(columns * tensor.pixel_elements),
                      .base = U(base),
                      .row_pitch = U(m.tile_columns * pixel_words),
                      .column_pitch = U(pixel_words),
                      .element_bytes = U(tensor.element_bytes)});
    }
    return list;
  }

  Plan& plan_;
  const Design& design_;
  std::vector<Place> places_;
  int64_t tile_count_ = 0;
  int64_t tokens_taken_ = 0;
};

// Elements per pixel of every tensor that lies in memory: of the graph's input and of each layer's
// output.
std::vector<int64_t> Strides(const std::vector<Layer>& layers, const IntGraph& graph,
                             const Design& design) {
  std::vector<int64_t> strides(graph.tensors.size(), 0);
  const auto wanted = [&](TensorId id) {
    const int64_t channels = graph.tensor(id).channels;
    int64_t stride = channels;
    bool can_fold = true;
    bool is_read = false;
    for (const Layer& layer : layers) {
      if (layer.input != id) continue;
      is_read = true;
      can_fold = can_fold && InputStride(layer, design) == channels;
    }
    if (is_read && !can_fold) stride = RoundUp(channels, design.pif);
    return stride;
  };
  const TensorId input = graph.inputs[0];
  strides[static_cast<size_t>(input.index)] = wanted(input);
  for (const Layer& layer : layers) {
    strides[static_cast<size_t>(layer.output.index)] =
        OutputStride(layer, design, wanted(layer.output));
  }
  return strides;
}

TensorPlace MakePlace(const IntGraph& graph, TensorId id, int64_t height, int64_t width,
                      int64_t stride, const Design& design) {
  const ValueRange range = graph.tensor(id).range;
  const int64_t limit = int64_t{1} << design.operand_bits;
  const int64_t bytes = range.min >= -limit / 2 && range.max < limit ? design.ElementBytes() : 2;
  return {.tensor = id,
          .name = graph.tensor(id).name,
          .height = height,
          .width = width,
          .channels = graph.tensor(id).channels,
          .pixel_elements = stride,
          .element_bytes = bytes,
          .is_unsigned = range.min >= 0,
          .address_bytes = 0,
          .row_stride_bytes = RoundUp(width * stride * bytes, kAlignBytes)};
}

// Memory of tensors: each from the layer that writes it to the last that reads it; the lowest place
// that is free all that time.
int64_t PlaceTensors(Plan& plan, int64_t first_byte, bool keeps_all) {
  struct Life {
    size_t tensor;
    size_t begin;
    size_t end;
  };
  std::vector<Life> placed;
  int64_t end_bytes = first_byte;
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    TensorPlace& tensor = plan.tensors[t];
    const int64_t bytes = RoundUp(tensor.height * tensor.row_stride_bytes, 4096);
    Life life{t, 0, 0};
    for (size_t i = 0; i < plan.layers.size(); ++i) {
      if (plan.layers[i].output == t) life.begin = i, life.end = std::max(life.end, i);
      if (plan.layers[i].input == t) life.end = std::max(life.end, i);
    }
    if (keeps_all || t == plan.layers.back().output) life.end = plan.layers.size();
    int64_t at = first_byte;
    for (bool is_moved = true; is_moved;) {
      is_moved = false;
      for (const Life& other : placed) {
        const TensorPlace& o = plan.tensors[other.tensor];
        const int64_t o_end = o.address_bytes + RoundUp(o.height * o.row_stride_bytes, 4096);
        const bool overlaps_time = life.begin <= other.end && other.begin <= life.end;
        if (overlaps_time && at < o_end && o.address_bytes < at + bytes) {
          at = o_end;
          is_moved = true;
        }
      }
    }
    tensor.address_bytes = at;
    end_bytes = std::max(end_bytes, at + bytes);
    placed.push_back(life);
  }
  return end_bytes;
}

Size2 InputSize(const IntNet& net, const std::string& graph, Size2 padded,
                const std::vector<Size2>& analysis_sizes) {
  if (graph != "synthesis") return padded;
  const IntGraph* analysis = net.Find("analysis");
  return analysis_sizes[static_cast<size_t>(analysis->outputs[0].index)];
}

}  // namespace

Result<Compiled> Compile(IntNet net, const std::string& graph_name, const Design& design,
                         const Board& board, Size2 picture, bool keeps_tensors) {
  LICHEN_TRY_VOID(CheckDesign(design));
  Compiled compiled;
  Plan& plan = compiled.plan;
  plan.design = design;
  plan.board = board;
  plan.net = std::move(net);
  plan.graph = graph_name;
  plan.picture = picture;
  const IntGraph* graph = plan.net.Find(graph_name);
  if (!graph) return Fail("the model has no graph '{}'", graph_name);
  const int64_t multiple = plan.net.coding.size_multiple;
  plan.reference = {RoundUp(picture.h, multiple), RoundUp(picture.w, multiple)};
  std::vector<Size2> analysis_sizes;
  if (graph_name == "synthesis") {
    const IntGraph* analysis = plan.net.Find("analysis");
    if (!analysis) return Fail("the model has a synthesis but no analysis");
    LICHEN_TRY(analysis_sizes, InferSizes(*analysis, {plan.reference}, plan.reference));
  }
  const Size2 input_size = InputSize(plan.net, graph_name, plan.reference, analysis_sizes);
  LICHEN_TRY(std::vector<Layer> layers, InferLayers(*graph, input_size, plan.reference));
  if (layers.empty()) return Fail("graph {} has no layers", graph_name);
  const std::vector<int64_t> strides = Strides(layers, *graph, design);
  const auto stride = [&](TensorId id) { return strides[static_cast<size_t>(id.index)]; };

  plan.tensors.push_back(MakePlace(*graph, graph->inputs[0], input_size.h, input_size.w,
                                   stride(graph->inputs[0]), design));
  for (Layer& layer : layers) {
    const std::string place = fmt::format("graph {}, layer {}", graph->name, layer.name);
    LICHEN_TRY_VOID(InPlace(place, CheckWidths(*graph, layer, design)));
    const auto from = std::ranges::find(plan.tensors, layer.input, &TensorPlace::tensor);
    if (from == plan.tensors.end()) return Fail("{}: its input is inside another layer", place);
    const auto input = static_cast<size_t>(from - plan.tensors.begin());
    MappingChoice choice = ChooseMapping(layer, design, stride(layer.input), stride(layer.output));
    if (!choice.fit.ok) {
      compiled.fit = {false, fmt::format("{}: {}", place, choice.fit.reason)};
      return compiled;
    }
    plan.tensors.push_back(MakePlace(*graph, layer.output, layer.y.output, layer.x.output,
                                     stride(layer.output), design));
    plan.layers.push_back({.layer = std::move(layer),
                           .mapping = std::move(choice.mapping),
                           .input = input,
                           .output = plan.tensors.size() - 1});
  }
  compiled.fit = CheckBoard(design, board);
  if (compiled.fit.ok) compiled.fit = CheckFit(EstimateResources(design), board);
  if (!compiled.fit.ok) return compiled;
  int64_t tiles = 0;
  for (const PlannedLayer& planned : plan.layers) {
    tiles += planned.mapping.tiles_y * planned.mapping.tiles_x;
  }
  if (tiles > kMaxTiles) {
    compiled.fit = {false,
                    fmt::format("{} tiles needed, a program has at most {}", tiles, kMaxTiles)};
    return compiled;
  }

  // Memory: program, constants, tensors. The program's length does not depend on addresses.
  std::vector<Emitter::Constants> constants(plan.layers.size());
  Emitter(plan).Program(constants);
  const size_t program_bytes = plan.program.size() * kInstructionBytes;
  plan.constants.assign(static_cast<size_t>(RoundUp(static_cast<int64_t>(program_bytes), 4096)), 0);
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlannedLayer& planned = plan.layers[i];
    const auto append = [&](const std::vector<uint8_t>& bytes) {
      const auto at = static_cast<int64_t>(plan.constants.size());
      plan.constants.insert(plan.constants.end(), bytes.begin(), bytes.end());
      plan.constants.resize(
          static_cast<size_t>(RoundUp(static_cast<int64_t>(plan.constants.size()), kAlignBytes)));
      return at;
    };
    constants[i].weights_bytes = append(PackWeights(planned.layer, planned.mapping, design));
    constants[i].parameters_bytes =
        append(PackParameters(*graph, planned.layer, planned.mapping, design));
  }
  plan.memory_bytes =
      PlaceTensors(plan, RoundUp(static_cast<int64_t>(plan.constants.size()), 4096), keeps_tensors);
  plan.program.clear();
  Emitter(plan).Program(constants);
  for (size_t i = 0; i < plan.program.size(); ++i) {
    const std::string problem = FieldProblem(plan.program[i]);
    if (!problem.empty()) {
      compiled.fit = {false, fmt::format("instruction {}: {}", i, problem)};
      return compiled;
    }
    const EncodedInstruction bytes = Encode(plan.program[i]);
    std::copy(bytes.begin(), bytes.end(),
              plan.constants.begin() + static_cast<int64_t>(i * kInstructionBytes));
  }
  return compiled;
}

}  // namespace lichen::tile
