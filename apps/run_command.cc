// lichen run: all graphs of a model on one picture or array.
#include "apps/command.h"
#include "apps/progress_line.h"
#include "engine/run_model.h"
#include "flow/model_input.h"
#include "image/reader.h"
#include "image/writer.h"
#include "kernels/cpu_target.h"
#include "net/model_file.h"
#include "report/table.h"

namespace lichen {
namespace {

struct Options {
  std::string model;
  std::string image;
  std::string input;
  std::string dump;
  std::string output;
  bool no_round = false;
  bool reference = false;
};

// What the model is run on.
struct Source {
  Image image;     // of --image
  NpyArray array;  // of --input
  bool is_image = false;

  bool HasBatchAxis() const { return !is_image && array.shape.size() == 4; }
};

Result<Source> ReadSource(const Options& options) {
  Source source;
  source.is_image = !options.image.empty();
  if (source.is_image == !options.input.empty()) {
    return FailUsage("run needs either --image or --input");
  }
  if (source.is_image) {
    LICHEN_TRY(source.image, ReadImage(options.image));
  } else {
    LICHEN_TRY(source.array, ReadNpy(options.input));
  }
  return source;
}

template <class Net>
auto InputOf(const Net& net, const Options& options, const Source& source) {
  return source.is_image ? InPlace(options.image, PictureInput(net, source.image))
                         : InPlace(options.input, ArrayInput(net, source.array));
}

nlohmann::ordered_json ShapeJson(const Shape& s) { return {s.n, s.h, s.w, s.c}; }

std::string ShapeText(const Shape& s) {
  return fmt::format("{}{}x{}x{}", s.n > 1 ? fmt::format("{}x", s.n) : "", s.h, s.w, s.c);
}

void Print(const Options& options, const std::vector<LayerRecord>& layers,
           const CommonOptions& common) {
  double total = 0;
  for (const LayerRecord& layer : layers) total += 1e3 * layer.seconds;
  if (common.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const LayerRecord& layer : layers) {
      list.push_back({{"graph", layer.graph},
                      {"name", layer.name},
                      {"op", layer.op},
                      {"input_shape", ShapeJson(layer.input)},
                      {"output_shape", ShapeJson(layer.output)},
                      {"milliseconds", 1e3 * layer.seconds}});
    }
    PrintJson({{"model", options.model},
               {"cpu_target", ActiveCpuTarget()},
               {"shape_order", "nhwc"},
               {"layers", list},
               {"milliseconds", total}});
    return;
  }
  Table table{.header = {"graph", "layer", "op", "input hwc", "output hwc", "ms"}, .rows = {}};
  for (const LayerRecord& layer : layers) {
    table.rows.push_back({layer.graph, layer.name, layer.op.empty() ? "-" : layer.op,
                          ShapeText(layer.input), ShapeText(layer.output),
                          fmt::format("{:.3f}", 1e3 * layer.seconds)});
  }
  PrintText(common, "{}total {:.3f} ms on {}\n", ToText(table), total, ActiveCpuTarget());
}

// Writes every activation as dump/<name>.npy.
template <class T>
Result<void> Dump(const ModelRun<T>& run, const std::string& folder, bool batch_axis) {
  for (const auto& [name, tensor] : run.tensors) {
    const auto path = std::filesystem::path(folder) / (name + ".npy");
    LICHEN_TRY_VOID(WriteNpy(path, ToNpy(tensor, batch_axis)));
  }
  return {};
}

template <class Net>
Result<Exit> RunNet(const Net& net, const Options& options, const CommonOptions& common) {
  LICHEN_TRY(const Source source, ReadSource(options));
  LICHEN_TRY(auto input, InputOf(net, options, source));
  const Size2 size = source.is_image ? Size2{source.image.info.height, source.image.info.width}
                                     : Size2{input.shape().h, input.shape().w};
  if (!options.output.empty() && !net.Find("synthesis")) {
    return FailUsage(
        "{}: makes no picture (no graph 'synthesis'), so --output has nothing to "
        "write; use --dump",
        options.model);
  }
  const Threads threads(common.threads);
  ProgressLine progress("running");
  LICHEN_TRY(const auto run, InPlace(options.model, RunModel(net, std::move(input),
                                                             {.round_latents = !options.no_round,
                                                              .reference = options.reference},
                                                             threads)));
  if (!options.dump.empty()) {
    progress.Stage("writing activations");
    LICHEN_TRY_VOID(Dump(run, options.dump, source.HasBatchAxis()));
  }
  if (!options.output.empty()) {
    const int bit_depth = source.is_image ? source.image.info.bit_depth : 8;
    LICHEN_TRY(Image picture,
               InPlace(options.model, OutputPicture(net, *run.Find(run.result), size, bit_depth)));
    picture.info.metadata = source.image.info.metadata;
    LICHEN_TRY_VOID(WriteImage(options.output, picture));
  }
  Print(options, run.layers, common);
  return Exit::kDone;
}

Result<Exit> RunRun(const Options& options, const CommonOptions& common) {
  LICHEN_TRY(const Model model, LoadModel(options.model));
  return std::visit([&](const auto& net) { return RunNet(net, options, common); }, model);
}

}  // namespace

void AddRunCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, invocation, "run", "Run all graphs of a model and show what every layer gives and takes",
      [options](const CommonOptions& common) { return RunRun(*options, common); });
  command->add_option("MODEL", options->model, "A .lichen model")->required();
  command->add_option("--image", options->image, "The picture to run it on")->type_name("FILE");
  command->add_option("--input", options->input, "The array to run it on, CHW or NCHW")
      ->type_name("X.npy");
  command->add_option("--dump", options->dump, "Write every activation as DIR/<name>.npy")
      ->type_name("DIR");
  command->add_option("--output", options->output, "Write the picture that the synthesis makes")
      ->type_name("FILE");
  command->add_flag("--no-round", options->no_round, "Feed the synthesis with unrounded latents");
  command->add_flag("--reference", options->reference, "Use the reference kernels (slow)");
}

}  // namespace lichen
