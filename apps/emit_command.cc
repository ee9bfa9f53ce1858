// lichen emit: a plan -> a folder with everything to simulate and build its engine.
#include <algorithm>
#include <iterator>

#include "accel/common/plan_container.h"
#include "accel/tile/emit.h"
#include "accel/tile/emit_hls.h"
#include "apps/bundle_run.h"
#include "apps/bundle_tools.h"
#include "apps/command.h"
#include "apps/fusion_family.h"
#include "apps/progress_line.h"
#include "apps/synthesise.h"

namespace lichen {
namespace {

struct Options {
  std::string plan;
  std::string output;
  std::string target = "rtl";
  bool is_synthesised = false;
};

void Append(std::vector<tile::BundleFile> more, std::vector<tile::BundleFile>& files) {
  std::ranges::move(more, std::back_inserter(files));
}

// Vectors of a rendered picture.
Result<std::vector<tile::BundleFile>> Vectors(tile::Plan given, const CommonOptions& common) {
  ProgressLine progress("computing the vectors");
  LICHEN_TRY(const tile::Plan plan, KeepTensors(std::move(given)));
  const Threads threads(common.threads);
  LICHEN_TRY(const BundleRun bundle, RunForBundle(plan, "", 0, threads));
  return tile::HlsVectors(plan, bundle.memory, bundle.outputs);
}

Result<Exit> RunEmit(const Options& o, const CommonOptions& common) {
  if (o.target != "rtl" && o.target != "hls" && o.target != "all") {
    return FailUsage("--target {}: there are rtl, hls and all", o.target);
  }
  LICHEN_TRY(const std::string family, accel::PlanFamily(o.plan));
  if (family == "fusion") {
    if (o.target != "rtl" || o.is_synthesised) {
      return FailUsage("a fusion machine's bundle has rtl alone; its synth.ys is Yosys' script");
    }
    return EmitFusion(o.plan, o.output, common);
  }
  LICHEN_TRY(tile::Plan plan, tile::LoadPlan(o.plan));
  LICHEN_TRY_VOID(InPlace(o.plan, tile::Verify(plan)));
  if (o.is_synthesised && o.target == "hls") return FailUsage("--synth needs the RTL's target");
  const tile::Design design = plan.design;
  const Board board = plan.board;
  std::vector<tile::BundleFile> files;
  if (o.target != "hls") Append(tile::EmitRtl(plan), files);
  if (o.target != "rtl") {
    Append(tile::EmitHls(plan), files);
    LICHEN_TRY(std::vector<tile::BundleFile> vectors, Vectors(std::move(plan), common));
    Append(std::move(vectors), files);
  }
  LICHEN_TRY(nlohmann::ordered_json json,
             WritePlanBundle(o.plan, o.output, std::move(files), common));
  if (o.is_synthesised) {
    LICHEN_TRY(const tile::SynthesisReport report, Synthesise(o.output, design, common));
    json["synthesis"] = nlohmann::ordered_json::parse(tile::ToJson(report, design));
    PrintText(common, "{}", ToText(report, board));
  }
  if (common.json) PrintJson(json);
  return Exit::kDone;
}

}  // namespace

void AddEmitCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "emit",
                 "Write the engine of a plan: RTL or HLS, memory image, testbench, scripts",
                 [options](const CommonOptions& common) { return RunEmit(*options, common); });
  command->add_option("PLAN", options->plan, "What `lichen compile` wrote")->required();
  command->add_option("-o,--output", options->output, "The folder to write")
      ->type_name("DIR")
      ->required();
  command->add_option("--target", options->target, "rtl, hls (C++ for Vitis HLS) or all")
      ->capture_default_str();
  command->add_flag("--synth", options->is_synthesised,
                    "Synthesise every block with Yosys and compare with the estimate");
}

}  // namespace lichen
