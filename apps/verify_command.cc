// lichen verify: builds a bundle's RTL with Verilator, runs its network and compares every layer.
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "accel/common/plan_container.h"
#include "accel/tile/emit.h"
#include "accel/tile/simulate.h"
#include "apps/command.h"
#include "apps/fusion_family.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/shell_quote.h"
#include "engine/run_model.h"
#include "flow/model_input.h"
#include "image/reader.h"
#include "image/synthetic.h"
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

// Runs a shell line; its output goes to `log`.
Result<void> Shell(const std::string& line, const fs::path& log, std::string_view what) {
  const int status =
      std::system(fmt::format("{{ {}; }} >{} 2>&1", line, ShellQuoted(log.string())).c_str());
  if (status == 0) return {};
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(log, uint64_t{1} << 26));
  const std::string text(bytes.begin(), bytes.end());
  return Fail("{} failed; the end of {}:\n{}", what, log.string(),
              text.substr(text.size() - std::min<size_t>(text.size(), 1500)));
}

// Every file must be as it was emitted, unless `is_edited`.
Result<void> CheckManifest(const fs::path& folder, bool is_edited) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(folder / tile::kManifestName, 1 << 22));
  const auto manifest = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_object()) {
    return Fail("{}: is damaged; emit the bundle again", (folder / tile::kManifestName).string());
  }
  if (is_edited) return {};
  for (const auto& [name, hash] : manifest["files"].items()) {
    const fs::path relative(name);
    if (relative.is_absolute() || name.find("..") != name.npos) {
      return Fail("{}: names a file outside of the bundle", folder.string());
    }
    LICHEN_TRY(const std::vector<uint8_t> content, ReadFile(folder / relative));
    Sha256 sha;
    sha.Update(std::span<const uint8_t>(content));
    if (!hash.is_string() || ToHex(sha.Finish()) != hash.get<std::string>()) {
      return Fail("{}: was edited; emit the bundle again, or verify it as it is with --edited",
                  (folder / relative).string());
    }
  }
  return {};
}

Result<void> BuildModel(const fs::path& folder, const tile::Design& design) {
  if (std::system("command -v verilator >/dev/null 2>&1") != 0) {
    return Fail("verilator is not installed (Debian: apt-get install verilator)");
  }
  std::string line =
      fmt::format("cd {} && verilator --cc --exe --build -j 2 --assert -O3 -Wno-fatal ",
                  ShellQuoted(folder.string()));
  line += "--top-module tile_engine --prefix Vtile_engine -Mdir build -o verify ";
  for (const std::string& p : tile::EngineParameters(design)) line += p + " ";
  line +=
      fmt::format("-MAKEFLAGS OPT_FAST=-O2 -CFLAGS '-std=c++20 -O2 -DPORTS={}' ", design.dma_ports);
  for (const std::string& source : tile::RtlSources()) line += source + " ";
  for (const std::string& source : tile::PropertySources()) line += source + " ";
  line += "tb/bus_server.cc tb/tile_harness.cc tb/verify_main.cc";
  std::error_code error;
  fs::create_directories(folder / "build", error);
  return Shell(line, folder / "build/verilator.log", "building the RTL with Verilator");
}

struct LayerResult {
  std::string name;
  bool is_equal = false;
  int64_t rtl_cycles = 0;
  int64_t simulated_cycles = 0;
};

struct Outcome {
  std::vector<LayerResult> layers;
  int64_t rtl_cycles = 0;
  int64_t simulated_cycles = 0;
  bool is_equal = true;
};

