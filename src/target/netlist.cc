#include "target/netlist.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace lichen {
namespace {

using Json = nlohmann::json;

constexpr int kMaxNet = 1 << 26;
constexpr int64_t kOpenDspLevels = 3;

// LUTs of a cell of LUT RAM.
struct LutRam {
  std::string_view type;
  int64_t luts;
};
constexpr LutRam kLutRams[] = {
    {"RAM32M16", 8},  {"RAM32M", 4},    {"RAM64M8", 8},   {"RAM64M", 4},    {"RAM32X1S", 1},
    {"RAM32X1D", 2},  {"RAM64X1S", 1},  {"RAM64X1D", 2},  {"RAM128X1S", 2}, {"RAM128X1D", 4},
    {"RAM256X1S", 4}, {"RAM256X1D", 8}, {"RAM512X1S", 8}, {"RAM64X8SW", 8}, {"RAM32X16DR8", 8}};

int64_t LutsOfRam(std::string_view type) {
  for (const LutRam& ram : kLutRams) {
    if (ram.type == type) return ram.luts;
  }
  return 0;
}

CellKind KindOf(std::string_view type) {
  if (type == "INV" || (type.size() == 4 && type.starts_with("LUT"))) return CellKind::kLut;
  if (type.starts_with("MUXF")) return CellKind::kWideMux;
  if (type == "CARRY4" || type == "CARRY8") return CellKind::kCarry;
  if (type.starts_with("SRL")) return CellKind::kShift;
  if (LutsOfRam(type) > 0) return CellKind::kLutRam;
  if (type == "FDRE" || type == "FDSE" || type == "FDCE" || type == "FDPE") {
    return CellKind::kRegister;
  }
  if (type.starts_with("RAMB18")) return CellKind::kBlockRam18;
  if (type.starts_with("RAMB36")) return CellKind::kBlockRam36;
  if (type == "DSP48E2") return CellKind::kDsp;
  if (type == "GND" || type == "VCC" || type.starts_with("BUFG")) return CellKind::kOther;
  return CellKind::kInstance;
}

// Numbers of Yosys are binary text; parameters that are not there have the cell's default, 1.
bool IsZero(const Json& parameters, const char* name) {
  if (!parameters.contains(name)) return false;
  const Json& value = parameters[name];
  if (value.is_number_integer()) return value == 0;
  return value.is_string() && value.get<std::string>().find('1') == std::string::npos;
}

std::vector<int> Nets(const Json& bits, int& net_count) {
  std::vector<int> nets;
  for (const Json& bit : bits) {
    nets.push_back(-1);
    if (!bit.is_number_integer()) continue;
    nets.back() = bit.get<int>();
    net_count = std::max(net_count, nets.back() + 1);
  }
  return nets;
}

// May throw what the library throws on text of another form.
Result<Netlist> ReadModule(const std::string& name, const Json& module) {
  Netlist netlist;
  netlist.name = name;
  for (const auto& [port, value] : module.at("ports").items()) {
    netlist.ports.push_back(
        {port, value.at("direction") == "output", Nets(value.at("bits"), netlist.net_count)});
  }
  for (const auto& [cell_name, value] : module.at("cells").items()) {
    Cell cell;
    cell.type = value.at("type");
    cell.kind = KindOf(cell.type);
    const Json& parameters = value.at("parameters");
    if (cell.kind == CellKind::kDsp && IsZero(parameters, "MREG") && IsZero(parameters, "PREG")) {
      cell.kind = CellKind::kOpenDsp;
    }
    const Json& directions = value.at("port_directions");
    for (const auto& [pin, bits] : value.at("connections").items()) {
      cell.pins.push_back({pin, directions.at(pin) == "output", Nets(bits, netlist.net_count)});
    }
    netlist.cells.push_back(std::move(cell));
  }
  if (netlist.net_count > kMaxNet) return Fail("module {} has too many nets", name);
  return netlist;
}

// Nets of a whole hierarchy, each with a number of its own; those that ports join are one.
class Graph {
 public:
  Graph(const Netlist& top, const std::function<const Netlist*(const std::string&)>& find)
      : find_(find) {
    Place(top, 0);
  }

