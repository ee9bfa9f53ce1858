// lichen verify: builds a bundle's RTL with Verilator and its HLS with g++, runs its network and compares every layer.
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "accel/common/plan_container.h"
#include "accel/tile/emit.h"
#include "accel/tile/emit_hls.h"
#include "accel/tile/simulate.h"
#include "apps/bundle_run.h"
#include "apps/bundle_tools.h"
#include "apps/command.h"
#include "apps/fusion_family.h"
#include "apps/mixq_export.h"
#include "apps/progress_line.h"
#include "apps/verify_hls.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/shell_quote.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string bundle;
  std::vector<std::string> images;
  uint64_t seed = 0;
  bool is_edited = false;
  std::string memory = "ideal";
};

// What a bundle holds.
struct Targets {
  bool has_rtl = false;
  bool has_hls = false;
};

Result<Targets> TargetsOf(const fs::path& folder, const std::vector<std::string>& files) {
  const Targets targets{.has_rtl = std::ranges::count(files, "rtl/tile_top.v") > 0,
                        .has_hls = std::ranges::count(files, tile::kHlsDesignName) > 0};
  if (!targets.has_rtl && !targets.has_hls) {
    return Fail("{}: holds neither RTL nor HLS", folder.string());
  }
  return targets;
}

Result<void> BuildModel(const fs::path& folder, const tile::Design& design) {
  std::vector<std::string> sources = tile::RtlSources();
  for (std::string& source : tile::PropertySources()) sources.push_back(std::move(source));
  for (const char* source : {"tb/bus_server.cc", "tb/tile_harness.cc", "tb/verify_main.cc"}) {
    sources.push_back(source);
  }
  return BuildWithVerilator(folder, "tile_engine", tile::EngineParameters(design), sources,
                            fmt::format("-DPORTS={}", design.dma_ports));
}

struct LayerResult {
  std::string name;
  std::string target;
  bool is_equal = false;
  int64_t rtl_cycles = 0;  // of the RTL alone, as what follows
  int64_t simulated_cycles = 0;
};

struct Outcome {
  std::vector<LayerResult> layers;
  int64_t rtl_cycles = 0;
  int64_t simulated_cycles = 0;
  bool is_equal = true;
};

Result<Outcome> RunOnRtl(const Options& o, const tile::Plan& plan, const BundleRun& bundle) {
  const fs::path folder = o.bundle;
  const fs::path in = folder / "build/memory_in.bin";
  const fs::path out = folder / "build/memory_out.bin";
  LICHEN_TRY_VOID(WriteFile(in, std::span<const uint8_t>(bundle.memory)));
  const tile::MemoryTiming timing =
      o.memory == "ideal" ? tile::IdealMemory() : tile::BoardMemory(plan.board, plan.design);
  LICHEN_TRY(const tile::Trace trace, tile::SimulateTime(plan, timing));
  // Far more than back-pressure costs: an engine that has stopped.
  const int64_t timeout = 20 * trace.cycles + 100'000;
  std::string line = fmt::format(
      "{} {} {} {} {} {} {} {} {}", ShellQuoted((folder / "build/verify").string()),
      ShellQuoted(in.string()), ShellQuoted(out.string()), timing.latency_cycles,
      timing.bytes_per_cycle, timing.outstanding_bursts, o.seed == 0 ? 0 : 30, o.seed, timeout);
  for (const tile::PlannedLayer& layer : plan.layers) {
    const tile::TensorPlace& t = plan.tensors[layer.output];
    line += fmt::format(" {} {}", t.address_bytes, t.address_bytes + t.height * t.row_stride_bytes);
  }
  const fs::path log = folder / "build/run.log";
  LICHEN_TRY_VOID(RunShell(line, log, "running the RTL"));
  LICHEN_TRY(const std::vector<uint8_t> text, ReadFile(log, 1 << 20));
  const auto brace = std::find(text.begin(), text.end(), uint8_t{'{'});
  const auto json = nlohmann::json::parse(brace, text.end(), nullptr, false);
  if (!json.is_object()) return Fail("the RTL's run gives no result: {}", log.string());
  if (json["breaches"] != 0 || json["errors"] != 0) {
    return Fail("the RTL broke rules of AXI or reports errors: {}", log.string());
  }
  LICHEN_TRY(const std::vector<uint8_t> after, ReadFile(out));
  Outcome outcome{.layers = {},
                  .rtl_cycles = json["cycles"],
                  .simulated_cycles = trace.cycles,
                  .is_equal = true};
  int64_t before = 0;
  int64_t simulated = 0;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    simulated += trace.layers[i].cycles;
    // Who writes a part of a tensor is counted with the next layer: the RTL shows the whole's end.
    if (!plan.layers[i].is_last_writer) continue;
    const int64_t end = json["last_writes"][i];
    LayerResult layer{.name = plan.layers[i].layer.name,
                      .target = "rtl",
                      .is_equal = bundle.IsEqual(plan, i, after),
                      .rtl_cycles = end - before,
                      .simulated_cycles = simulated};
    before = end;
    simulated = 0;
    outcome.is_equal = outcome.is_equal && layer.is_equal;
    outcome.layers.push_back(std::move(layer));
  }
  return outcome;
}

// The HLS part's layers behind those of the RTL.
Result<void> AddHls(const Options& o, const tile::Plan& plan, const BundleRun& bundle,
                    Outcome& outcome) {
  LICHEN_TRY(const std::vector<bool> equal, VerifyHls(o.bundle, plan, bundle));
  for (size_t i = 0; i < equal.size(); ++i) {
    outcome.layers.push_back(
        {.name = plan.layers[i].layer.name, .target = "hls", .is_equal = equal[i]});
    outcome.is_equal = outcome.is_equal && equal[i];
  }
  return {};
}

