// lichen export: a .lichen model -> a network in another project's format.
#include <algorithm>

#include "apps/command.h"
#include "apps/mixq_export.h"
#include "base/hash.h"
#include "net/exporter.h"
#include "net/identity.h"
#include "net/model_file.h"
#include "report/table.h"

namespace lichen {
namespace {

struct Options {
  std::string model;
  std::string format;
  std::string output;
  std::string simd_pe;
  std::string size;
  std::string image;
  bool list = false;
};

Exit ListFormats(const CommonOptions& common) {
  Table table{.header = {"format", "writes", "what"}, .rows = {}};
  nlohmann::ordered_json formats = nlohmann::ordered_json::array();
  std::vector<ExportFormat> all(ExportFormats().begin(), ExportFormats().end());
  all.push_back({kMixqFormat, "folder with config.h, weights.hpp, C++ operators",
                 "an integer CNN for HLS, in the shape of DeepBurning-MixQ's", nullptr});
  for (const ExportFormat& format : all) {
    table.rows.push_back(
        {std::string(format.name), std::string(format.path), std::string(format.description)});
    formats.push_back(
        {{"name", format.name}, {"path", format.path}, {"description", format.description}});
  }
  if (common.json) {
    PrintJson({{"formats", formats}});
  } else {
    PrintText(common, "{}", ToText(table));
  }
  return Exit::kDone;
}

Result<Exit> RunExport(const Options& options, const CommonOptions& common) {
  if (options.list) return ListFormats(common);
  if (options.model.empty() || options.format.empty() || options.output.empty()) {
    return FailUsage(
        "export needs MODEL --format NAME -o OUT; `lichen export --list` lists the formats");
  }
  if (options.format == kMixqFormat) {
    return ExportMixq({options.model, options.output, options.simd_pe, options.size, options.image},
                      common);
  }
  const std::span<const ExportFormat> formats = ExportFormats();
  if (std::ranges::find(formats, options.format, &ExportFormat::name) == formats.end()) {
    return FailUsage("unknown format '{}'; `lichen export --list` lists the formats",
                     options.format);
  }
  if (!options.simd_pe.empty() || !options.size.empty() || !options.image.empty()) {
    return FailUsage("--simd-pe, --size and --image belong to --format {}", kMixqFormat);
  }
  LICHEN_TRY(const Model model, LoadModel(options.model));
  LICHEN_TRY_VOID(InPlace(options.model, Export(options.format, model, options.output)));
  const auto* net = std::get_if<IntNet>(&model);
  const std::string identity = net ? ToHex(ModelIdentity(*net)) : "";
  if (common.json) {
    nlohmann::ordered_json json = {{"model", options.model},
                                   {"format", options.format},
                                   {"output", options.output},
                                   {"kind", net ? "int_net" : "float_net"}};
    if (net) json["identity"] = identity;
    PrintJson(json);
    return Exit::kDone;
  }
  PrintText(common, "{}: {} network for {}{}\n", options.output, net ? "integer" : "float",
            options.format, net ? ", identity " + identity.substr(0, 16) : std::string());
  return Exit::kDone;
}

}  // namespace

void AddExportCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "export", "Write a .lichen model in another project's format",
                 [options](const CommonOptions& common) { return RunExport(*options, common); });
  command->add_option("MODEL", options->model, "The .lichen model");
  command->add_option("--format", options->format, "The format; see --list")->type_name("NAME");
  command->add_option("-o,--output", options->output, "File or folder to write")->type_name("OUT");
  command->add_option("--simd-pe", options->simd_pe, "mixq-hls: simd and pe of every layer")
      ->type_name("FILE.toml");
  command
      ->add_option("--size", options->size,
                   "mixq-hls: the picture's size, where the model states none")
      ->type_name("HxW");
  command
      ->add_option("--image", options->image,
                   "mixq-hls: the picture of its C simulation (default: a rendered one)")
      ->type_name("IN.png");
  command->add_flag("--list", options->list, "List the formats");
}

}  // namespace lichen
