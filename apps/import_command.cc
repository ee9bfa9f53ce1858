// lichen import: a network that another project trained -> a .lichen model.
#include "apps/command.h"
#include "base/hash.h"
#include "net/identity.h"
#include "net/importer.h"
#include "net/model_file.h"
#include "report/table.h"

namespace lichen {
namespace {

struct Options {
  std::string source;
  std::string input;
  std::string output;
  std::string bits;
  bool list = false;
};

Exit ListSources(const CommonOptions& common) {
  Table table{.header = {"source", "reads", "what", "options"}, .rows = {}};
  nlohmann::ordered_json sources = nlohmann::ordered_json::array();
  for (const ImportSource& source : ImportSources()) {
    table.rows.push_back({std::string(source.name), std::string(source.path),
                          std::string(source.description), std::string(source.options)});
    sources.push_back({{"name", source.name},
                       {"path", source.path},
                       {"description", source.description},
                       {"options", source.options}});
  }
  if (common.json) {
    PrintJson({{"sources", sources}});
  } else {
    PrintText(common, "{}", ToText(table));
  }
  return Exit::kDone;
}

template <class Net>
int64_t WeightCount(const Net& net) {
  int64_t count = 0;
  for (const auto& graph : net.graphs) {
    for (const auto& node : graph.nodes) count += static_cast<int64_t>(node.params.weights.size());
  }
  return count;
}

Result<Exit> RunImport(const Options& options, const CommonOptions& common) {
  if (options.list) return ListSources(common);
  if (options.source.empty() || options.input.empty() || options.output.empty()) {
    return FailUsage(
        "import needs SOURCE IN -o OUT.lichen; `lichen import --list` lists the "
        "sources");
  }
  ImportOptions import_options;
  if (!options.bits.empty()) import_options["bits"] = options.bits;
  LICHEN_TRY(const Model model, Import(options.source, options.input, import_options));
  LICHEN_TRY_VOID(SaveModel(options.output, model));
  const auto* net = std::get_if<IntNet>(&model);
  const int64_t weights = std::visit([](const auto& n) { return WeightCount(n); }, model);
  const std::string identity = net ? ToHex(ModelIdentity(*net)) : "";
  if (common.json) {
    nlohmann::ordered_json json = {{"source", options.source},
                                   {"input", options.input},
                                   {"output", options.output},
                                   {"kind", net ? "int_net" : "float_net"},
                                   {"weights", weights}};
    if (net) json["identity"] = identity;
    PrintJson(json);
    return Exit::kDone;
  }
  PrintText(common, "{}: {} network with {} weights{}\n", options.output, net ? "integer" : "float",
            weights, net ? ", identity " + identity.substr(0, 16) : std::string());
  return Exit::kDone;
}

}  // namespace

void AddImportCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "import", "Turn a network trained elsewhere into a .lichen model",
                 [options](const CommonOptions& common) { return RunImport(*options, common); });
  command->add_option("SOURCE", options->source, "What made the network; see --list");
  command->add_option("IN", options->input, "File or folder of the network");
  command->add_option("-o,--output", options->output, "The model to write")
      ->type_name("OUT.lichen");
  command
      ->add_option("--bits", options->bits,
                   "Weight widths of the layers, where the source does not tell (ultranet-qbin)")
      ->type_name("LIST");
  command->add_flag("--list", options->list, "List the sources");
}

}  // namespace lichen
