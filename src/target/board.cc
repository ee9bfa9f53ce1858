#include "target/board.h"

#include <algorithm>

#include "base/files.h"
#include "base/toml_section.h"

namespace lichen {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;
constexpr int64_t kMaxCount = 1 << 24;

struct BoardFile {
  std::string_view name;
  std::string_view text;
};

constexpr BoardFile kFiles[] = {
#include "target/board_files.inc"
};

std::string_view Stem(std::string_view file) { return file.substr(0, file.rfind('.')); }

}  // namespace

Fit CheckFit(const Resources& used, const Board& board) {
  const struct {
    std::string_view name;
    int64_t used;
    int64_t there;
  } kinds[] = {{"DSP", used.dsp, board.dsp},
               {"BRAM36", used.bram36, board.bram36},
               {"URAM", used.uram, board.uram},
               {"LUT", used.lut, board.lut},
               {"FF", used.ff, board.ff}};
  for (const auto& kind : kinds) {
    if (kind.used <= kind.there) continue;
    return {false,
            fmt::format("{} {} needed, {} has {}", kind.used, kind.name, board.name, kind.there)};
  }
  return {};
}

std::vector<std::string> BoardNames() {
  std::vector<std::string> names;
  for (const BoardFile& file : kFiles) names.emplace_back(Stem(file.name));
  return names;
}

Result<Board> LoadBoard(const std::string& name_or_file) {
  if (name_or_file.ends_with(".toml")) {
    LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(name_or_file, kMaxFileBytes));
    return ParseBoard({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name_or_file);
  }
  for (const BoardFile& file : kFiles) {
    if (Stem(file.name) == name_or_file) return ParseBoard(file.text, name_or_file);
  }
  return FailUsage("no board '{}'; there are {}, or name a .toml file", name_or_file,
                   fmt::join(BoardNames(), ", "));
}

Result<Board> ParseBoard(std::string_view text, const std::string& place) {
  const toml::parse_result parsed = toml::parse(text, place);
  if (!parsed) {
    return Fail("{}: line {}: {}", place, parsed.error().source().begin.line,
                parsed.error().description());
  }
  Board board;
  TomlSection s(parsed.table(), place, "");
  s.Read("name", board.name);
  s.Read("part", board.part);
  s.Read("dsp_kind", board.dsp_kind);
  s.Read("dsp", board.dsp, 0, kMaxCount);
  s.Read("bram36", board.bram36, 0, kMaxCount);
  s.Read("uram", board.uram, 0, kMaxCount);
  s.Read("lut", board.lut, 0, kMaxCount);
  s.Read("ff", board.ff, 0, kMaxCount);
  const toml::node* memory = s.Find("memory");
  const toml::table empty;
  TomlSection m(memory && memory->is_table() ? *memory->as_table() : empty, place, "memory");
  m.Read("kind", board.memory.kind);
  m.Read("peak_gbyte_per_s", board.memory.peak_gbyte_per_s, 0.001, 1e4);
  m.Read("ports", board.memory.ports, 1, 64);
  m.Read("port_bits", board.memory.port_bits, 32, 1024);
  m.Read("latency_ns", board.memory.latency_ns, 0, 1e5);
  m.Read("efficiency", board.memory.efficiency, 0.01, 1);
  m.Read("energy_pj_per_bit", board.memory.energy_pj_per_bit, 0, 1e4);
  if (board.name.empty()) s.Missing("name");
  if (!memory || !memory->is_table() || board.memory.ports == 0) s.Missing("memory");
  LICHEN_TRY_VOID(s.Finish());
  LICHEN_TRY_VOID(m.Finish());
  return board;
}

std::string ToToml(const Board& b) {
  std::string text;
  // Empty texts are left out, since the file may not hold them.
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) text += fmt::format("{} = \"{}\"\n", key, value);
  };
  add("name", b.name);
  add("part", b.part);
  add("dsp_kind", b.dsp_kind);
  text += fmt::format("dsp = {}\nbram36 = {}\nuram = {}\nlut = {}\nff = {}\n", b.dsp, b.bram36,
                      b.uram, b.lut, b.ff);
  const MemoryModel& m = b.memory;
  text += "[memory]\n";
  add("kind", m.kind);
  text += fmt::format("ports = {}\nport_bits = {}\n", m.ports, m.port_bits);
  return text + fmt::format(
                    "peak_gbyte_per_s = {}\nlatency_ns = {}\nefficiency = {}\n"
                    "energy_pj_per_bit = {}\n",
                    m.peak_gbyte_per_s, m.latency_ns, m.efficiency, m.energy_pj_per_bit);
}

}  // namespace lichen
