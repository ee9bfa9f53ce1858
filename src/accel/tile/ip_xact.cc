#include "accel/tile/ip_xact.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <vector>

#include "accel/tile/emit.h"
#include "accel/tile/register_map.h"
#include "accel/tile/top_ports.h"

namespace lichen::tile {
namespace {

constexpr int kAddressBits = 40;
constexpr int kBusBits = 128;

// Prints elements of the spirit namespace, indented.
class Xml {
 public:
  using Attributes = std::initializer_list<std::pair<const char*, std::string>>;

  // An element that holds what `content` prints.
  template <class Content>
  void In(const char* name, const Content& content, Attributes attributes = {}) {
    Line(Tag(name, attributes) + ">");
    ++depth_;
    content();
    --depth_;
    Line(fmt::format("</spirit:{}>", name));
  }
  void Text(const char* name, std::string_view text, Attributes attributes = {}) {
    Line(fmt::format("{}>{}</spirit:{}>", Tag(name, attributes), Escaped(text), name));
  }
  void Empty(const char* name, Attributes attributes) { Line(Tag(name, attributes) + "/>"); }
  // As it is.
  void Line(const std::string& line) {
    text_ += std::string(static_cast<size_t>(2 * depth_), ' ') + line + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  static std::string Escaped(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
      if (c == '&') {
        escaped += "&amp;";
      } else if (c == '<') {
        escaped += "&lt;";
      } else if (c == '"') {
        escaped += "&quot;";
      } else {
        escaped += c;
      }
    }
    return escaped;
  }
  static std::string Tag(const char* name, Attributes attributes) {
    std::string tag = fmt::format("<spirit:{}", name);
    for (const auto& [key, value] : attributes) {
      tag += fmt::format(" spirit:{}=\"{}\"", key, Escaped(value));
    }
    return tag;
  }

