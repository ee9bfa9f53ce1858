#include "accel/fusion/emit.h"

#include <algorithm>

#include "accel/fusion/estimate.h"
#include "base/hash.h"
#include "net/identity.h"

namespace lichen::fusion {
namespace {

using accel::BundleFile;
using accel::TextFile;

struct SourceFile {
  std::string_view path;  // from rtl/
  std::string_view text;
};

constexpr SourceFile kSources[] = {
#include "accel/fusion_files.inc"
};

constexpr std::string_view kPackage = "fusion/fusion_pkg.sv";

std::string Name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }
bool IsRtl(std::string_view path) { return path.ends_with(".sv"); }
// Where a source stands in the bundle.
std::string PlaceOf(std::string_view path) {
  if (IsRtl(path)) return fmt::format("rtl/{}", path);
  return fmt::format("{}/{}", path.ends_with(".vlt") ? "rtl" : "tb", Name(path));
}

struct Parameter {
  const char* name;
  int64_t value;
};
std::vector<Parameter> Parameters(const Design& d) {
  return {{"Rows", d.rows},
          {"Columns", d.columns},
          {"ColumnSets", d.column_sets},
          {"InputWords", d.input_buffer_words},
          {"WeightWords", d.weight_buffer_words},
          {"StepWords", d.step_buffer_words},
          {"ParameterWords", d.parameter_buffer_words},
          {"OutputWords", d.output_buffer_words},
          {"ProgramWords", d.program_words}};
}

std::string ProgramText(const Plan& plan) {
  std::string text;
  size_t layer = 0;
  for (size_t i = 0; i < plan.program.size(); ++i) {
    if (i == 0 || i == plan.layers[layer].end_instruction) {
      if (i > 0 && layer + 1 < plan.layers.size()) ++layer;
      text += fmt::format("# {}\n", plan.layers[layer].layer.name);
    }
    text += ToText(plan.program[i]) + "\n";
  }
  return text;
}

std::string YosysScript(const Design& design) {
  std::string text = "# Out-of-context synthesis by Yosys: yosys -s synth.ys\nread_verilog -sv";
  for (const std::string& source : RtlSources()) text += " " + source;
  text += "\nhierarchy -top fusion_engine";
  for (const Parameter& p : Parameters(design))
    text += fmt::format(" -chparam {} {}", p.name, p.value);
  return text + "\nsynth_xilinx -family xcup -top fusion_engine\nstat\n";
}

std::string CoreFile(const Plan& plan) {
  std::string text =
      "CAPI=2:\nname: ::lichen_fusion:0\ndescription: A machine of bit bricks with its network's "
      "program\n"
      "filesets:\n  rtl:\n    file_type: systemVerilogSource\n    files:\n";
  for (const std::string& source : RtlSources()) text += fmt::format("      - {}\n", source);
  text +=
      "targets:\n  default:\n    filesets: [rtl]\n    toplevel: fusion_engine\n    parameters: [";
  for (const Parameter& p : Parameters(plan.design)) {
    text += fmt::format("{}{}={}", p.name == std::string_view("Rows") ? "" : ", ", p.name, p.value);
  }
  text += "]\nparameters:\n";
  for (const Parameter& p : Parameters(plan.design)) {
    text += fmt::format("  {}: {{datatype: int, default: {}, paramtype: vlogparam}}\n", p.name,
                        p.value);
  }
  return text;
}

std::string Readme(const Plan& plan) {
  const Design& d = plan.design;
  const Estimate estimate = EstimatePlan(plan);
  std::string text = fmt::format(
      "# Fusion machine {}\n\n{}x{} fusion units of 16 bit bricks, {} MHz, for graph `{}` of "
      "network {} at {}x{} "
      "(width x height).\n\n"
      "| what | where |\n| --- | --- |\n"
      "| RTL, top `fusion_engine` | `rtl/` |\n"
      "| memory from address 0: program, weights, steps, parameters | `image/constants.bin` |\n"
      "| the program as text | `image/program.txt` |\n"
      "| Verilator testbench, host driver over a bus | `tb/` |\n"
      "| FuseSoC core, Yosys script | `lichen_fusion.core`, `synth.ys` |\n\n"
      "`lichen verify` on this folder builds the RTL with Verilator, runs the network on pictures "
      "and compares every "
      "layer's values and cycles.\n\n"
      "A host writes `constants.bin` to address 0, the input's planes to where `image/tensors.txt` "
      "says, clears the rest "
      "of the {} bytes, and starts the machine: registers 0x10, 0x14 (address of the program, 0), "
      "0x2C (its {} "
      "instructions), 0x20 (interrupt enable), 0x08 (start).\n\n"
      "| layer | input | weights | output | mapping | estimated cycles | bound |\n| --- | --- | "
      "--- | --- | --- | --- | --- |\n",
      d.name, d.rows, d.columns, d.clock_mhz, plan.graph,
      ToHex(ModelIdentity(plan.net)).substr(0, 16), plan.picture.w, plan.picture.h,
      plan.memory_bytes, plan.program.size());
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const Layer& layer = plan.layers[i].layer;
    const Mapping& m = plan.layers[i].mapping;
    text += fmt::format(
        "| {} | {} bit | {} bit | {} bit | {} groups of {}, fold {}, {} steps | {} | {} |\n",
        layer.name, layer.input_bits, layer.weight_bits, layer.output_bits, m.groups,
        m.kind == GroupKind::kWindows ? "windows" : "channels", m.fold, m.steps,
        estimate.layers[i].cycles, estimate.layers[i].bound);
  }
  const Resources& r = estimate.resources;
  return text + fmt::format("\nEstimated: {} cycles, {} DSP, {} BRAM36, {} LUT, {} FF.\n",
                            estimate.cycles, r.dsp, r.bram36, r.lut, r.ff);
}

