#include <algorithm>

#include "accel/tile/choose.h"
#include "accel/tile/constants.h"
#include "accel/tile/estimate.h"
#include "accel/tile/plan.h"
#include "accel/tile/program.h"
#include "net/shapes.h"

namespace lichen::tile {
namespace {

constexpr int64_t kAlignBytes = 64;
constexpr int64_t kMaxTiles = int64_t{1} << 20;
constexpr int64_t kMaxInstructions = int64_t{1} << 22;

int64_t RoundUp(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

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

// Memory of tensors: each from the first layer that writes it to the last that reads it; the lowest place
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
    Life life{t, t == 0 ? 0 : plan.layers.size(), 0};
    for (size_t i = 0; i < plan.layers.size(); ++i) {
      if (plan.layers[i].output == t) life.begin = std::min(life.begin, i);
      if (plan.layers[i].output == t || plan.layers[i].input == t) life.end = i;
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
  if (!graph) {
    std::vector<std::string> names;
    for (const IntGraph& known : plan.net.graphs) names.push_back(known.name);
    return Fail("the model has no graph '{}'; --graph may name {}", graph_name,
                fmt::join(names, ", "));
  }
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
  if (layers.back().output != graph->outputs[0]) {
    return Fail("graph {}: its last layer is {}, not its output {}", graph->name,
                layers.back().name, graph->tensor(graph->outputs[0]).name);
  }
  const auto stride = [&](TensorId id) {
    return TensorStride(layers, id, graph->tensor(id).channels, design);
  };
  plan.tensors.push_back(MakePlace(*graph, graph->inputs[0], input_size.h, input_size.w,
                                   stride(graph->inputs[0]), design));
  std::vector<ChannelRequant> requants;
  for (const Layer& layer : layers) {
    const std::string place = fmt::format("graph {}, layer {}", graph->name, layer.name);
    requants.push_back(SumRequant(*graph, layer));
    LICHEN_TRY_VOID(InPlace(place, CheckWidths(*graph, layer, design, requants.back())));
    const auto find = [&](TensorId id) {
      const auto at = std::ranges::find(plan.tensors, id, &TensorPlace::tensor);
      return static_cast<size_t>(at - plan.tensors.begin());
    };
    const size_t input = find(layer.input);
    if (input == plan.tensors.size()) {
      return Fail("{}: its input is inside another layer", place);
    }
    MappingChoice choice =
        ChooseMapping(layer, design, stride(layer.input), OutputStride(layers, layer, design),
                      BytesPerCycle(board, design));
    if (!choice.fit.ok) {
      compiled.fit = {false, fmt::format("{}: {}", place, choice.fit.reason)};
      return compiled;
    }
    const size_t output = find(layer.output);
    if (output == plan.tensors.size()) {
      plan.tensors.push_back(MakePlace(*graph, layer.output, layer.StoredRows(),
                                       layer.StoredColumns(), stride(layer.output), design));
    }
    for (PlannedLayer& before : plan.layers) {
      if (before.output == output) before.is_last_writer = false;
    }
    plan.layers.push_back(
        {.layer = layer, .mapping = std::move(choice.mapping), .input = input, .output = output});
  }
  compiled.fit = CheckBoard(design, board);
  if (compiled.fit.ok) compiled.fit = CheckFit(EstimateResources(design), board);
  if (!compiled.fit.ok) return compiled;
  int64_t tiles = 0;
  int64_t instructions = 0;
  for (const PlannedLayer& planned : plan.layers) {
    tiles += planned.mapping.Rounds();
    instructions += CountInstructions(planned.layer, planned.mapping);
  }
  if (tiles > kMaxTiles || instructions > kMaxInstructions) {
    compiled.fit = {false, fmt::format("{} tiles needed and {} instructions, a program has at most "
                                       "{} and {}; larger buffers make fewer",
                                       tiles, instructions, kMaxTiles, kMaxInstructions)};
    return compiled;
  }

  // Memory: program, constants, tensors. The program's length does not depend on addresses.
  std::vector<ConstantsPlace> constants(plan.layers.size());
  EmitProgram(constants, plan);
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
        append(PackParameters(planned.layer, planned.mapping, design, requants[i]));
  }
  plan.memory_bytes =
      PlaceTensors(plan, RoundUp(static_cast<int64_t>(plan.constants.size()), 4096), keeps_tensors);
  EmitProgram(constants, plan);
  for (size_t i = 0; i < plan.program.size(); ++i) {
    const std::string problem = FieldProblem(plan.program[i]);
    if (!problem.empty()) {
      const auto in = std::ranges::find_if(
          plan.layers, [&](const PlannedLayer& planned) { return i < planned.end_instruction; });
      compiled.fit = {false,
                      fmt::format("graph {}, layer {}: {}", graph->name, in->layer.name, problem)};
      return compiled;
    }
    const EncodedInstruction bytes = Encode(plan.program[i]);
    std::copy(bytes.begin(), bytes.end(),
              plan.constants.begin() + static_cast<int64_t>(i * kInstructionBytes));
  }
  return compiled;
}

}  // namespace lichen::tile