  std::string text_;
  int depth_ = 0;
};

void Name(Xml& x, std::string_view name, std::string_view description = "") {
  x.Text("name", name);
  if (!description.empty()) x.Text("description", description);
}

void Parameter(Xml& x, std::string_view name, std::string_view value) {
  x.In("parameter", [&] {
    x.Text("name", name);
    x.Text("value", value);
  });
}

void BusType(Xml& x, const char* name, const char* library) {
  for (const auto& [element, suffix] : {std::pair{"busType", ""}, {"abstractionType", "_rtl"}}) {
    x.Empty(element, {{"vendor", "xilinx.com"},
                      {"library", library},
                      {"name", fmt::format("{}{}", name, suffix)},
                      {"version", "1.0"}});
  }
}

void PortMap(Xml& x, std::string_view logical, std::string_view physical) {
  x.In("portMap", [&] {
    x.In("logicalPort", [&] { x.Text("name", logical); });
    x.In("physicalPort", [&] { x.Text("name", physical); });
  });
}

void AxiPortMaps(Xml& x, std::span<const AxiSignal> signals, const std::string& prefix) {
  x.In("portMaps", [&] {
    for (const AxiSignal& s : signals) {
      std::string logical = s.name;
      std::ranges::transform(logical, logical.begin(),
                             [](char c) { return static_cast<char>(std::toupper(c)); });
      PortMap(x, logical, fmt::format("{}_{}", prefix, s.name));
    }
  });
}

std::string MasterName(int64_t port) { return fmt::format("m_axi_{}", port); }

// A bus of one signal.
void SignalInterface(Xml& x, const char* name, const char* type, const char* logical,
                     bool is_master, std::vector<std::pair<const char*, std::string>> parameters) {
  x.In("busInterface", [&] {
    Name(x, name);
    BusType(x, type, "signal");
    x.Line(is_master ? "<spirit:master/>" : "<spirit:slave/>");
    x.In("portMaps", [&] { PortMap(x, logical, name); });
    x.In("parameters", [&] {
      for (const auto& [key, value] : parameters) Parameter(x, key, value);
    });
  });
}

void BusInterfaces(Xml& x, const Design& d) {
  x.In("busInterfaces", [&] {
    x.In("busInterface", [&] {
      Name(x, "s_axi", "The engine's registers");
      BusType(x, "aximm", "interface");
      x.In("slave", [&] { x.Empty("memoryMapRef", {{"memoryMapRef", "s_axi"}}); });
      AxiPortMaps(x, kLiteSignals, "s_axi");
      x.In("parameters", [&] { Parameter(x, "PROTOCOL", "AXI4LITE"); });
    });
    std::string buses = "s_axi";
    for (int64_t port = 0; port < d.dma_ports; ++port) {
      const std::string name = MasterName(port);
      buses += ":" + name;
      x.In("busInterface", [&] {
        Name(x, name, "Memory: programs, weights and tensors");
        BusType(x, "aximm", "interface");
        x.In("master", [&] { x.Empty("addressSpaceRef", {{"addressSpaceRef", name}}); });
        AxiPortMaps(x, kAxiSignals, name);
        x.In("parameters", [&] {
          Parameter(x, "PROTOCOL", "AXI4");
          Parameter(x, "SUPPORTS_NARROW_BURST", "0");
        });
      });
    }
    SignalInterface(x, "aclk", "clock", "CLK", false,
                    {{"ASSOCIATED_BUSIF", buses},
                     {"ASSOCIATED_RESET", "aresetn"},
                     {"FREQ_HZ", fmt::format("{:.0f}", d.clock_mhz * 1e6)}});
    SignalInterface(x, "aresetn", "reset", "RST", false, {{"POLARITY", "ACTIVE_LOW"}});
    SignalInterface(x, "irq", "interrupt", "INTERRUPT", true, {{"SENSITIVITY", "LEVEL_HIGH"}});
  });
}

void AddressSpaces(Xml& x, const Design& d) {
  x.In("addressSpaces", [&] {
    for (int64_t port = 0; port < d.dma_ports; ++port) {
      x.In("addressSpace", [&] {
        Name(x, MasterName(port));
        x.Text("range", fmt::format("{}", uint64_t{1} << kAddressBits));
        x.Text("width", fmt::format("{}", kBusBits));
      });
    }
  });
}

const char* AccessName(RegisterAccess access) {
  switch (access) {
    case RegisterAccess::kRead:
      return "read-only";
    case RegisterAccess::kWrite:
      return "write-only";
    default:
      return "read-write";
  }
}

void PrintRegister(Xml& x, const RegisterEntry& r) {
  x.In("register", [&] {
    Name(x, r.name, r.description);
    x.Text("addressOffset", fmt::format("0x{:02X}", r.address_bytes));
    x.Text("size", "32");
    if (r.is_volatile) x.Text("volatile", "true");
    x.Text("access", AccessName(r.access));
    if (r.reset) x.In("reset", [&] { x.Text("value", fmt::format("0x{:X}", *r.reset)); });
    for (const RegisterField& f : r.fields) {
      x.In("field", [&] {
        Name(x, f.name, f.description);
        x.Text("bitOffset", fmt::format("{}", f.bit));
        x.Text("bitWidth", fmt::format("{}", f.width));
        x.Text("access", AccessName(r.access));
        if (r.access == RegisterAccess::kReadClear) x.Text("modifiedWriteValue", "oneToClear");
      });
    }
  });
}

void MemoryMaps(Xml& x, const Design& d) {
  x.In("memoryMaps", [&] {
    x.In("memoryMap", [&] {
      Name(x, "s_axi");
      x.In("addressBlock", [&] {
        Name(x, "registers", "Bits 7 to 0 of an address count");
        x.Text("baseAddress", "0");
        x.Text("range", "4096");
        x.Text("width", "32");
        x.Text("usage", "register");
        for (const RegisterEntry& r : RegisterMap(d)) PrintRegister(x, r);
      });
    });
  });
}

void Port(Xml& x, const std::string& name, int width, bool is_output) {
  x.In("port", [&] {
    Name(x, name);
    x.In("wire", [&] {
      x.Text("direction", is_output ? "out" : "in");
      if (width == 1) return;
      x.In("vector", [&] {
        x.Text("left", fmt::format("{}", width - 1));
        x.Text("right", "0");
      });
    });
  });
}

void Model(Xml& x, const Design& d) {
  x.In("model", [&] {
    x.In("views", [&] {
      for (const auto& [name, environment] :
           {std::pair{"synthesis", ":vivado.xilinx.com:synthesis"},
            {"simulation", ":vivado.xilinx.com:simulation"}}) {
        x.In("view", [&, name = name, environment = environment] {
          Name(x, name);
          x.Text("envIdentifier", environment);
          x.Text("language", "Verilog");
          x.Text("modelName", "tile_top");
          x.In("fileSetRef", [&] { x.Text("localName", name); });
        });
      }
    });
    x.In("ports", [&] {
      Port(x, "aclk", 1, false);
      Port(x, "aresetn", 1, false);
      Port(x, "irq", 1, true);
      for (const AxiSignal& s : kLiteSignals) {
        Port(x, fmt::format("s_axi_{}", s.name), s.width, s.is_output);
      }
      for (int64_t port = 0; port < d.dma_ports; ++port) {
        for (const AxiSignal& s : kAxiSignals) {
          Port(x, fmt::format("{}_{}", MasterName(port), s.name), s.width, s.is_output);
        }
      }
    });
  });
}

void File(Xml& x, std::string_view path, bool is_synthesis) {
  x.In("file", [&] {
    x.Text("name", path);
    if (path.ends_with(".xdc")) {
      x.Text("userFileType", "xdc");
    } else {
      x.Text("fileType", path.ends_with(".v") ? "verilogSource" : "systemVerilogSource");
    }
    // The primitive, not its model for simulation.
    if (is_synthesis && path.ends_with("dsp48e2_mac.sv")) {
      x.In("define", [&] {
        x.Text("name", "LICHEN_DSP48E2");
        x.Text("value", "1");
      });
    }
  });
}

void FileSets(Xml& x) {
  x.In("fileSets", [&] {
    for (const char* name : {"synthesis", "simulation"}) {
      const bool is_synthesis = std::string_view(name) == "synthesis";
      x.In("fileSet", [&] {
        Name(x, name);
        for (const std::string& path : RtlSources()) File(x, path, is_synthesis);
        File(x, "rtl/tile_top.v", is_synthesis);
        if (is_synthesis) File(x, "constraints/tile.xdc", is_synthesis);
      });
    }
    x.In("fileSet", [&] {
      Name(x, "properties", "Assertions for simulation, which bind themselves to the engine");
      for (const std::string& path : PropertySources()) File(x, path, false);
    });
  });
}

void DesignParameters(Xml& x, const Design& d) {
  x.In("parameters", [&] {
    for (const std::string& parameter : EngineParameters(d)) {
      // -GName=value
      const size_t equals = parameter.find('=');
      Parameter(x, parameter.substr(2, equals - 2), parameter.substr(equals + 1));
    }
  });
}

void VendorExtensions(Xml& x) {
  x.In("vendorExtensions", [&] {
    for (const char* line :
         {"<xilinx:coreExtensions>", "  <xilinx:supportedFamilies>",
          "    <xilinx:family xilinx:lifeCycle=\"Beta\">zynquplus</xilinx:family>",
          "    <xilinx:family xilinx:lifeCycle=\"Beta\">zynquplusRFSOC</xilinx:family>",
          "    <xilinx:family xilinx:lifeCycle=\"Beta\">kintexuplus</xilinx:family>",
          "    <xilinx:family xilinx:lifeCycle=\"Beta\">virtexuplus</xilinx:family>",
          "  </xilinx:supportedFamilies>",
          "  <xilinx:displayName>Lichen tile engine</xilinx:displayName>",
          "  <xilinx:coreRevision>1</xilinx:coreRevision>", "</xilinx:coreExtensions>"}) {
      x.Line(line);
    }
  });
}

}  // namespace

std::string IpXact(const Plan& plan, const std::string& origin) {
  const Design& d = plan.design;
  Xml x;
  x.Line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
  x.Line(fmt::format("<!--{}-->", origin));
  x.Line(
      "<spirit:component xmlns:spirit=\"http://www.spiritconsortium.org/XMLSchema/SPIRIT/"
      "1685-2009\" xmlns:xilinx=\"http://www.xilinx.com\">");
  x.Text("vendor", "lichen");
  x.Text("library", "accel");
  x.Text("name", "tile_top");
  x.Text("version", "1.0");
  BusInterfaces(x, d);
  AddressSpaces(x, d);
  MemoryMaps(x, d);
  Model(x, d);
  FileSets(x);
  x.Text("description", fmt::format("Lichen's tile engine, design {}: {} multiply-accumulates of "
                                    "{} bits per cycle",
                                    d.name, d.MacsPerCycle(), d.operand_bits));
  DesignParameters(x, d);
  VendorExtensions(x);
  x.Line("</spirit:component>");
  return x.text();
}

}  // namespace lichen::tile
