// lichen compile: a network, a design and a picture size -> a plan.
#include "accel/tile/estimate.h"
#include "accel/tile/plan.h"
#include "apps/command.h"
#include "apps/fusion_family.h"
#include "apps/model_choice.h"
#include "report/table.h"

namespace lichen {
namespace {

struct Options {
  std::string model;
  std::string family = "tile";
  std::string design;
  std::string board = "zcu102";
  std::string size;
  std::string graph;  // empty: that of the family
  std::string output;
};

nlohmann::ordered_json ToJson(const Resources& r) {
  return {{"dsp", r.dsp}, {"bram36", r.bram36}, {"uram", r.uram}, {"lut", r.lut}, {"ff", r.ff}};
}

void Print(const tile::Plan& plan, const Options& o, const CommonOptions& common) {
  const tile::Estimate estimate = EstimatePlan(plan);
  const double seconds = static_cast<double>(estimate.cycles) / (plan.design.clock_mhz * 1e6);
  if (common.json) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (size_t i = 0; i < estimate.layers.size(); ++i) {
      const tile::LayerEstimate& layer = estimate.layers[i];
      const tile::Mapping& m = plan.layers[i].mapping;
      layers.push_back({{"name", layer.name},
                        {"tile", {{"rows", m.tile_rows}, {"columns", m.tile_columns}}},
                        {"is_folded", m.is_folded},
                        {"weight_blocks", m.blocks.size()},
                        {"order", m.order == tile::LoopOrder::kTiles ? "tiles" : "blocks"},
                        {"cycles", layer.cycles},
                        {"bound", layer.bound},
                        {"macs", layer.macs},
                        {"dram_bytes", layer.dram_bytes}});
    }
    PrintJson({{"fits", true},
               {"plan", o.output},
               {"figures", "estimated"},
               {"layers", layers},
               {"cycles", estimate.cycles},
               {"seconds", seconds},
               {"dram_bytes", estimate.dram_bytes},
               {"energy_mj", estimate.energy_mj},
               {"instructions", plan.program.size()},
               {"memory_bytes", plan.memory_bytes},
               {"resources", ToJson(estimate.resources)}});
    return;
  }
  Table table{.header = {"layer", "tile", "cycles", "ms", "bound", "MMAC", "DRAM MB"}, .rows = {}};
  for (size_t i = 0; i < estimate.layers.size(); ++i) {
    const tile::LayerEstimate& layer = estimate.layers[i];
    const tile::Mapping& m = plan.layers[i].mapping;
    table.rows.push_back(
        {layer.name, fmt::format("{}x{}", m.tile_rows, m.tile_columns),
         fmt::format("{}", layer.cycles),
         fmt::format("{:.2f}", static_cast<double>(layer.cycles) / (plan.design.clock_mhz * 1e3)),
         layer.bound, fmt::format("{:.0f}", static_cast<double>(layer.macs) / 1e6),
         fmt::format("{:.1f}", static_cast<double>(layer.dram_bytes) / 1e6)});
  }
  const Resources& r = estimate.resources;
  PrintText(common,
            "{}estimated: {:.2f} ms, {:.1f} MB of DRAM traffic, {:.1f} mJ; DSP {}, BRAM36 {}, LUT "
            "{}, FF {}\n",
            ToText(table), 1e3 * seconds, static_cast<double>(estimate.dram_bytes) / 1e6,
            estimate.energy_mj, r.dsp, r.bram36, r.lut, r.ff);
  if (!o.output.empty()) {
    PrintText(common, "{}: {} instructions, {:.1f} MB of memory\n", o.output, plan.program.size(),
              static_cast<double>(plan.memory_bytes) / 1e6);
  }
}

Result<Exit> RunCompile(const Options& o, const CommonOptions& common) {
  if (o.family == "fusion") {
    return CompileFusion(
        {o.model, o.design, o.board, o.size, o.graph.empty() ? "main" : o.graph, o.output}, common);
  }
  if (o.family != "tile") {
    return FailUsage("--family {}: there are 'tile' and 'fusion'", o.family);
  }
  LICHEN_TRY(const tile::Design design, tile::LoadDesign(o.design));
  LICHEN_TRY(const Board board, LoadBoard(o.board));
  LICHEN_TRY(IntNet net, LoadIntNet(o.model));
  LICHEN_TRY(const Size2 size, PictureSize(o.size, net, o.model));
  const std::string first = net.Find("analysis") ? "analysis" : "main";
  LICHEN_TRY(const tile::Compiled compiled,
             InPlace(o.model, tile::Compile(std::move(net), o.graph.empty() ? first : o.graph,
                                            design, board, size)));
  if (!compiled.fit.ok) {
    if (common.json) PrintJson({{"fits", false}, {"reason", compiled.fit.reason}});
    PrintNote(fmt::format("{} does not fit: {}", o.design, compiled.fit.reason));
    return Exit::kNo;
  }
  LICHEN_TRY_VOID(tile::Verify(compiled.plan));
  if (!o.output.empty()) LICHEN_TRY_VOID(tile::SavePlan(o.output, compiled.plan));
  Print(compiled.plan, o, common);
  return Exit::kDone;
}

}  // namespace

void AddCompileCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "compile",
                 "Compile a network for an accelerator design, picture size and board",
                 [options](const CommonOptions& common) { return RunCompile(*options, common); });
  command->add_option("MODEL", options->model, "An integer .lichen model")->required();
  command->add_option("--family", options->family, "Hardware family: tile or fusion")
      ->capture_default_str();
  command->add_option("--design", options->design, "The design")->type_name("D.toml")->required();
  command
      ->add_option("--board", options->board,
                   fmt::format("{}, or a file", fmt::join(BoardNames(), ", ")))
      ->capture_default_str();
  command
      ->add_option("--size", options->size, "The pictures' size (default: what the model states)")
      ->type_name("HEIGHTxWIDTH");
  command->add_option(
      "--graph", options->graph,
      "analysis, synthesis or main (default: analysis, where there is none main; fusion: main)");
  command->add_option("-o,--output", options->output, "The plan to write")->type_name("P.plan");
}

}  // namespace lichen