  int64_t Longest() {
    for (const Placed& placed : cells_) {
      for (const Pin& pin : placed.cell->pins) {
        if (!pin.is_output) continue;
        for (size_t bit = 0; bit < pin.nets.size(); ++bit) {
          if (pin.nets[bit] >= 0) driver_[Root(placed.base + pin.nets[bit])] = {&placed, bit};
        }
      }
    }
    int64_t longest = 0;
    for (const Placed& placed : cells_) {
      if (!IsEnd(placed.cell->kind)) continue;
      for (const Pin& pin : placed.cell->pins) {
        if (!pin.is_output) longest = std::max(longest, LatestOf(placed, pin, pin.nets.size()));
      }
    }
    for (const int net : outputs_) longest = std::max(longest, Level(net));
    return longest;
  }

 private:
  struct Placed {
    const Cell* cell;
    int base;
  };
  struct Driver {
    const Placed* placed = nullptr;
    size_t bit = 0;
  };

  static bool IsEnd(CellKind kind) {
    return kind != CellKind::kLut && kind != CellKind::kWideMux && kind != CellKind::kCarry &&
           kind != CellKind::kOther;
  }

  // Returns the base of the module's nets.
  int Place(const Netlist& module, int depth) {
    const int base = static_cast<int>(parent_.size());
    for (int net = 0; net < module.net_count; ++net) parent_.push_back(base + net);
    driver_.resize(parent_.size());
    level_.resize(parent_.size(), kUnknown);
    if (depth == 0) {
      for (const Pin& port : module.ports) {
        if (!port.is_output) continue;
        for (const int net : port.nets) {
          if (net >= 0) outputs_.push_back(base + net);
        }
      }
    }
    for (const Cell& cell : module.cells) {
      const Netlist* inside = cell.kind == CellKind::kInstance ? find_(cell.type) : nullptr;
      if (!inside || depth > kMaxDepth) {
        cells_.push_back({&cell, base});
        continue;
      }
      const int inner = Place(*inside, depth + 1);
      for (const Pin& pin : cell.pins) {
        const auto port = std::ranges::find(inside->ports, pin.name, &Pin::name);
        if (port == inside->ports.end()) continue;
        for (size_t bit = 0; bit < std::min(pin.nets.size(), port->nets.size()); ++bit) {
          if (pin.nets[bit] >= 0 && port->nets[bit] >= 0) {
            parent_[static_cast<size_t>(Root(base + pin.nets[bit]))] =
                Root(inner + port->nets[bit]);
          }
        }
      }
    }
    return base;
  }

  int Root(int net) {
    while (parent_[static_cast<size_t>(net)] != net) {
      int& parent = parent_[static_cast<size_t>(net)];
      parent = parent_[static_cast<size_t>(parent)];
      net = parent;
    }
    return net;
  }

  // Of the first `bits` nets of a pin.
  int64_t LatestOf(const Placed& placed, const Pin& pin, size_t bits) {
    int64_t latest = 0;
    for (size_t bit = 0; bit < std::min(bits, pin.nets.size()); ++bit) {
      if (pin.nets[bit] >= 0) latest = std::max(latest, Level(placed.base + pin.nets[bit]));
    }
    return latest;
  }

  // Whether the net comes from a cell of one of these kinds.
  bool IsFrom(const Placed& placed, const Pin& pin, CellKind kind, CellKind other) {
    if (pin.nets.empty() || pin.nets[0] < 0) return false;
    const Driver& driver = driver_[static_cast<size_t>(Root(placed.base + pin.nets[0]))];
    return driver.placed &&
           (driver.placed->cell->kind == kind || driver.placed->cell->kind == other);
  }

