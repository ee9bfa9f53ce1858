// lichen simulate: how long a plan takes, cycle by cycle, and whether it computes the network.
#include "accel/common/plan_container.h"
#include "accel/tile/plan.h"
#include "accel/tile/simulate.h"
#include "apps/command.h"
#include "apps/fusion_family.h"
#include "apps/progress_line.h"
#include "engine/run_model.h"
#include "flow/model_input.h"
#include "image/reader.h"
#include "report/table.h"

namespace lichen {
namespace {

struct Options {
  std::string plan;
  std::string image;
  std::string memory = "ddr4";
  std::string values = "bricks";
};

// Whether every layer's output is the engine's.
struct Comparison {
  bool is_equal = true;
  std::string first_difference;
};

Result<Comparison> Compare(const tile::Plan& plan, const std::string& image,
                           const Threads& threads) {
  LICHEN_TRY(const Image picture, ReadImage(image));
  if (picture.info.height != plan.picture.h || picture.info.width != plan.picture.w) {
    return Fail("{}: is {}x{}, the plan is for {}x{}; compile it for this size", image,
                picture.info.height, picture.info.width, plan.picture.h, plan.picture.w);
  }
  LICHEN_TRY(Tensor<int32_t> input, PictureInput(plan.net, picture));
  LICHEN_TRY(const ModelRun<int32_t> run, RunModel(plan.net, std::move(input), {}, threads));
  const Tensor<int32_t>* first = run.Find(plan.input().name);
  if (!first) return Fail("the engine gives no tensor {}", plan.input().name);
  Comparison comparison;
  const auto compare = [&](const tile::PlannedLayer& layer, const Tensor<int32_t>& output) {
    const Tensor<int32_t>* expected = run.Find(plan.tensors[layer.output].name);
    const bool is_equal = expected && expected->shape() == output.shape() &&
                          std::ranges::equal(expected->span(), output.span());
    if (is_equal || !comparison.is_equal) return;
    comparison = {false, layer.layer.name};
  };
  LICHEN_TRY([[maybe_unused]] const Tensor<int32_t> output,
             tile::SimulateValues(plan, *first, compare));
  return comparison;
}

Result<Exit> RunSimulate(const Options& o, const CommonOptions& common) {
  if (o.memory != "ideal" && o.memory != "ddr4") {
    return FailUsage("--memory {}: must be ideal or ddr4", o.memory);
  }
  LICHEN_TRY(const std::string family, accel::PlanFamily(o.plan));
  if (family == "fusion") return SimulateFusion({o.plan, o.image, o.memory, o.values}, common);
  LICHEN_TRY(const tile::Plan plan, tile::LoadPlan(o.plan));
  LICHEN_TRY_VOID(InPlace(o.plan, tile::Verify(plan)));
  LICHEN_TRY(
      const tile::Trace trace,
      tile::SimulateTime(plan, o.memory == "ideal" ? tile::IdealMemory()
                                                   : tile::BoardMemory(plan.board, plan.design)));
  std::optional<Comparison> comparison;
  if (!o.image.empty()) {
    ProgressLine progress("computing");
    const Threads threads(common.threads);
    LICHEN_TRY(comparison, Compare(plan, o.image, threads));
  }
  if (common.json) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (const tile::LayerTrace& layer : trace.layers) {
      layers.push_back({{"name", layer.name},
                        {"tile", layer.tile},
                        {"cycles", layer.cycles},
                        {"bound", layer.bound},
                        {"macs", layer.macs},
                        {"dram_bytes", layer.dram_bytes}});
    }
    nlohmann::ordered_json json = {{"figures", "simulated"},
                                   {"memory", o.memory},
                                   {"layers", layers},
                                   {"cycles", trace.cycles},
                                   {"seconds", trace.seconds},
                                   {"utilization", trace.utilization},
                                   {"dram_bytes", trace.dram_bytes}};
    json["equal_to_engine"] =
        comparison ? nlohmann::ordered_json(comparison->is_equal) : nlohmann::ordered_json();
    PrintJson(json);
  } else {
    Table table{.header = {"layer", "tile", "cycles", "ms", "busy", "bound", "DRAM MB"},
                .rows = {}};
    for (const tile::LayerTrace& layer : trace.layers) {
      const double useful =
          static_cast<double>(layer.macs) /
          (static_cast<double>(layer.cycles) * static_cast<double>(plan.design.MacsPerCycle()));
      table.rows.push_back(
          {layer.name, layer.tile, fmt::format("{}", layer.cycles),
           fmt::format("{:.2f}", static_cast<double>(layer.cycles) / (plan.design.clock_mhz * 1e3)),
           fmt::format("{:.1f} %", 100 * useful), layer.bound,
           fmt::format("{:.1f}", static_cast<double>(layer.dram_bytes) / 1e6)});
    }
    PrintText(common, "{}simulated with {} memory: {:.2f} ms, {:.1f} % of the array's peak\n",
              ToText(table), o.memory, 1e3 * trace.seconds, 100 * trace.utilization);
    if (comparison && comparison->is_equal) {
      PrintText(common, "every layer equals the engine's\n");
    }
  }
  if (comparison && !comparison->is_equal) {
    PrintNote(fmt::format("layer {} differs from the engine's", comparison->first_difference));
    return Exit::kNo;
  }
  return Exit::kDone;
}

}  // namespace

void AddSimulateCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, invocation, "simulate",
      "Simulate a plan: its cycles with DRAM behind the ports, and whether its values are right",
      [options](const CommonOptions& common) { return RunSimulate(*options, common); });
  command->add_option("PLAN", options->plan, "What `lichen compile` wrote")->required();
  command
      ->add_option("--image", options->image, "Also compute this picture, and compare every layer")
      ->type_name("IN.png");
  command->add_option("--memory", options->memory, "ideal, or ddr4: the board's memory")
      ->capture_default_str();
  command
      ->add_option("--values", options->values,
                   "Fusion machine: bricks (every product from 2-bit products), or fast")
      ->capture_default_str();
}

}  // namespace lichen