void PrintOutcome(const Options& o, const Targets& targets, const Outcome& outcome) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LayerResult& layer : outcome.layers) {
    nlohmann::ordered_json entry = {
        {"name", layer.name}, {"target", layer.target}, {"equal", layer.is_equal}};
    if (layer.target == "rtl") {
      entry["cycles_rtl"] = layer.rtl_cycles;
      entry["cycles_sim"] = layer.simulated_cycles;
    }
    layers.push_back(std::move(entry));
  }
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  if (targets.has_rtl) names.push_back("rtl");
  if (targets.has_hls) names.push_back("hls");
  nlohmann::ordered_json json = {
      {"targets", names}, {"layers", layers}, {"equal", outcome.is_equal}};
  if (targets.has_rtl) {
    json["cycles_rtl"] = outcome.rtl_cycles;
    json["cycles_sim"] = outcome.simulated_cycles;
    json["memory"] = o.memory;
  }
  json["seed"] = o.seed;
  PrintJson(json);
}

void PrintTables(const CommonOptions& common, const Targets& targets, const Outcome& outcome) {
  Table rtl{.header = {"layer", "equal", "cycles RTL", "cycles simulated", "difference"},
            .rows = {}};
  Table hls{.header = {"layer", "equal in C simulation of the HLS"}, .rows = {}};
  for (const LayerResult& layer : outcome.layers) {
    const std::string equal = layer.is_equal ? "yes" : "NO";
    if (layer.target == "hls") {
      hls.rows.push_back({layer.name, equal});
      continue;
    }
    rtl.rows.push_back(
        {layer.name, equal, fmt::format("{}", layer.rtl_cycles),
         fmt::format("{}", layer.simulated_cycles),
         fmt::format("{:+.2f} %", 100.0 * (static_cast<double>(layer.simulated_cycles) /
                                               static_cast<double>(layer.rtl_cycles) -
                                           1))});
  }
  if (targets.has_rtl) {
    PrintText(common, "{}RTL {} cycles, simulated {}\n", ToText(rtl), outcome.rtl_cycles,
              outcome.simulated_cycles);
  }
  if (targets.has_hls) PrintText(common, "{}", ToText(hls));
}

Result<Exit> RunVerify(const Options& o, const CommonOptions& common) {
  if (o.memory != "ideal" && o.memory != "ddr4") {
    return FailUsage("--memory {}: must be ideal or ddr4", o.memory);
  }
  const fs::path folder = o.bundle;
  if (IsMixqExport(folder)) {
    if (o.images.size() > 1) return FailUsage("--image: the C simulation of an export takes one");
    if (o.seed != 0 || o.memory != "ideal") {
      return FailUsage("--seed and --memory are for RTL; this export's C simulation has no bus");
    }
    return VerifyMixq(folder, o.images.empty() ? "" : o.images[0], o.is_edited, common);
  }
  // A bundle without a readable plan is the manifest's to name.
  if (const auto family = accel::PlanFamily(folder / accel::kPlanName);
      family && *family == "fusion") {
    return VerifyFusion({o.bundle, o.images, o.memory, o.seed, o.is_edited}, common);
  }
  if (o.images.size() > 1) return FailUsage("--image: a tile engine's bundle takes one");
  LICHEN_TRY(const std::vector<std::string> files, CheckManifest(folder, o.is_edited));
  LICHEN_TRY(const Targets targets, TargetsOf(folder, files));
  LICHEN_TRY(tile::Plan loaded, tile::LoadPlan(folder / accel::kPlanName));
  LICHEN_TRY(const tile::Plan plan, KeepTensors(std::move(loaded)));
  ProgressLine progress("computing");
  const Threads threads(common.threads);
  LICHEN_TRY(const BundleRun bundle,
             RunForBundle(plan, o.images.empty() ? "" : o.images[0], o.seed, threads));
  Outcome outcome;
  if (targets.has_rtl) {
    progress.Stage("building the RTL");
    LICHEN_TRY_VOID(BuildModel(folder, plan.design));
    progress.Stage("running the RTL");
    LICHEN_TRY(outcome, RunOnRtl(o, plan, bundle));
  }
  if (targets.has_hls) {
    progress.Stage("building and running the HLS");
    LICHEN_TRY_VOID(AddHls(o, plan, bundle, outcome));
  }
  if (common.json) {
    PrintOutcome(o, targets, outcome);
  } else {
    PrintTables(common, targets, outcome);
  }
  return outcome.is_equal ? Exit::kDone : Exit::kNo;
}

}  // namespace

void AddVerifyCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "verify",
                 "Build a bundle's RTL with Verilator and its HLS with g++, run its network and "
                 "compare every layer",
                 [options](const CommonOptions& common) { return RunVerify(*options, common); });
  command
      ->add_option("BUNDLE", options->bundle,
                   "What `lichen emit` or `lichen export --format mixq-hls` wrote")
      ->type_name("DIR")
      ->required();
  command
      ->add_option(
          "--image", options->images,
          "The picture (default: a rendered one); fusion machine: several, one after the other")
      ->type_name("IN.png");
  command->add_option("--seed", options->seed, "Hold every handshake back at random; 0: never")
      ->type_name("N");
  command->add_option("--memory", options->memory, "ideal, or ddr4: the board's memory")
      ->capture_default_str();
  command->add_flag("--edited", options->is_edited, "Take files that differ from what was emitted");
}

}  // namespace lichen
