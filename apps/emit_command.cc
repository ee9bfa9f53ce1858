// lichen emit: a plan -> a folder with everything to simulate and build its engine.
#include "accel/common/plan_container.h"
#include "accel/tile/emit.h"
#include "apps/command.h"
#include "apps/fusion_family.h"
#include "base/files.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string plan;
  std::string output;
  std::string target = "rtl";
};

Result<Exit> RunEmit(const Options& o, const CommonOptions& common) {
  if (o.target != "rtl") return FailUsage("--target {}: there is rtl", o.target);
  LICHEN_TRY(const std::string family, accel::PlanFamily(o.plan));
  if (family == "fusion") return EmitFusion(o.plan, o.output, common);
  LICHEN_TRY(const tile::Plan plan, tile::LoadPlan(o.plan));
  LICHEN_TRY_VOID(InPlace(o.plan, tile::Verify(plan)));
  std::vector<tile::BundleFile> files = tile::EmitRtl(plan);
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(o.plan));
  files.push_back({tile::kPlanName, std::move(bytes)});
  files.push_back(tile::MakeManifest(files));
  uint64_t total = 0;
  for (const tile::BundleFile& file : files) {
    LICHEN_TRY_VOID(
        WriteFile(fs::path(o.output) / file.path, std::span<const uint8_t>(file.bytes)));
    total += file.bytes.size();
  }
  if (common.json) {
    nlohmann::ordered_json names = nlohmann::ordered_json::array();
    for (const tile::BundleFile& file : files) names.push_back(file.path);
    PrintJson({{"output", o.output}, {"files", names}, {"bytes", total}});
  } else {
    PrintText(common, "{}: {} files, {} bytes\n", o.output, files.size(), total);
  }
  return Exit::kDone;
}

}  // namespace

void AddEmitCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, invocation, "emit", "Write the engine of a plan: RTL, memory image, testbench, scripts",
      [options](const CommonOptions& common) { return RunEmit(*options, common); });
  command->add_option("PLAN", options->plan, "What `lichen compile` wrote")->required();
  command->add_option("-o,--output", options->output, "The folder to write")
      ->type_name("DIR")
      ->required();
  command->add_option("--target", options->target, "rtl")->capture_default_str();
}

}  // namespace lichen
