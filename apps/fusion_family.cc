#include "apps/fusion_family.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "accel/fusion/emit.h"
#include "accel/fusion/estimate.h"
#include "accel/fusion/simulate.h"
#include "accel/fusion/simulate_time.h"
#include "apps/bundle_tools.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "base/shell_quote.h"
#include "engine/run_model.h"
#include "flow/model_input.h"
#include "image/reader.h"
#include "image/synthetic.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

constexpr int kStallPercent = 30;

nlohmann::ordered_json ToJson(const Resources& r) {
  return {{"dsp", r.dsp}, {"bram36", r.bram36}, {"uram", r.uram}, {"lut", r.lut}, {"ff", r.ff}};
}

double Milliseconds(int64_t cycles, const fusion::Design& design) {
  return static_cast<double>(cycles) / (design.clock_mhz * 1e3);
}

std::string MappingText(const fusion::Mapping& m) {
  return fmt::format("{} {}, fold {}, {} steps", m.groups,
                     m.kind == fusion::GroupKind::kWindows ? "windows" : "channels", m.fold,
                     m.steps);
}

Result<accel::AxiTiming> TimingOf(const std::string& memory, const fusion::Plan& plan) {
  if (memory == "ideal") return fusion::IdealMemory();
  if (memory == "ddr4") return fusion::BoardMemory(plan.board, plan.design);
  return FailUsage("--memory {}: must be ideal or ddr4", memory);
}

// The engine's activations for a picture, and the machine's input among them.
struct Expected {
  ModelRun<int32_t> run;
  const Tensor<int32_t>* input = nullptr;
};
Result<Expected> RunEngine(const fusion::Plan& plan, const Image& picture, const Threads& threads) {
  Expected expected;
  LICHEN_TRY(Tensor<int32_t> input, PictureInput(plan.net, picture));
  LICHEN_TRY(expected.run, RunModel(plan.net, std::move(input), {}, threads));
  expected.input = expected.run.Find(plan.input().name);
  if (!expected.input) return Fail("the engine gives no tensor {}", plan.input().name);
  return expected;
}

bool IsEqual(const Tensor<int32_t>* expected, const Tensor<int32_t>& got) {
  return expected && expected->shape() == got.shape() &&
         std::ranges::equal(expected->span(), got.span());
}

void PrintPlan(const fusion::Plan& plan, const FusionCompileOptions& o,
               const CommonOptions& common) {
  const fusion::Estimate e = EstimatePlan(plan);
  if (common.json) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (size_t i = 0; i < e.layers.size(); ++i) {
      const fusion::Layer& layer = plan.layers[i].layer;
      const fusion::Mapping& m = plan.layers[i].mapping;
      layers.push_back({{"name", layer.name},
                        {"input_bits", layer.input_bits},
                        {"weight_bits", layer.weight_bits},
                        {"output_bits", layer.output_bits},
                        {"groups", m.groups},
                        {"kind", m.kind == fusion::GroupKind::kWindows ? "windows" : "channels"},
                        {"fold", m.fold},
                        {"steps", m.steps},
                        {"tiles", m.tiles},
                        {"cycles", e.layers[i].cycles},
                        {"bound", e.layers[i].bound},
                        {"macs", e.layers[i].macs},
                        {"dram_bytes", e.layers[i].dram_bytes}});
    }
    PrintJson({{"fits", true},
               {"plan", o.output},
               {"figures", "estimated"},
               {"layers", layers},
               {"cycles", e.cycles},
               {"seconds", 1e-3 * Milliseconds(e.cycles, plan.design)},
               {"dram_bytes", e.dram_bytes},
               {"energy_mj", e.energy_mj},
               {"instructions", plan.program.size()},
               {"memory_bytes", plan.memory_bytes},
               {"resources", ToJson(e.resources)}});
    return;
  }
  Table table{.header = {"layer", "bits", "mapping", "tiles", "cycles", "bound", "kMAC", "DRAM kB"},
              .rows = {}};
  for (size_t i = 0; i < e.layers.size(); ++i) {
    const fusion::Layer& layer = plan.layers[i].layer;
    const fusion::Mapping& m = plan.layers[i].mapping;
    table.rows.push_back(
        {layer.name, fmt::format("{}x{}", layer.input_bits, layer.weight_bits), MappingText(m),
         fmt::format("{}", m.tiles), fmt::format("{}", e.layers[i].cycles), e.layers[i].bound,
         fmt::format("{:.0f}", static_cast<double>(layer.macs) / 1e3),
         fmt::format("{:.1f}", static_cast<double>(e.layers[i].dram_bytes) / 1e3)});
  }
  const Resources& r = e.resources;
  PrintText(
      common,
      "{}estimated: {} cycles, {:.3f} ms, {:.1f} kB of DRAM traffic, {:.4f} mJ; DSP {}, BRAM36 "
      "{}, LUT {}, FF {}\n",
      ToText(table), e.cycles, Milliseconds(e.cycles, plan.design),
      static_cast<double>(e.dram_bytes) / 1e3, e.energy_mj, r.dsp, r.bram36, r.lut, r.ff);
  if (!o.output.empty()) {
    PrintText(common, "{}: {} instructions, {:.1f} kB of memory\n", o.output, plan.program.size(),
              static_cast<double>(plan.memory_bytes) / 1e3);
  }
}

