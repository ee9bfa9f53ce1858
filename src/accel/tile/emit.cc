#include "accel/tile/emit.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "accel/tile/estimate.h"
#include "accel/tile/ip_xact.h"
#include "accel/tile/top_ports.h"
#include "base/hash.h"
#include "net/identity.h"

namespace lichen::tile {
namespace {

// Paths from rtl/.
constexpr EmbeddedFile kSources[] = {
#include "accel/rtl_files.inc"
};

std::string Range(int width) {
  return width == 1 ? std::string(8, ' ') : fmt::format("[{:>3}:0] ", width - 1);
}

// The engine with this design's parameters and one set of names per port. Plain Verilog, since Vivado
// takes no SystemVerilog file as a module of a block design.
std::string Wrapper(const Plan& plan) {
  const Design& d = plan.design;
  std::string v = GeneratedHeader(plan, "//");
  std::string buses = "s_axi";
  for (int64_t port = 0; port < d.dma_ports; ++port) buses += fmt::format(":m_axi_{}", port);
  v += "//\n// The tile engine with the parameters of its design, a named AXI4 master per port.\n"
       "// Latency: none of its own.\n"
       "module tile_top (\n";
  v += fmt::format(
      "  (* X_INTERFACE_PARAMETER = \"ASSOCIATED_BUSIF {}, ASSOCIATED_RESET aresetn\" *)\n", buses);
  v += "  input  wire         aclk,\n  input  wire         aresetn,\n"
       "  (* X_INTERFACE_PARAMETER = \"SENSITIVITY LEVEL_HIGH\" *)\n"
       "  (* X_INTERFACE_INFO = \"xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT\" *)\n"
       "  output wire         irq,\n";
  for (const AxiSignal& s : kLiteSignals) {
    v += fmt::format("  {} wire {}s_axi_{},\n", s.is_output ? "output" : "input ", Range(s.width),
                     s.name);
  }
  for (int64_t port = 0; port < d.dma_ports; ++port) {
    for (const AxiSignal& s : kAxiSignals) {
      const bool is_last = port + 1 == d.dma_ports && &s == std::end(kAxiSignals) - 1;
      v += fmt::format("  {} wire {}m_axi_{}_{}{}\n", s.is_output ? "output" : "input ",
                       Range(s.width), port, s.name, is_last ? "" : ",");
    }
  }
  v += ");\n";
  for (const AxiSignal& s : kLiteSignals) {
    if (s.constant) v += fmt::format("  assign s_axi_{} = {};\n", s.name, s.constant);
  }
  for (int64_t port = 0; port < d.dma_ports; ++port) {
    for (const AxiSignal& s : kAxiSignals) {
      if (s.constant) v += fmt::format("  assign m_axi_{}_{} = {};\n", port, s.name, s.constant);
    }
  }
  v += "\n  tile_engine #(\n";
  const std::vector<EngineParameter> parameters = EngineParametersOf(d);
  for (size_t i = 0; i < parameters.size(); ++i) {
    v += fmt::format("    .{}({}){}\n", parameters[i].name, parameters[i].value,
                     i + 1 < parameters.size() ? "," : "");
  }
  v += "  ) u_engine (\n    .clk_i(aclk),\n    .rst_ni(aresetn),\n    .interrupt_o(irq)";
  for (const AxiSignal& s : kLiteSignals) {
    if (s.constant) continue;
    v += fmt::format(",\n    .s_axi_{}_{}(s_axi_{})", s.name, s.is_output ? "o" : "i", s.name);
  }
  for (const AxiSignal& s : kAxiSignals) {
    if (s.constant) continue;
    std::string ports;
    for (int64_t port = d.dma_ports; port-- > 0;) {
      ports += fmt::format("{}m_axi_{}_{}", ports.empty() ? "" : ", ", port, s.name);
    }
    v += fmt::format(",\n    .m_axi_{}_{}({{{}}})", s.name, s.is_output ? "o" : "i", ports);
  }
  return v + "\n  );\nendmodule\n";
}

// Everything but the Tcl scripts. Targets: lint, sim (as `lichen verify` builds it), synth.
std::string FuseSocCore(const Plan& plan, const std::vector<std::string>& host_files) {
  std::string core = "CAPI=2:\n" + GeneratedHeader(plan, "#");
  core += "name: ::lichen_tile:0\ndescription: Lichen tile engine\nfilesets:\n";
  const auto set = [&](const char* name, const std::vector<std::string>& paths) {
    core += fmt::format("  {}:\n    files:\n", name);
    for (const std::string& path : paths) {
      const char* type = path.ends_with(".sv")    ? "systemVerilogSource"
                         : path.ends_with(".v")   ? "verilogSource"
                         : path.ends_with(".vlt") ? "vlt"
                         : path.ends_with(".xdc") ? "xdc"
                         : path.ends_with(".h")   ? "cppSource, is_include_file: true"
                                                  : "cppSource";
      core += fmt::format("      - {}: {{file_type: {}}}\n", path, type);
    }
  };
  std::vector<std::string> rtl = RtlSources();
  rtl.push_back("rtl/tile_top.v");
  set("rtl", rtl);
  set("properties", PropertySources());
  set("waivers", {"rtl/waivers.vlt"});
  set("constraints", {"constraints/tile.xdc"});
  for (const char* folder : {"tb", "sw"}) {
    std::vector<std::string> paths;
    for (const std::string& path : host_files) {
      if (path.starts_with(fmt::format("{}/", folder))) paths.push_back(path);
    }
    set(folder, paths);
  }
  core +=
      "targets:\n  default:\n    filesets: [rtl]\n    toplevel: tile_top\n"
      "  lint:\n    default_tool: verilator\n    filesets: [waivers, rtl]\n    tools:\n"
      "      verilator: {mode: lint-only, verilator_options: [-Wall]}\n    toplevel: tile_top\n"
      "  sim:\n    default_tool: verilator\n    filesets: [rtl, properties, tb]\n    tools:\n"
      "      verilator:\n        mode: cc\n        verilator_options:\n";
  std::vector<std::string> options = {"--assert", "-O3", "-Wno-fatal", "--prefix Vtile_engine"};
  for (const std::string& parameter : EngineParameters(plan.design)) options.push_back(parameter);
  options.push_back(fmt::format("-CFLAGS '-std=c++20 -O2 -DPORTS={}'", plan.design.dma_ports));
  for (const std::string& option : options) core += fmt::format("          - \"{}\"\n", option);
  core += fmt::format(
      "    toplevel: tile_engine\n  synth:\n    default_tool: vivado\n"
      "    filesets: [rtl, constraints]\n    tools:\n      vivado: {{part: {}}}\n"
      "    parameters: [LICHEN_DSP48E2=true]\n    toplevel: tile_top\n"
      "parameters:\n  LICHEN_DSP48E2: {{datatype: bool, paramtype: vlogdefine}}\n",
      plan.board.part);
  return core;
}

std::string Constraints(const Plan& plan) {
  return GeneratedHeader(plan, "#") +
         fmt::format("create_clock -name aclk -period {:.3f} [get_ports aclk]\n",
                     1e3 / plan.design.clock_mhz);
}

void AddSources(std::string& tcl) {
  for (const std::string& source : RtlSources())
    tcl += fmt::format("read_verilog -sv {}\n", source);
  tcl += "read_verilog rtl/tile_top.v\n";
}

// Out of context: only what the engine itself takes.
std::string SynthesisTcl(const Plan& plan) {
  std::string tcl = GeneratedHeader(plan, "#");
  tcl +=
      "# vivado -mode batch -source tcl/synth_ooc.tcl, in the bundle's folder. Vivado itself has "
      "not run it.\n";
  tcl += fmt::format("create_project -in_memory -part {}\n", plan.board.part);
  AddSources(tcl);
  tcl += "read_xdc -mode out_of_context constraints/tile.xdc\n";
  tcl += "set_property verilog_define LICHEN_DSP48E2 [current_fileset]\n";
  tcl += fmt::format("synth_design -mode out_of_context -top tile_top -part {}\n", plan.board.part);
  tcl +=
      "report_utilization -file utilization.rpt\nreport_timing_summary -file timing.rpt\n"
      "write_checkpoint -force tile_top.dcp\n";
  return tcl;
}

// The engine beside the processing system: registers on its first master, each port on a
// high-performance slave.
std::string BlockDesignTcl(const Plan& plan, std::string_view board, std::string_view part,
                           std::string_view board_part) {
  const Design& d = plan.design;
  std::string tcl = GeneratedHeader(plan, "#");
  tcl += fmt::format(
      "# Block design for {}: vivado -mode batch -source tcl/block_design_{}.tcl, in the bundle's\n"
      "# folder. Vivado itself has not run it.\n",
      board, board);
  tcl += fmt::format("create_project -force engine vivado_{} -part {}\n", board, part);
  tcl += fmt::format("set_property board_part {} [current_project]\n", board_part);
  tcl += "add_files -norecurse [list";
  for (const std::string& source : RtlSources()) tcl += " " + source;
  tcl += " rtl/tile_top.v]\n";
  tcl += "set_property verilog_define LICHEN_DSP48E2 [current_fileset]\n";
  tcl += "update_compile_order -fileset sources_1\n";
  tcl += "create_bd_design engine\n";
  tcl += "create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps\n";
  tcl +=
      "apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset 1} "
      "[get_bd_cells ps]\n";
  tcl +=
      "set_property -dict [list CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__USE__M_AXI_GP1 0 "
      "CONFIG.PSU__USE__M_AXI_GP2 0 CONFIG.PSU__USE__IRQ0 1";
  tcl += fmt::format(" CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {}", d.clock_mhz);
  for (int64_t port = 0; port < d.dma_ports; ++port) {
    // S_AXI_GP2 to GP5 are the ports HP0 to HP3.
    tcl += fmt::format(" CONFIG.PSU__USE__S_AXI_GP{} 1 CONFIG.PSU__SAXIGP{}__DATA_WIDTH {}",
                       port + 2, port + 2, d.dma_bits);
  }
  tcl += "] [get_bd_cells ps]\n";
  tcl += "create_bd_cell -type module -reference tile_top engine\n";
  tcl += "create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset\n";
  tcl += fmt::format(
      "create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control\n"
      "set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] [get_bd_cells control]\n");
  std::string clocks =
      "[get_bd_pins engine/aclk] [get_bd_pins reset/slowest_sync_clk] "
      "[get_bd_pins control/aclk] [get_bd_pins ps/maxihpm0_fpd_aclk]";
  for (int64_t port = 0; port < d.dma_ports; ++port) {
    clocks += fmt::format(" [get_bd_pins ps/saxihp{}_fpd_aclk]", port);
  }
  tcl += fmt::format("connect_bd_net [get_bd_pins ps/pl_clk0] {}\n", clocks);
  tcl += "connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins reset/ext_reset_in]\n";
  tcl +=
      "connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins engine/aresetn] "
      "[get_bd_pins control/aresetn]\n";
  tcl += "connect_bd_net [get_bd_pins engine/irq] [get_bd_pins ps/pl_ps_irq0]\n";
  tcl +=
      "connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins "
      "control/S00_AXI]\n";
  tcl += "connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins engine/s_axi]\n";
  for (int64_t port = 0; port < d.dma_ports; ++port) {
    tcl += fmt::format(
        "connect_bd_intf_net [get_bd_intf_pins engine/m_axi_{}] [get_bd_intf_pins "
        "ps/S_AXI_HP{}_FPD]\n",
        port, port);
  }
  tcl += "assign_bd_address\nvalidate_bd_design\nsave_bd_design\n";
  tcl += "make_wrapper -files [get_files engine.bd] -top -import\n";
  tcl += "set_property top engine_wrapper [current_fileset]\n";
  tcl += "launch_runs impl_1 -to_step write_bitstream -jobs 2\nwait_on_run impl_1\n";
  return tcl;
}

std::string DesignHeader(const Plan& plan) {
  std::string h = GeneratedHeader(plan, "//");
  h += "// What the driver must know of this engine, beside its registers (sw/bus.h).\n#pragma "
       "once\n\n"
       "#include <cstdint>\n\nnamespace lichen::rtl {\n\n";
  for (const EngineParameter& p : EngineParametersOf(plan.design)) {
    h += fmt::format("inline constexpr uint32_t kDesign{} = {};\n", p.name, p.value);
  }
  const TensorPlace& in = plan.input();
  const TensorPlace& out = plan.output();
  h += fmt::format("inline constexpr uint64_t kMemoryBytes = {};\n", plan.memory_bytes);
  for (const auto& [name, t] : {std::pair{"Input", &in}, {"Output", &out}}) {
    h += fmt::format(
        "\n// Tensor {}: element (y, x, c) at address + y * row stride + (x * pixel elements + c) "
        "* "
        "element bytes.\n",
        t->name);
    h += fmt::format("inline constexpr uint64_t k{}Address = {};\n", name, t->address_bytes);
    h += fmt::format("inline constexpr uint64_t k{}RowStrideBytes = {};\n", name,
                     t->row_stride_bytes);
    h += fmt::format("inline constexpr uint32_t k{}Height = {};\n", name, t->height);
    h += fmt::format("inline constexpr uint32_t k{}Width = {};\n", name, t->width);
    h += fmt::format("inline constexpr uint32_t k{}Channels = {};\n", name, t->channels);
    h += fmt::format("inline constexpr uint32_t k{}PixelElements = {};\n", name, t->pixel_elements);
    h += fmt::format("inline constexpr uint32_t k{}ElementBytes = {};\n", name, t->element_bytes);
  }
  return h + "\n}  // namespace lichen::rtl\n";
}

std::string Readme(const Plan& plan) {
  const Design& d = plan.design;
  const Estimate e = EstimatePlan(plan);
  std::string text = fmt::format(
      "# Tile engine {}\n\nGenerated by `lichen emit` from net {}: graph `{}` for pictures of "
      "{}x{}, on {} at {} "
      "MHz.\n\n```\n",
      d.name, ToHex(ModelIdentity(plan.net)).substr(0, 16), plan.graph, plan.picture.w,
      plan.picture.h, plan.board.name, d.clock_mhz);
  text +=
      " AXI4-Lite --> registers --> fetch --> queues: LOAD, WEIGHT, COMPUTE, STORE\n"
      " AXI4 read  --> load unit   --> input buffer  --+\n"
      " AXI4 read  --> weight unit --> weight buffer --+--> array --> sums --> epilogue --+\n"
      "                            --> parameters ----------------------------^          |\n"
      "                                 middle buffer <-------------------------------- +\n"
      " AXI4 write <-- store unit  <-- output buffer <-------------------------------- +\n```\n\n";
  text += fmt::format(
      "- array: {} x {} x {} x {} = {} multiply-accumulates of {} bits per cycle\n- estimated: {} "
      "cycles "
      "({:.2f} ms), {:.1f} MB of memory traffic; DSP {}, BRAM36 {}, LUT {}, FF {}\n- program: {} "
      "instructions; memory: {} bytes\n\n",
      d.pif, d.pof, d.poy, d.pox, d.MacsPerCycle(), d.operand_bits, e.cycles,
      static_cast<double>(e.cycles) / (d.clock_mhz * 1e3), static_cast<double>(e.dram_bytes) / 1e6,
      e.resources.dsp, e.resources.bram36, e.resources.lut, e.resources.ff, plan.program.size(),
      plan.memory_bytes);
  text += "| layer | tile | cycles, estimated | bound |\n| --- | --- | --- | --- |\n";
  for (size_t i = 0; i < e.layers.size(); ++i) {
    text += fmt::format("| {} | {}x{} | {} | {} |\n", e.layers[i].name,
                        plan.layers[i].mapping.tile_rows, plan.layers[i].mapping.tile_columns,
                        e.layers[i].cycles, e.layers[i].bound);
  }
  text +=
      "\n| | |\n| --- | --- |\n"
      "| `rtl/` | SystemVerilog; `tile_top.v` is the top, `props/` are assertions for simulation "
      "|\n"
      "| `image/` | `constants.bin`: memory from address 0 (program, weights, parameters); "
      "`program.txt` |\n"
      "| `tb/` | Verilator testbench: `lichen verify` builds and runs it |\n"
      "| `sw/` | driver: registers, layout of memory, `run_engine.cc` for raw tensors, on a board "
      "or on the simulation that `lichen verify` leaves at `build/verify`; not run on a board |\n"
      "| `component.xml` | IP-XACT (IEEE 1685-2009): interfaces, registers, ports, files; for "
      "Vivado's IP catalogue, add this folder to `ip_repo_paths` |\n"
      "| `tcl/`, `constraints/` | synthesis out of context, block designs for ZCU102 and KV260 |\n"
      "| `tile.core` | FuseSoC: targets `lint`, `sim`, `synth` |\n"
      "| `plan.plan` | the plan that all of it comes from; `manifest.json`: SHA-256 of every file "
      "|\n"
      "\nVivado and FuseSoC have run none of this.\n";
  if (plan.graph == "analysis") {
    text +=
        "\nLichen's `build/sw/encode_on_engine --bundle . --uio /dev/uio0 --udmabuf /dev/udmabuf0 "
        "IN.png OUT.lic` encodes a picture with this engine, with `--simulate` instead of the "
        "devices on its simulation.\n";
  }
  return text;
}

std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace

std::string GeneratedHeader(const Plan& plan, std::string_view comment) {
  Sha256 hash;
  hash.Update(ToToml(plan.design));
  return fmt::format("{} Generated by lichen emit from net {}, design {}. Do not edit.\n", comment,
                     ToHex(ModelIdentity(plan.net)).substr(0, 8),
                     ToHex(hash.Finish()).substr(0, 8));
}

std::vector<EngineParameter> EngineParametersOf(const Design& d) {
  return {{"Pif", d.pif},
          {"Pof", d.pof},
          {"Poy", d.poy},
          {"Pox", d.pox},
          {"EpilogueLanes", d.epilogue_lanes},
          {"InputBufferWords", d.input_buffer_words},
          {"WeightBufferWords", d.weight_buffer_words},
          {"ParameterBufferWords", d.parameter_buffer_words},
          {"MiddleBufferWords", d.middle_buffer_words},
          {"OutputBufferWords", d.output_buffer_words},
          {"DmaPorts", d.dma_ports},
          {"OperandBits", d.operand_bits}};
}

std::vector<std::string> EngineParameters(const Design& design) {
  std::vector<std::string> list;
  for (const EngineParameter& p : EngineParametersOf(design)) {
    list.push_back(fmt::format("-G{}={}", p.name, p.value));
  }
  return list;
}

std::vector<std::string> PropertySources() {
  std::vector<std::string> sources;
  for (const EmbeddedFile& file : kSources) {
    if (file.path.starts_with("props/")) sources.push_back(fmt::format("rtl/{}", file.path));
  }
  return sources;
}

std::vector<std::string> RtlSources() {
  std::vector<std::string> sources;
  for (const EmbeddedFile& file : kSources) {
    if (!file.path.ends_with(".sv") || file.path.starts_with("props/")) continue;
    const std::string path = fmt::format("rtl/{}", file.path);
    if (file.path.ends_with("_pkg.sv")) {
      sources.insert(sources.begin(), path);
    } else {
      sources.push_back(path);
    }
  }
  return sources;
}

std::vector<BundleFile> EmitRtl(const Plan& plan) {
  std::vector<BundleFile> files;
  for (const EmbeddedFile& file : kSources) {
    std::string path = fmt::format("rtl/{}", file.path);
    if (file.path.starts_with("tb/")) path = file.path;
    if (file.path.starts_with("../")) path = file.path.substr(3);
    // What both sides of a bus share, host and testbench.
    if (file.path.starts_with("tb/bus") && file.path.ends_with(".h") &&
        file.path != "tb/bus_server.h") {
      files.push_back({fmt::format("sw/{}", file.path.substr(3)), Bytes(file.text)});
    }
    files.push_back({path, Bytes(file.text)});
  }
  std::string program;
  for (const Instruction& instruction : plan.program) program += ToText(instruction) + "\n";
  files.push_back({"rtl/tile_top.v", Bytes(Wrapper(plan))});
  files.push_back({"image/constants.bin", plan.constants});
  files.push_back({"image/program.txt", Bytes(program)});
  files.push_back({"sw/design.h", Bytes(DesignHeader(plan))});
  files.push_back({"component.xml", Bytes(IpXact(plan, GeneratedHeader(plan, "")))});
  std::vector<std::string> host_files;
  for (const BundleFile& file : files) {
    if (file.path.starts_with("tb/") || file.path.starts_with("sw/")) {
      host_files.push_back(file.path);
    }
  }
  files.push_back({"tile.core", Bytes(FuseSocCore(plan, host_files))});
  files.push_back({"constraints/tile.xdc", Bytes(Constraints(plan))});
  files.push_back({"tcl/synth_ooc.tcl", Bytes(SynthesisTcl(plan))});
  for (const auto& [board, part, board_part] :
       {std::tuple{"zcu102", "xczu9eg-ffvb1156-2-e", "xilinx.com:zcu102:part0:3.4"},
        {"kv260", "xck26-sfvc784-2lv-c", "xilinx.com:kv260_som:part0:1.4"}}) {
    files.push_back({fmt::format("tcl/block_design_{}.tcl", board),
                     Bytes(BlockDesignTcl(plan, board, part, board_part))});
  }
  files.push_back({"README.md", Bytes(Readme(plan))});
  return files;
}

}  // namespace lichen::tile
