#include "accel/tile/emit_hls.h"

namespace lichen::tile {
namespace {

constexpr EmbeddedFile kSources[] = {
#include "accel/hls_files.inc"
};

std::string DesignHeader(const Plan& plan) {
  std::string h = GeneratedHeader(plan, "//");
  h += "// The engine's design (docs/tile.md, Design parameters).\n#pragma once\n\n"
       "namespace tile_hls {\n\n";
  for (const EngineParameter& p : EngineParametersOf(plan.design)) {
    h += fmt::format("constexpr int k{} = {};\n", p.name, p.value);
  }
  return h + "\n}  // namespace tile_hls\n";
}

std::vector<std::string> KernelSources() {
  std::vector<std::string> sources;
  for (const EmbeddedFile& file : kSources) {
    if (file.path.starts_with("tile/") && file.path.ends_with(".cc")) {
      sources.emplace_back(file.path);
    }
  }
  return sources;
}

std::string Script(const Plan& plan) {
  std::string tcl = GeneratedHeader(plan, "#");
  tcl +=
      "# vitis_hls -f script.tcl, in this folder: C simulation, synthesis, export as IP. Vitis HLS "
      "itself has\n"
      "# not run it.\n"
      "set here [file normalize [file dirname [info script]]]\n"
      "set flags \"-std=c++14 -I$here -I$here/tile\"\n"
      "open_project -reset tile_engine_hls\n"
      "set_top tile_engine\n";
  for (const std::string& source : KernelSources()) {
    tcl += fmt::format("add_files $here/{} -cflags $flags\n", source);
  }
  tcl += fmt::format(
      "add_files -tb $here/tb/tb.cc -cflags \"$flags -Wno-unknown-pragmas\"\n"
      "open_solution -reset solution -flow_target vivado\n"
      "set_part {}\n"
      "create_clock -period {:.3f} -name default\n"
      "config_interface -m_axi_addr64\n"
      "csim_design -argv $here/vectors\n"
      "csynth_design\n"
      "export_design -format ip_catalog -rtl verilog\n",
      plan.board.part, 1e3 / plan.design.clock_mhz);
  return tcl;
}

std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace

std::vector<BundleFile> EmitHls(const Plan& plan) {
  std::vector<BundleFile> files;
  for (const EmbeddedFile& file : kSources) {
    files.push_back({fmt::format("hls/{}", file.path), Bytes(file.text)});
  }
  files.push_back({kHlsDesignName, Bytes(DesignHeader(plan))});
  files.push_back({"hls/script.tcl", Bytes(Script(plan))});
  return files;
}

std::vector<BundleFile> HlsVectors(const Plan& plan, std::span<const uint8_t> memory,
                                   const std::vector<const Tensor<int32_t>*>& outputs) {
  // Behind constants and input there are zeros.
  const TensorPlace& input = plan.input();
  const auto end = static_cast<size_t>(
      std::max<int64_t>(static_cast<int64_t>(plan.constants.size()),
                        input.address_bytes + input.height * input.row_stride_bytes));
  std::string places = fmt::format("{}\n", plan.memory_bytes);
  std::vector<uint8_t> expected;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const TensorPlace& t = plan.tensors[plan.layers[i].output];
    places += fmt::format("{} {} {} {} {} {} {} {}\n", t.address_bytes, t.row_stride_bytes,
                          t.height, t.width, t.channels, t.pixel_elements, t.element_bytes,
                          plan.layers[i].layer.name);
    for (const int32_t value : outputs[i]->span()) {
      expected.push_back(static_cast<uint8_t>(value));
      if (t.element_bytes == 2) expected.push_back(static_cast<uint8_t>(value >> 8));
    }
  }
  std::vector<BundleFile> files;
  files.push_back({"hls/vectors/memory.bin", {memory.begin(), memory.begin() + end}});
  files.push_back({"hls/vectors/tensors.txt", Bytes(places)});
  files.push_back({"hls/vectors/expected.bin", std::move(expected)});
  return files;
}

std::string HlsBuildCommand(const std::string& program) {
  std::string line =
      "g++ -std=c++17 -O2 -DTILE_CONCURRENT -pthread -Wno-unknown-pragmas -Ihls/include -Ihls "
      "-Ihls/tile";
  for (const std::string& source : KernelSources()) line += " hls/" + source;
  return line + " hls/tb/tb.cc -o " + program;
}

}  // namespace lichen::tile