// A rendered picture of the plan's size, grey where the model takes grey.
Image RenderedPicture(const fusion::Plan& plan, uint64_t seed) {
  Image colour = RenderTestPicture(plan.picture.h, plan.picture.w, seed);
  const IntGraph& graph = *plan.net.Find(plan.graph);
  if (graph.tensor(graph.inputs[0]).channels != 1) return colour;
  ImageInfo info = colour.info;
  info.channels = 1;
  Image grey = MakeImage(info);
  for (size_t i = 0; i < grey.samples.size(); ++i) {
    grey.samples[i] = colour.samples[i * static_cast<size_t>(colour.info.channels)];
  }
  return grey;
}

struct PictureResult {
  std::string name;
  bool is_equal = true;
  std::vector<bool> layers_equal;
  std::vector<int64_t> rtl_cycles;
  std::vector<int64_t> simulated_cycles;
  int64_t rtl_total = 0;
  int64_t simulated_total = 0;
};

Result<PictureResult> RunOnRtl(const fs::path& folder, const fusion::Plan& plan,
                               const Image& picture, const std::string& name,
                               const accel::AxiTiming& timing, const Threads& threads) {
  LICHEN_TRY(const Expected expected, RunEngine(plan, picture, threads));
  LICHEN_TRY(const std::vector<uint8_t> memory, MakeMemory(plan, *expected.input));
  const fs::path in = folder / "build/memory_in.bin";
  const fs::path out = folder / "build/memory_out.bin";
  LICHEN_TRY_VOID(WriteFile(in, std::span<const uint8_t>(memory)));
  LICHEN_TRY(const fusion::Trace trace, SimulateTime(plan, timing));
  // Far more than it takes: a machine that has stopped.
  const int64_t timeout = 20 * trace.cycles + 100'000;
  std::string line =
      fmt::format("{} {} {} {} {} {} {} {} {} {}", ShellQuoted((folder / "build/verify").string()),
                  ShellQuoted(in.string()), ShellQuoted(out.string()), plan.program.size(),
                  timing.latency_cycles, timing.bytes_per_cycle, timing.outstanding_bursts,
                  timing.stall_percent, timing.seed, timeout);
  for (const fusion::PlannedLayer& layer : plan.layers) {
    const fusion::TensorPlace& t = plan.tensors[layer.output];
    const int64_t rows = t.border.top + t.size.h + t.border.bottom;
    line += fmt::format(" {} {}", t.planes.front().address_bytes,
                        t.planes.back().address_bytes + rows * t.planes.back().row_stride_bytes);
  }
  const fs::path log = folder / "build/run.log";
  LICHEN_TRY_VOID(RunShell(line, log, "running the RTL"));
  LICHEN_TRY(const std::vector<uint8_t> text, ReadFile(log, 1 << 20));
  const auto json = nlohmann::json::parse(std::find(text.begin(), text.end(), uint8_t{'{'}),
                                          text.end(), nullptr, false);
  if (!json.is_object()) return Fail("the RTL's run gives no result: {}", log.string());
  if (json["breaches"] != 0 || json["errors"] != 0) {
    return Fail("the RTL broke rules of AXI or reports errors: {}", log.string());
  }
  LICHEN_TRY(const std::vector<uint8_t> after, ReadFile(out));
  PictureResult result{.name = name, .rtl_total = json["cycles"], .simulated_total = trace.cycles};
  int64_t before = 0;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const fusion::PlannedLayer& layer = plan.layers[i];
    const bool is_equal =
        IsEqual(expected.run.Find(layer.layer.name), ReadTensor(plan.tensors[layer.output], after));
    const int64_t end = json["last_writes"][i];
    result.layers_equal.push_back(is_equal);
    result.rtl_cycles.push_back(end - before);
    result.simulated_cycles.push_back(trace.layers[i].cycles);
    result.is_equal = result.is_equal && is_equal && end - before == trace.layers[i].cycles;
    before = end;
  }
  result.is_equal = result.is_equal && result.rtl_total == result.simulated_total;
  return result;
}

}  // namespace

