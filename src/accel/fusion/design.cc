#include "accel/fusion/design.h"

#include <bit>
#include <vector>

#include "base/files.h"
#include "base/toml_section.h"

namespace lichen::fusion {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;
constexpr int64_t kMaxWords = 65536;

struct Key {
  const char* name;
  int64_t Design::*value;
  int64_t min;
  int64_t max;
};
constexpr Key kKeys[] = {
    {"rows", &Design::rows, 1, 64},
    {"columns", &Design::columns, 4, 64},
    {"column_sets", &Design::column_sets, 1, 4},
    {"input_buffer_words", &Design::input_buffer_words, 16, kMaxWords},
    {"weight_buffer_words", &Design::weight_buffer_words, 16, kMaxWords},
    {"step_buffer_words", &Design::step_buffer_words, 16, 8192},
    {"parameter_buffer_words", &Design::parameter_buffer_words, 16, 2048},
    {"output_buffer_words", &Design::output_buffer_words, 16, kMaxWords},
    {"program_words", &Design::program_words, 16, kMaxWords},
};

}  // namespace

Result<void> CheckDesign(const Design& d) {
  for (const Key& key : kKeys) {
    const int64_t value = d.*key.value;
    if (value < key.min || value > key.max || !std::has_single_bit(static_cast<uint64_t>(value))) {
      return Fail("{} is {}: must be a power of two, {} to {}", key.name, value, key.min, key.max);
    }
  }
  if (d.column_sets > d.columns) {
    return Fail("column_sets is {}, more than the {} columns", d.column_sets, d.columns);
  }
  if (!(d.clock_mhz > 0 && d.clock_mhz <= 200)) {
    return Fail("clock_mhz is {}: must be above 0, at most 200", d.clock_mhz);
  }
  return {};
}

Fit CheckBoard(const Design& design, const Board& board) {
  constexpr int64_t kPorts = 2;
  if (board.memory.ports < kPorts || board.memory.port_bits < 8 * kBeatBytes) {
    return {false,
            fmt::format("{} needs {} memory ports of {} bits, {} has {} of {}",
                        design.name.empty() ? "the machine" : design.name, kPorts, 8 * kBeatBytes,
                        board.name, board.memory.ports, board.memory.port_bits)};
  }
  return {};
}

Result<Design> ParseDesign(std::string_view text, const std::string& place) {
  const toml::parse_result parsed = toml::parse(text, place);
  if (!parsed) {
    return Fail("{}: line {}: {}", place, parsed.error().source().begin.line,
                parsed.error().description());
  }
  Design d;
  TomlSection s(parsed.table(), place, "");
  s.Read("name", d.name);
  std::string family = "fusion";
  s.Read("family", family);
  for (const Key& key : kKeys) s.Read(key.name, d.*key.value, 1, kMaxWords);
  s.Read("clock_mhz", d.clock_mhz, 1, 1000);
  LICHEN_TRY_VOID(s.Finish());
  if (family != "fusion") return Fail("{}: family '{}' is not 'fusion'", place, family);
  LICHEN_TRY_VOID(InPlace(place, CheckDesign(d)));
  return d;
}

Result<Design> LoadDesign(const std::filesystem::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, kMaxFileBytes));
  LICHEN_TRY(Design design, ParseDesign({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                        path.string()));
  if (design.name.empty()) design.name = path.stem().string();
  return design;
}

std::string ToToml(const Design& d) {
  std::string text = "family = \"fusion\"\n";
  if (!d.name.empty()) text += fmt::format("name = \"{}\"\n", d.name);
  for (const Key& key : kKeys) text += fmt::format("{} = {}\n", key.name, d.*key.value);
  text += fmt::format("clock_mhz = {}\n", d.clock_mhz);
  return text;
}

}  // namespace lichen::fusion