Result<Outcome> RunModelOnRtl(const Options& o, const tile::Plan& plan, const Threads& threads) {
  const fs::path folder = o.bundle;
  Image picture;
  if (o.images.empty()) {
    picture = RenderTestPicture(plan.picture.h, plan.picture.w, o.seed + 1);
  } else {
    LICHEN_TRY(picture, ReadImage(o.images[0]));
    if (picture.info.height != plan.picture.h || picture.info.width != plan.picture.w) {
      return Fail("{}: is {}x{}, the bundle is for {}x{}", o.images[0], picture.info.height,
                  picture.info.width, plan.picture.h, plan.picture.w);
    }
  }
  LICHEN_TRY(Tensor<int32_t> input, PictureInput(plan.net, picture));
  LICHEN_TRY(const ModelRun<int32_t> run, RunModel(plan.net, std::move(input), {}, threads));
  const Tensor<int32_t>* first = run.Find(plan.input().name);
  if (!first) return Fail("the engine gives no tensor {}", plan.input().name);
  LICHEN_TRY(const std::vector<uint8_t> memory, tile::MakeMemory(plan, *first));
  const fs::path in = folder / "build/memory_in.bin";
  const fs::path out = folder / "build/memory_out.bin";
  LICHEN_TRY_VOID(WriteFile(in, std::span<const uint8_t>(memory)));
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
  LICHEN_TRY_VOID(Shell(line, log, "running the RTL"));
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
    const Tensor<int32_t>* expected = run.Find(plan.tensors[plan.layers[i].output].name);
    const Tensor<int32_t> got = tile::ReadTensor(plan.tensors[plan.layers[i].output], after);
    const int64_t end = json["last_writes"][i];
    LayerResult layer{.name = plan.layers[i].layer.name,
                      .is_equal = expected && expected->shape() == got.shape() &&
                                  std::ranges::equal(expected->span(), got.span()),
                      .rtl_cycles = end - before,
                      .simulated_cycles = simulated};
    before = end;
    simulated = 0;
    outcome.is_equal = outcome.is_equal && layer.is_equal;
    outcome.layers.push_back(std::move(layer));
  }
  return outcome;
}

Result<Exit> RunVerify(const Options& o, const CommonOptions& common) {
  if (o.memory != "ideal" && o.memory != "ddr4") {
    return FailUsage("--memory {}: must be ideal or ddr4", o.memory);
  }
  const fs::path folder = o.bundle;
  // A bundle without a readable plan is the manifest's to name.
  if (const auto family = accel::PlanFamily(folder / tile::kPlanName);
      family && *family == "fusion") {
    return VerifyFusion({o.bundle, o.images, o.memory, o.seed, o.is_edited}, common);
  }
  if (o.images.size() > 1) return FailUsage("--image: a tile engine's bundle takes one");
  LICHEN_TRY_VOID(CheckManifest(folder, o.is_edited));
  LICHEN_TRY(tile::Plan loaded, tile::LoadPlan(folder / tile::kPlanName));
  // All layers' outputs have to be there at the end.
  LICHEN_TRY(const tile::Compiled compiled,
             tile::Compile(std::move(loaded.net), loaded.graph, loaded.design, loaded.board,
                           loaded.picture, true));
  const tile::Plan& plan = compiled.plan;
  LICHEN_TRY_VOID(tile::Verify(plan));
  ProgressLine progress("building the RTL");
  LICHEN_TRY_VOID(BuildModel(folder, plan.design));
  progress.Stage("running the RTL");
  const Threads threads(common.threads);
  LICHEN_TRY(const Outcome outcome, RunModelOnRtl(o, plan, threads));
  if (common.json) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (const LayerResult& layer : outcome.layers) {
      layers.push_back({{"name", layer.name},
                        {"equal", layer.is_equal},
                        {"cycles_rtl", layer.rtl_cycles},
                        {"cycles_sim", layer.simulated_cycles}});
    }
    PrintJson({{"layers", layers},
               {"equal", outcome.is_equal},
               {"cycles_rtl", outcome.rtl_cycles},
               {"cycles_sim", outcome.simulated_cycles},
               {"memory", o.memory},
               {"seed", o.seed}});
  } else {
    Table table{.header = {"layer", "equal", "cycles RTL", "cycles simulated", "difference"},
                .rows = {}};
    for (const LayerResult& layer : outcome.layers) {
      table.rows.push_back(
          {layer.name, layer.is_equal ? "yes" : "NO", fmt::format("{}", layer.rtl_cycles),
           fmt::format("{}", layer.simulated_cycles),
           fmt::format("{:+.2f} %", 100.0 * (static_cast<double>(layer.simulated_cycles) /
                                                 static_cast<double>(layer.rtl_cycles) -
                                             1))});
    }
    PrintText(common, "{}RTL {} cycles, simulated {}\n", ToText(table), outcome.rtl_cycles,
              outcome.simulated_cycles);
  }
  return outcome.is_equal ? Exit::kDone : Exit::kNo;
}

}  // namespace

void AddVerifyCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, invocation, "verify",
      "Build a bundle's RTL with Verilator, run its network on it and compare every layer",
      [options](const CommonOptions& common) { return RunVerify(*options, common); });
  command->add_option("BUNDLE", options->bundle, "What `lichen emit` wrote")
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