Result<Exit> CompileFusion(const FusionCompileOptions& o, const CommonOptions& common) {
  LICHEN_TRY(const fusion::Design design, fusion::LoadDesign(o.design));
  LICHEN_TRY(const Board board, LoadBoard(o.board));
  LICHEN_TRY(IntNet net, LoadIntNet(o.model));
  LICHEN_TRY(const Size2 size, PictureSize(o.size, net, o.model));
  LICHEN_TRY(const fusion::Compiled compiled,
             InPlace(o.model, fusion::Compile(std::move(net), o.graph, design, board, size)));
  if (!compiled.fit.ok) {
    if (common.json) PrintJson({{"fits", false}, {"reason", compiled.fit.reason}});
    PrintNote(fmt::format("{} does not fit: {}", o.design, compiled.fit.reason));
    return Exit::kNo;
  }
  LICHEN_TRY_VOID(fusion::Verify(compiled.plan));
  if (!o.output.empty()) LICHEN_TRY_VOID(fusion::SavePlan(o.output, compiled.plan));
  PrintPlan(compiled.plan, o, common);
  return Exit::kDone;
}

Result<Exit> SimulateFusion(const FusionSimulateOptions& o, const CommonOptions& common) {
  if (o.values != "bricks" && o.values != "fast") {
    return FailUsage("--values {}: must be bricks or fast", o.values);
  }
  LICHEN_TRY(const fusion::Plan plan, fusion::LoadPlan(o.plan));
  LICHEN_TRY_VOID(InPlace(o.plan, fusion::Verify(plan)));
  LICHEN_TRY(const accel::AxiTiming timing, TimingOf(o.memory, plan));
  LICHEN_TRY(const fusion::Trace trace, SimulateTime(plan, timing));
  std::string different;
  if (!o.image.empty()) {
    ProgressLine progress("computing");
    const Threads threads(common.threads);
    LICHEN_TRY(const Image picture, ReadImage(o.image));
    LICHEN_TRY(const Expected expected, RunEngine(plan, picture, threads));
    const auto compare = [&](const fusion::PlannedLayer& layer, const Tensor<int32_t>& output) {
      if (different.empty() && !IsEqual(expected.run.Find(layer.layer.name), output)) {
        different = layer.layer.name;
      }
    };
    LICHEN_TRY([[maybe_unused]] const Tensor<int32_t> output,
               o.values == "bricks" ? SimulateBricks(plan, *expected.input, compare)
                                    : SimulateFast(plan, *expected.input, compare));
  }
  const auto bricks_per_cycle = static_cast<double>(plan.design.BricksPerCycle());
  int64_t bricks = 0;
  int64_t bytes = 0;
  for (const fusion::LayerTrace& layer : trace.layers) {
    bricks += layer.bricks;
    bytes += layer.read_bytes + layer.written_bytes;
  }
  const double energy = fusion::EnergyMj(bricks, bytes, plan.board);
  if (common.json) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (const fusion::LayerTrace& layer : trace.layers) {
      layers.push_back(
          {{"name", layer.name},
           {"cycles", layer.cycles},
           {"step_cycles", layer.step_cycles},
           {"stall_cycles", layer.cycles - layer.step_cycles},
           {"bricks", layer.bricks},
           {"units", layer.units},
           {"macs", layer.macs},
           {"read_bytes", layer.read_bytes},
           {"written_bytes", layer.written_bytes},
           {"buffer_read_bytes", layer.buffer_read_bytes},
           {"buffer_written_bytes", layer.buffer_written_bytes},
           {"energy_mj",
            fusion::EnergyMj(layer.bricks, layer.read_bytes + layer.written_bytes, plan.board)},
           {"bound", layer.bound}});
    }
    nlohmann::ordered_json json = {
        {"figures", "simulated"}, {"memory", o.memory},       {"layers", layers},
        {"cycles", trace.cycles}, {"seconds", trace.seconds}, {"utilization", trace.utilization},
        {"dram_bytes", bytes},    {"energy_mj", energy},      {"energy_source", "estimated"}};
    json["equal_to_engine"] =
        o.image.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(different.empty());
    PrintJson(json);
  } else {
    Table table{.header = {"layer", "cycles", "steps", "stalls", "bricks busy", "bound", "DRAM kB"},
                .rows = {}};
    for (const fusion::LayerTrace& layer : trace.layers) {
      table.rows.push_back(
          {layer.name, fmt::format("{}", layer.cycles), fmt::format("{}", layer.step_cycles),
           fmt::format("{}", layer.cycles - layer.step_cycles),
           fmt::format("{:.1f} %", 100 * static_cast<double>(layer.bricks) /
                                       (static_cast<double>(layer.cycles) * bricks_per_cycle)),
           layer.bound,
           fmt::format("{:.1f}",
                       static_cast<double>(layer.read_bytes + layer.written_bytes) / 1e3)});
    }
    PrintText(
        common,
        "{}simulated with {} memory: {} cycles, {:.3f} ms, {:.1f} % of the bricks busy, {:.4f} "
        "mJ (estimated)\n",
        ToText(table), o.memory, trace.cycles, 1e3 * trace.seconds, 100 * trace.utilization,
        energy);
    if (!o.image.empty() && different.empty()) {
      PrintText(common, "every layer equals the engine's\n");
    }
  }
  if (different.empty()) return Exit::kDone;
  PrintNote(fmt::format("layer {} differs from the engine's", different));
  return Exit::kNo;
}