  // Levels from registers to a net.
  int64_t Level(int any_net) {
    const auto net = static_cast<size_t>(Root(any_net));
    if (level_[net] != kUnknown) return level_[net];
    level_[net] = 0;  // ends a loop
    const Driver driver = driver_[net];
    if (!driver.placed) return 0;
    const Placed& placed = *driver.placed;
    const CellKind kind = placed.cell->kind;
    if (IsEnd(kind) && kind != CellKind::kLutRam && kind != CellKind::kOpenDsp) return 0;
    int64_t level = kind == CellKind::kLutRam ? 1 : kind == CellKind::kOpenDsp ? kOpenDspLevels : 0;
    for (const Pin& pin : placed.cell->pins) {
      if (pin.is_output) continue;
      int64_t cost = 1;
      size_t bits = pin.nets.size();
      const bool is_address = pin.name.starts_with("A") || pin.name.starts_with("DPRA");
      if (kind == CellKind::kLutRam && !is_address) continue;
      if (kind == CellKind::kOpenDsp) cost = kOpenDspLevels;
      if (kind == CellKind::kCarry) {
        // A bit of the chain depends on those below it; a chain that goes on is one level.
        if (pin.name == "S" || pin.name == "DI") bits = driver.bit + 1;
        if (pin.name == "CI" && IsFrom(placed, pin, CellKind::kCarry, CellKind::kCarry)) cost = 0;
      }
      if (kind == CellKind::kWideMux && pin.name != "S" &&
          IsFrom(placed, pin, CellKind::kLut, CellKind::kWideMux)) {
        cost = 0;
      }
      level = std::max(level, LatestOf(placed, pin, bits) + cost);
    }
    return level_[net] = level;
  }

  static constexpr int kMaxDepth = 16;
  static constexpr int64_t kUnknown = -1;
  const std::function<const Netlist*(const std::string&)>& find_;
  std::vector<Placed> cells_;
  std::vector<int> outputs_;  // of the top
  std::vector<int> parent_;
  std::vector<Driver> driver_;
  std::vector<int64_t> level_;
};

}  // namespace

CellCounts& CellCounts::operator+=(const CellCounts& o) {
  dsp += o.dsp;
  bram18 += o.bram18;
  lut += o.lut;
  lut_memory += o.lut_memory;
  ff += o.ff;
  return *this;
}

CellCounts operator*(int64_t times, CellCounts c) {
  return {times * c.dsp, times * c.bram18, times * c.lut, times * c.lut_memory, times * c.ff};
}

Result<Netlist> ParseNetlist(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("modules")) return Fail("is no netlist of Yosys");
  try {
    for (const auto& [name, module] : json["modules"].items()) {
      const Json attributes = module.value("attributes", Json::object());
      if (attributes.contains("blackbox") || attributes.contains("whitebox")) continue;
      return ReadModule(name, module);
    }
  } catch (const Json::exception& error) {
    return Fail("is no netlist of Yosys ({})", error.what());
  }
  return Fail("holds no module");
}

CellCounts CountCells(const Netlist& netlist) {
  CellCounts counts;
  for (const Cell& cell : netlist.cells) {
    switch (cell.kind) {
      case CellKind::kLut:
        ++counts.lut;
        break;
      case CellKind::kLutRam:
        counts.lut += LutsOfRam(cell.type);
        counts.lut_memory += LutsOfRam(cell.type);
        break;
      case CellKind::kShift:
        ++counts.lut;
        ++counts.lut_memory;
        break;
      case CellKind::kRegister:
        ++counts.ff;
        break;
      case CellKind::kBlockRam18:
        ++counts.bram18;
        break;
      case CellKind::kBlockRam36:
        counts.bram18 += 2;
        break;
      case CellKind::kDsp:
      case CellKind::kOpenDsp:
        ++counts.dsp;
        break;
      case CellKind::kWideMux:
      case CellKind::kCarry:
      case CellKind::kOther:
      case CellKind::kInstance:
        break;
    }
  }
  return counts;
}

int64_t LogicLevels(const Netlist& top,
                    const std::function<const Netlist*(const std::string& type)>& find) {
  return Graph(top, find).Longest();
}

}  // namespace lichen
