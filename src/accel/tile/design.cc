#include "accel/tile/design.h"

#include <algorithm>

#include "base/files.h"
#include "base/toml_section.h"

namespace lichen::tile {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;
constexpr int64_t kMaxWords = 65536;

bool IsPowerOfTwo(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

// The tables [[tile]], each with the layer's name and what is pinned.
Result<void> ReadTiles(TomlSection& s, const std::string& place, std::vector<PinnedTile>& tiles) {
  const toml::node* node = s.Find("tile");
  if (!node) return {};
  const toml::array* array = node->as_array();
  if (!array) {
    s.Refuse(*node, "tile", "must be tables [[tile]]");
    return {};
  }
  for (const toml::node& element : *array) {
    const toml::table* table = element.as_table();
    if (!table) {
      s.Refuse(element, "tile", "must be tables [[tile]]");
      return {};
    }
    TomlSection t(*table, place, "tile");
    PinnedTile tile;
    t.Read("layer", tile.layer);
    t.Read("rows", tile.rows, 1, kMaxWords);
    t.Read("columns", tile.columns, 1, kMaxWords);
    t.Read("output_channels", tile.output_channels, 1, kMaxWords);
    t.Read("input_channels", tile.input_channels, 1, kMaxWords);
    if (tile.layer.empty()) t.Missing("layer");
    LICHEN_TRY_VOID(t.Finish());
    tiles.push_back(std::move(tile));
  }
  return {};
}

}  // namespace

PinnedTile Design::PinOf(const std::string& layer) const {
  PinnedTile pin{layer, tile_rows, tile_columns, tile_output_channels, tile_input_channels};
  const auto own = std::ranges::find(tiles, layer, &PinnedTile::layer);
  if (own == tiles.end()) return pin;
  if (own->rows > 0) pin.rows = own->rows;
  if (own->columns > 0) pin.columns = own->columns;
  if (own->output_channels > 0) pin.output_channels = own->output_channels;
  if (own->input_channels > 0) pin.input_channels = own->input_channels;
  return pin;
}

Fit CheckBoard(const Design& d, const Board& board) {
  if (board.dsp_kind != "dsp48e2") {
    return {false,
            fmt::format("the engine is built of DSP48E2, {} has {}", board.name, board.dsp_kind)};
  }
  if (d.dma_ports > board.memory.ports) {
    return {false,
            fmt::format("dma_ports is {}, {} has {}", d.dma_ports, board.name, board.memory.ports)};
  }
  if (d.dma_bits > board.memory.port_bits) {
    return {false, fmt::format("dma_bits is {}, ports of {} have {}", d.dma_bits, board.name,
                               board.memory.port_bits)};
  }
  return {};
}

Result<void> CheckDesign(const Design& d) {
  for (const auto& [name, value] :
       {std::pair{"pif", d.pif}, {"pof", d.pof}, {"epilogue_lanes", d.epilogue_lanes}}) {
    if (!IsPowerOfTwo(value) || value > 256) {
      return Fail("{} is {}: must be a power of two up to 256", name, value);
    }
  }
  for (const auto& [name, value] : {std::pair{"poy", d.poy}, {"pox", d.pox}}) {
    if (value < 1 || value > 32) return Fail("{} is {}: must be 1 to 32", name, value);
  }
  if (d.epilogue_lanes < 2) return Fail("epilogue_lanes is 1: must be at least 2");
  if (d.WeightWordBytes() % 16 != 0) {
    return Fail("pif {} times pof {} make words of {} bytes: must be a multiple of 16", d.pif,
                d.pof, d.WeightWordBytes());
  }
  if (d.operand_bits != 16 && d.operand_bits != 8) {
    return Fail("operand_bits is {}: must be 16 or 8", d.operand_bits);
  }
  if (d.pof % d.epilogue_lanes != 0) {
    return Fail("epilogue_lanes {} does not divide pof {}", d.epilogue_lanes, d.pof);
  }
  if (d.epilogue_lanes % d.pif != 0) {
    return Fail("pif {} does not divide epilogue_lanes {}", d.pif, d.epilogue_lanes);
  }
  if (d.operand_bits == 8 && d.pof % 2 != 0) return Fail("8-bit lanes come in pairs: pof is odd");
  for (const auto& [name, value] : {std::pair{"input_buffer_words", d.input_buffer_words},
                                    {"weight_buffer_words", d.weight_buffer_words},
                                    {"middle_buffer_words", d.middle_buffer_words},
                                    {"output_buffer_words", d.output_buffer_words}}) {
    if (value < 16 || value > kMaxWords) {
      return Fail("{} is {}: must be 16 to {}", name, value, kMaxWords);
    }
  }
  if (d.parameter_buffer_words < 4 || d.parameter_buffer_words > 4096) {
    return Fail("parameter_buffer_words is {}: must be 4 to 4096", d.parameter_buffer_words);
  }
  if (d.dma_ports != 1 && d.dma_ports != 2 && d.dma_ports != 4) {
    return Fail("dma_ports is {}: must be 1, 2 or 4", d.dma_ports);
  }
  if (d.dma_bits != 128) return Fail("dma_bits is {}: must be 128", d.dma_bits);
  // More would be a claim: synthesis shows more than 8 logic levels (docs/tile.md).
  if (!(d.clock_mhz > 0 && d.clock_mhz <= 200)) {
    return Fail("clock_mhz is {}: must be above 0, at most 200", d.clock_mhz);
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
  std::string family = "tile";
  s.Read("family", family);
  s.Read("pif", d.pif, 1, 256);
  s.Read("pof", d.pof, 1, 256);
  s.Read("poy", d.poy, 1, 256);
  s.Read("pox", d.pox, 1, 256);
  s.Read("operand_bits", d.operand_bits, 1, 64);
  s.Read("epilogue_lanes", d.epilogue_lanes, 1, 256);
  s.Read("input_buffer_words", d.input_buffer_words, 1, kMaxWords);
  s.Read("weight_buffer_words", d.weight_buffer_words, 1, kMaxWords);
  s.Read("parameter_buffer_words", d.parameter_buffer_words, 1, kMaxWords);
  s.Read("middle_buffer_words", d.middle_buffer_words, 1, kMaxWords);
  s.Read("output_buffer_words", d.output_buffer_words, 1, kMaxWords);
  s.Read("dma_ports", d.dma_ports, 1, 64);
  s.Read("dma_bits", d.dma_bits, 8, 4096);
  s.Read("clock_mhz", d.clock_mhz, 1, 1000);
  s.Read("tile_rows", d.tile_rows, 0, kMaxWords);
  s.Read("tile_columns", d.tile_columns, 0, kMaxWords);
  s.Read("tile_output_channels", d.tile_output_channels, 0, kMaxWords);
  s.Read("tile_input_channels", d.tile_input_channels, 0, kMaxWords);
  LICHEN_TRY_VOID(ReadTiles(s, place, d.tiles));
  LICHEN_TRY_VOID(s.Finish());
  if (family != "tile") return Fail("{}: family '{}' is not 'tile'", place, family);
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
  std::string text = "family = \"tile\"\n";
  if (!d.name.empty()) text += fmt::format("name = \"{}\"\n", d.name);
  for (const auto& [key, value] : {std::pair{"pif", d.pif},
                                   {"pof", d.pof},
                                   {"poy", d.poy},
                                   {"pox", d.pox},
                                   {"operand_bits", d.operand_bits},
                                   {"epilogue_lanes", d.epilogue_lanes},
                                   {"input_buffer_words", d.input_buffer_words},
                                   {"weight_buffer_words", d.weight_buffer_words},
                                   {"parameter_buffer_words", d.parameter_buffer_words},
                                   {"middle_buffer_words", d.middle_buffer_words},
                                   {"output_buffer_words", d.output_buffer_words},
                                   {"dma_ports", d.dma_ports},
                                   {"dma_bits", d.dma_bits},
                                   {"tile_rows", d.tile_rows},
                                   {"tile_columns", d.tile_columns},
                                   {"tile_output_channels", d.tile_output_channels},
                                   {"tile_input_channels", d.tile_input_channels}}) {
    text += fmt::format("{} = {}\n", key, value);
  }
  text += fmt::format("clock_mhz = {}\n", d.clock_mhz);
  for (const PinnedTile& tile : d.tiles) {
    text += fmt::format("\n[[tile]]\nlayer = \"{}\"\n", tile.layer);
    for (const auto& [key, value] : {std::pair{"rows", tile.rows},
                                     {"columns", tile.columns},
                                     {"output_channels", tile.output_channels},
                                     {"input_channels", tile.input_channels}}) {
      if (value > 0) text += fmt::format("{} = {}\n", key, value);
    }
  }
  return text;
}

}  // namespace lichen::tile
