#include "accel/tile/synthesis.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "accel/tile/emit.h"

namespace lichen::tile {
namespace {

using Json = nlohmann::ordered_json;

struct BlockModule {
  Block block;
  std::string_view module;
  std::string_view inside;  // the block that holds it
};
// The long ones first, so that two jobs end together.
constexpr BlockModule kModules[] = {
    {Block::kLane, "tile_epilogue_lane", "tile_epilogue"},
    {Block::kEpilogue, "tile_epilogue", "tile_compute"},
    {Block::kInputBuffer, "tile_input_buffer", "tile_compute"},
    {Block::kArray, "tile_array", "tile_compute"},
    {Block::kLoad, "tile_load", "tile_engine"},
    {Block::kStore, "tile_store", "tile_engine"},
    {Block::kMemory, "tile_memory", "tile_engine"},
    {Block::kCompute, "tile_compute", "tile_engine"},
    {Block::kWeightBuffer, "tile_weight_buffer", "tile_compute"},
    {Block::kMiddleBuffer, "tile_middle_buffer", "tile_compute"},
    {Block::kParameterBuffer, "tile_parameter_buffer", "tile_compute"},
    {Block::kSequencer, "tile_sequencer", "tile_compute"},
    {Block::kPrepare, "tile_prepare", "tile_compute"},
    {Block::kWeight, "tile_weight", "tile_engine"},
    {Block::kFetch, "tile_fetch", "tile_engine"},
    {Block::kRegisters, "axi_lite_registers", "tile_engine"},
    {Block::kEngine, "tile_engine", ""}};
static_assert(std::size(kModules) == kBlockCount);

std::string ModuleOf(const BlockModule& m, const Design& d) {
  return m.block == Block::kArray && d.operand_bits == 8 ? "tile_array8" : std::string(m.module);
}

std::string ReadSources() {
  // The primitive, which the elaboration has to know.
  std::string line = "read_verilog -lib +/xilinx/cells_xtra.v\nread_verilog -sv -DLICHEN_DSP48E2";
  for (const std::string& source : RtlSources()) line += " " + source;
  return line + "\n";
}

// Of a module that parameters made: $paramod$HASH\NAME or $paramod\NAME\PARAMETERS.
std::string_view BaseName(std::string_view module) {
  if (!module.starts_with("$paramod")) return module;
  const size_t begin = module.find('\\');
  if (begin == module.npos) return module;
  module.remove_prefix(begin + 1);
  return module.substr(0, module.find('\\'));
}

// What every job does once its module is the top.
std::string Synthesise(const std::string& top, const std::string& job) {
  return fmt::format(
      "hierarchy -top {0}\n"
      "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -nowidelut -widemux 5 -top {0}\n"
      "select {0}\njson -o synth/{1}.json\nselect -clear\n"
      // Without registers, memories and DSPs what is left are the paths between them.
      "delete t:FD* t:RAMB* t:DSP48E2 t:SRL* t:RAM32* t:RAM64* t:RAM128* t:RAM256* t:*tile_*\n"
      "tee -q -o synth/{1}.ltp ltp\n",
      top, job);
}

bool IsWithin20(int64_t estimated, int64_t synthesised) {
  return std::abs(estimated - synthesised) * 5 <= synthesised;
}

double Percent(int64_t estimated, int64_t synthesised) {
  if (synthesised == 0) return estimated == 0 ? 0 : 100;
  const double ratio = static_cast<double>(estimated) / static_cast<double>(synthesised);
  return std::round((ratio - 1) * 1000) / 10;
}

Json CountsJson(const CellCounts& c) {
  return {{"dsp", c.dsp},
          {"bram36", static_cast<double>(c.bram18) / 2},
          {"lut", c.lut},
          {"lut_memory", c.lut_memory},
          {"ff", c.ff}};
}

Json EstimateJson(const CellCounts& estimated, const CellCounts& synthesised) {
  return {{"dsp", estimated.dsp},
          {"bram36", static_cast<double>(estimated.bram18) / 2},
          {"lut", estimated.lut},
          {"ff", estimated.ff},
          {"lut_difference_percent", Percent(estimated.lut, synthesised.lut)},
          {"ff_difference_percent", Percent(estimated.ff, synthesised.ff)}};
}

}  // namespace

std::string_view Name(Block block) {
  for (const BlockModule& m : kModules) {
    if (m.block == block) return m.module;
  }
  return "";
}

std::string ElaborationScript(const Design& design) {
  std::string script = ReadSources() + "chparam";
  for (const auto& [name, value] : EngineParametersOf(design)) {
    script += fmt::format(" -set {} {}", name, value);
  }
  return script +
         " tile_engine\nhierarchy -check -top tile_engine\n"
         "tee -q -o synth/modules.txt ls\nwrite_rtlil synth/engine.il\n";
}

Result<std::vector<SynthesisJob>> SynthesisJobs(const Design& d, std::string_view modules) {
  std::map<std::string, std::string, std::less<>> full_names;
  for (size_t at = 0; at < modules.size();) {
    const size_t end = std::min(modules.find('\n', at), modules.size());
    std::string_view line = modules.substr(at, end - at);
    at = end + 1;
    while (line.starts_with(' ')) line.remove_prefix(1);
    full_names.emplace(BaseName(line), line);
  }
  std::vector<SynthesisJob> jobs;
  for (const BlockModule& m : kModules) {
    const std::string module = ModuleOf(m, d);
    const auto name = full_names.find(module);
    if (name == full_names.end()) return Fail("the engine has no module {}", module);
    if (m.block == Block::kArray && d.PixelLanes() > 2) {
      for (const int64_t lanes : {2, 1}) {
        const std::string job = fmt::format("{}_{}", m.module, lanes);
        jobs.push_back({job, m.block, lanes,
                        ReadSources() +
                            fmt::format("chparam -set Pif {} -set Pof {} -set Pixels {} {}\n",
                                        d.pif, d.pof, lanes, module) +
                            Synthesise(module, job)});
      }
      continue;
    }
    std::string script = "read_rtlil synth/engine.il\n";
    for (const BlockModule& inner : kModules) {
      if (inner.inside != m.module) continue;
      const auto inner_name = full_names.find(ModuleOf(inner, d));
      if (inner_name != full_names.end())
        script += fmt::format("blackbox {}\n", inner_name->second);
    }
    const std::string job(m.module);
    jobs.push_back({job, m.block, 0, script + Synthesise(name->second, job)});
  }
  return jobs;
}

Result<SynthesisResult> ReadResult(std::string_view netlist_json, std::string_view ltp_text) {
  SynthesisResult result;
  LICHEN_TRY(result.netlist, ParseNetlist(netlist_json));
  constexpr std::string_view kMark = "(length=";
  const size_t at = ltp_text.find(kMark);
  if (at != ltp_text.npos) {
    const std::string_view digits = ltp_text.substr(at + kMark.size(), 9);
    std::from_chars(digits.data(), digits.data() + digits.size(), result.ltp);
  }
  return result;
}

SynthesisReport MakeReport(const Design& design, const std::vector<SynthesisJob>& jobs,
                           const std::vector<SynthesisResult>& results) {
  SynthesisReport report;
  const auto estimates = EstimateBlocks(design);
  const auto nothing = [](const std::string&) -> const Netlist* { return nullptr; };
  std::map<std::string, const Netlist*, std::less<>> modules;
  const Netlist* top = nullptr;
  for (size_t i = 0; i < jobs.size(); ++i) {
    BlockReport& block = report.blocks[static_cast<size_t>(jobs[i].block)];
    const CellCounts counts = CountCells(results[i].netlist);
    const int64_t lanes = design.PixelLanes();
    // f(P) = f(2) + (P - 2) * (f(2) - f(1))
    const int64_t times = jobs[i].array_lanes == 2        ? lanes - 1
                          : jobs[i].array_lanes == 1      ? -(lanes - 2)
                          : jobs[i].block == Block::kLane ? design.epilogue_lanes
                                                          : 1;
    block.synthesised += times * counts;
    block.is_scaled = jobs[i].array_lanes > 0;
    if (jobs[i].block == Block::kLane) block.instances = design.epilogue_lanes;
    block.levels = std::max(block.levels, LogicLevels(results[i].netlist, nothing));
    block.ltp = std::max(block.ltp, results[i].ltp);
    if (jobs[i].array_lanes == 0) modules[results[i].netlist.name] = &results[i].netlist;
    if (jobs[i].block == Block::kEngine) top = &results[i].netlist;
  }
  for (size_t b = 0; b < kBlockCount; ++b) {
    BlockReport& block = report.blocks[b];
    block.estimated = estimates[b];
    report.synthesised += block.synthesised;
    report.estimated += block.estimated;
    report.levels = std::max(report.levels, block.levels);
  }
  if (top) {
    const auto find = [&](const std::string& type) -> const Netlist* {
      const auto found = modules.find(type);
      return found == modules.end() ? nullptr : found->second;
    };
    report.levels = std::max(report.levels, LogicLevels(*top, find));
  }
  report.dsp_equal = report.estimated.dsp == report.synthesised.dsp;
  report.bram_equal = report.estimated.bram18 == report.synthesised.bram18;
  report.lut_within_20 = IsWithin20(report.estimated.lut, report.synthesised.lut);
  report.ff_within_20 = IsWithin20(report.estimated.ff, report.synthesised.ff);
  return report;
}

std::string ToJson(const SynthesisReport& report, const Design& design) {
  Json blocks = Json::array();
  for (size_t b = 0; b < kBlockCount; ++b) {
    const BlockReport& block = report.blocks[b];
    blocks.push_back({{"name", Name(static_cast<Block>(b))},
                      {"instances", block.instances},
                      {"is_scaled", block.is_scaled},
                      {"synthesised", CountsJson(block.synthesised)},
                      {"estimated", EstimateJson(block.estimated, block.synthesised)},
                      {"levels", block.levels},
                      {"ltp", block.ltp}});
  }
  return Json{{"figures", "synthesised (Yosys, out of context)"},
              {"design", ToToml(design)},
              {"blocks", blocks},
              {"synthesised", CountsJson(report.synthesised)},
              {"estimated", EstimateJson(report.estimated, report.synthesised)},
              {"levels", report.levels},
              {"dsp_equal", report.dsp_equal},
              {"bram_equal", report.bram_equal},
              {"lut_within_20_percent", report.lut_within_20},
              {"ff_within_20_percent", report.ff_within_20}}
             .dump(1) +
         "\n";
}

}  // namespace lichen::tile