std::string TensorsText(const Plan& plan) {
  std::string text =
      "# tensor, plane (first digit, digits), address, row stride in bytes, rows and digits of "
      "border "
      "before, height, width, channels\n";
  for (const TensorPlace& t : plan.tensors) {
    for (const PlanePlace& p : t.planes) {
      text +=
          fmt::format("{} {} {} {} {} {} {} {} {} {}\n", t.name, p.plane.offset, p.plane.digits,
                      p.address_bytes, p.row_stride_bytes, t.border.top,
                      t.border.left * t.channels * p.plane.digits, t.size.h, t.size.w, t.channels);
    }
  }
  return text;
}

}  // namespace

std::vector<std::string> EngineParameters(const Design& design) {
  std::vector<std::string> parameters;
  for (const Parameter& p : Parameters(design))
    parameters.push_back(fmt::format("-G{}={}", p.name, p.value));
  return parameters;
}

std::vector<std::string> RtlSources() {
  std::vector<std::string> sources{PlaceOf(kPackage)};
  for (const SourceFile& source : kSources) {
    if (IsRtl(source.path) && source.path != kPackage) sources.push_back(PlaceOf(source.path));
  }
  return sources;
}

std::vector<std::string> TestbenchSources() {
  std::vector<std::string> sources;
  for (const SourceFile& source : kSources) {
    if (source.path.ends_with(".cc")) sources.push_back(PlaceOf(source.path));
  }
  return sources;
}

std::vector<BundleFile> EmitRtl(const Plan& plan) {
  std::vector<BundleFile> files;
  for (const SourceFile& source : kSources) {
    files.push_back(TextFile(PlaceOf(source.path), source.text));
  }
  files.push_back({"image/constants.bin", plan.constants});
  files.push_back(TextFile("image/program.txt", ProgramText(plan)));
  files.push_back(TextFile("image/tensors.txt", TensorsText(plan)));
  files.push_back(TextFile("lichen_fusion.core", CoreFile(plan)));
  files.push_back(TextFile("synth.ys", YosysScript(plan.design)));
  files.push_back(TextFile("README.md", Readme(plan)));
  return files;
}

}  // namespace lichen::fusion