Result<Exit> EmitFusion(const std::string& path, const std::string& output,
                        const CommonOptions& common) {
  LICHEN_TRY(const fusion::Plan plan, fusion::LoadPlan(path));
  LICHEN_TRY_VOID(InPlace(path, fusion::Verify(plan)));
  LICHEN_TRY(const nlohmann::ordered_json json,
             WritePlanBundle(path, output, fusion::EmitRtl(plan), common));
  if (common.json) PrintJson(json);
  return Exit::kDone;
}

Result<Exit> VerifyFusion(const FusionVerifyOptions& o, const CommonOptions& common) {
  const fs::path folder = o.bundle;
  LICHEN_TRY([[maybe_unused]] const auto files, CheckManifest(folder, o.is_edited));
  LICHEN_TRY(const fusion::Plan plan, fusion::LoadPlan(folder / accel::kPlanName));
  LICHEN_TRY_VOID(fusion::Verify(plan));
  LICHEN_TRY(accel::AxiTiming timing, TimingOf(o.memory, plan));
  timing.stall_percent = o.seed == 0 ? 0 : kStallPercent;
  ProgressLine progress("building the RTL");
  std::vector<std::string> sources = fusion::RtlSources();
  for (std::string& source : fusion::TestbenchSources()) sources.push_back(std::move(source));
  LICHEN_TRY_VOID(
      BuildWithVerilator(folder, "fusion_engine", fusion::EngineParameters(plan.design), sources));
  progress.Stage("running the RTL");
  const Threads threads(common.threads);
  std::vector<PictureResult> results;
  for (size_t i = 0; i < std::max<size_t>(o.images.size(), 1); ++i) {
    Image picture = RenderedPicture(plan, o.seed + 1);
    if (!o.images.empty()) {
      LICHEN_TRY(picture, ReadImage(o.images[i]));
    }
    timing.seed = o.seed + i;
    LICHEN_TRY(PictureResult result,
               RunOnRtl(folder, plan, picture, o.images.empty() ? "rendered" : o.images[i], timing,
                        threads));
    results.push_back(std::move(result));
  }
  const bool is_equal = std::ranges::all_of(results, &PictureResult::is_equal);
  if (common.json) {
    nlohmann::ordered_json pictures = nlohmann::ordered_json::array();
    for (const PictureResult& result : results) {
      nlohmann::ordered_json layers = nlohmann::ordered_json::array();
      for (size_t i = 0; i < plan.layers.size(); ++i) {
        layers.push_back({{"name", plan.layers[i].layer.name},
                          {"equal", bool{result.layers_equal[i]}},
                          {"cycles_rtl", result.rtl_cycles[i]},
                          {"cycles_sim", result.simulated_cycles[i]}});
      }
      pictures.push_back({{"image", result.name},
                          {"layers", layers},
                          {"equal", result.is_equal},
                          {"cycles_rtl", result.rtl_total},
                          {"cycles_sim", result.simulated_total}});
    }
    PrintJson({{"layers", pictures[0]["layers"]},
               {"equal", is_equal},
               {"cycles_rtl", results[0].rtl_total},
               {"cycles_sim", results[0].simulated_total},
               {"memory", o.memory},
               {"seed", o.seed},
               {"pictures", pictures}});
    return is_equal ? Exit::kDone : Exit::kNo;
  }
  Table table{.header = {"picture", "layer", "values", "cycles RTL", "cycles simulated"},
              .rows = {}};
  for (const PictureResult& result : results) {
    for (size_t i = 0; i < plan.layers.size(); ++i) {
      table.rows.push_back(
          {i == 0 ? fs::path(result.name).filename().string() : "", plan.layers[i].layer.name,
           result.layers_equal[i] ? "equal" : "DIFFERENT", fmt::format("{}", result.rtl_cycles[i]),
           fmt::format("{}", result.simulated_cycles[i])});
    }
    table.rows.push_back({"", "all", result.is_equal ? "equal" : "DIFFERENT",
                          fmt::format("{}", result.rtl_total),
                          fmt::format("{}", result.simulated_total)});
  }
  PrintText(common, "{}", ToText(table));
  return is_equal ? Exit::kDone : Exit::kNo;
}

}  // namespace lichen
