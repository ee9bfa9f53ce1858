// The ports of the emitted top module, tile_top, as its Verilog and its IP-XACT description name them.
#pragma once

namespace lichen::tile {

struct AxiSignal {
  const char* name;
  int width;
  bool is_output;        // of the engine
  const char* constant;  // what drives it where the engine has no such signal, in Verilog
};

// Of each AXI4 master, m_axi_<port>_<name>.
inline constexpr AxiSignal kAxiSignals[] = {
    {"araddr", 40, true, nullptr},  {"arlen", 8, true, nullptr},    {"arvalid", 1, true, nullptr},
    {"arready", 1, false, nullptr}, {"arsize", 3, true, "3'd4"},    {"arburst", 2, true, "2'd1"},
    {"arprot", 3, true, "3'd0"},    {"arcache", 4, true, "4'd3"},   {"rdata", 128, false, nullptr},
    {"rresp", 2, false, nullptr},   {"rlast", 1, false, nullptr},   {"rvalid", 1, false, nullptr},
    {"rready", 1, true, nullptr},   {"awaddr", 40, true, nullptr},  {"awlen", 8, true, nullptr},
    {"awvalid", 1, true, nullptr},  {"awready", 1, false, nullptr}, {"awsize", 3, true, "3'd4"},
    {"awburst", 2, true, "2'd1"},   {"awprot", 3, true, "3'd0"},    {"awcache", 4, true, "4'd3"},
    {"wdata", 128, true, nullptr},  {"wstrb", 16, true, nullptr},   {"wlast", 1, true, nullptr},
    {"wvalid", 1, true, nullptr},   {"wready", 1, false, nullptr},  {"bresp", 2, false, nullptr},
    {"bvalid", 1, false, nullptr},  {"bready", 1, true, nullptr},
};

// Of the registers' AXI4-Lite slave, s_axi_<name>.
inline constexpr AxiSignal kLiteSignals[] = {
    {"awaddr", 8, false, nullptr}, {"awvalid", 1, false, nullptr}, {"awready", 1, true, nullptr},
    {"wdata", 32, false, nullptr}, {"wvalid", 1, false, nullptr},  {"wready", 1, true, nullptr},
    {"bresp", 2, true, "2'd0"},    {"bvalid", 1, true, nullptr},   {"bready", 1, false, nullptr},
    {"araddr", 8, false, nullptr}, {"arvalid", 1, false, nullptr}, {"arready", 1, true, nullptr},
    {"rdata", 32, true, nullptr},  {"rresp", 2, true, "2'd0"},     {"rvalid", 1, true, nullptr},
    {"rready", 1, false, nullptr}};

}  // namespace lichen::tile
