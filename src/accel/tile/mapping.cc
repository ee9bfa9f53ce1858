#include "accel/tile/mapping.h"

#include <algorithm>

namespace lichen::tile {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }

bool CanFold(const Layer& layer, const Design& design) {
  const int64_t c = layer.input_channels;
  return !layer.is_transposed && c % design.pif != 0 && layer.x.stride * c % design.pif == 0;
}

void MapInput(const Layer& layer, const Design& design, int64_t input_stride, Mapping& m) {
  const int64_t c = layer.input_channels;
  m.is_folded = input_stride % design.pif != 0;
  m.pixel_elements = input_stride;
  if (!m.is_folded) {
    m.chunks = m.pixel_elements / design.pif;
    m.taps_x = layer.x.taps;
    m.stride_x = layer.x.stride;
    m.pad_x = layer.x.pad;
    return;
  }
  m.chunks = 1;
  m.stride_x = layer.x.stride * c / design.pif;
  m.pad_x = CeilDiv(layer.x.pad * c, design.pif);
  m.fold_shift = m.pad_x * design.pif - layer.x.pad * c;
  m.taps_x = CeilDiv(layer.x.taps * c + m.fold_shift, design.pif);
}

// The taps that lanes [first, first + pof) need.
Pass GroupPass(const Layer& layer, const Mapping& m, const Design& design, int64_t group) {
  Pass pass{.first_group = group, .groups = 1};
  if (!layer.is_transposed) {
    pass.taps_y = layer.y.taps;
    pass.taps_x = m.taps_x;
    return pass;
  }
  int64_t y0 = layer.y.taps, y1 = -1, x0 = layer.x.taps, x1 = -1;
  const int64_t end =
      std::min((group + 1) * design.pof, layer.y.phases * layer.x.phases * m.lane_channels);
  for (int64_t lane = group * design.pof; lane < end; ++lane) {
    const int64_t phase = lane / m.lane_channels;
    const auto& py =
        layer.y
            .phase[static_cast<size_t>(layer.y.order[static_cast<size_t>(phase / layer.x.phases)])];
    const auto& px =
        layer.x
            .phase[static_cast<size_t>(layer.x.order[static_cast<size_t>(phase % layer.x.phases)])];
    y0 = std::min(y0, py.first_tap);
    y1 = std::max(y1, py.last_tap);
    x0 = std::min(x0, px.first_tap);
    x1 = std::max(x1, px.last_tap);
  }
  pass.tap_y = y0;
  pass.tap_x = x0;
  pass.taps_y = y1 - y0 + 1;
  pass.taps_x = x1 - x0 + 1;
  return pass;
}

bool SameTaps(const Pass& a, const Pass& b) {
  return a.tap_y == b.tap_y && a.tap_x == b.tap_x && a.taps_y == b.taps_y && a.taps_x == b.taps_x;
}

void MapLanes(const Layer& layer, const Design& design, int64_t output_stride, Mapping& m) {
  const int64_t phases = layer.y.phases * layer.x.phases;
  m.lane_channels = output_stride;
  m.lane_count = RoundUp(phases * m.lane_channels, design.pof);
  for (int64_t group = 0; group < m.lane_count / design.pof; ++group) {
    Pass pass = GroupPass(layer, m, design, group);
    if (!m.passes.empty() && SameTaps(m.passes.back(), pass)) {
      ++m.passes.back().groups;
    } else {
      m.passes.push_back(pass);
    }
  }
  for (Pass& pass : m.passes) {
    pass.weight_word = m.weight_words;
    m.weight_words += pass.Words(m.chunks);
  }
  m.norm_weight_word = m.weight_words;
  m.parameter_words = 1 + m.lane_count / design.pof;
  if (!layer.norm) return;
  const int64_t groups = m.lane_channels / design.pof;
  for (int64_t phase = 0; phase < phases; ++phase) {
    m.norm_passes.push_back({.first_group = phase * groups,
                             .groups = groups,
                             .tap_y = 0,
                             .tap_x = 0,
                             .taps_y = 1,
                             .taps_x = 1,
                             .weight_word = m.norm_weight_word});
  }
  m.weight_words += groups * (m.lane_channels / design.pif);
  m.norm_parameter_word = m.parameter_words;
  m.parameter_words += 1 + 2 * groups;
}

}  // namespace

void SizeTile(const Layer& layer, const Design& design, int64_t row_groups, int64_t column_groups,
              Mapping& m) {
  m.row_groups = row_groups;
  m.column_groups = column_groups;
  m.tile_rows = row_groups * design.poy;
  m.tile_columns = column_groups * design.pox;
  m.tiles_y = CeilDiv(layer.y.Positions(), m.tile_rows);
  m.tiles_x = CeilDiv(layer.x.Positions(), m.tile_columns);
  m.input_rows = (m.tile_rows - 1) * layer.y.stride + layer.y.taps;
  m.input_pixels = (m.tile_columns - 1) * m.stride_x + m.taps_x;
  m.row_pitch = CeilDiv(m.input_pixels, m.stride_x * design.pox) * m.stride_x * m.chunks;
  m.input_words = CeilDiv(m.input_rows, layer.y.stride * design.poy) * layer.y.stride * m.row_pitch;
  const int64_t pixel_words = m.lane_count / design.epilogue_lanes;
  m.middle_words = layer.norm ? row_groups * column_groups * pixel_words : 0;
  m.output_words = m.tile_rows * m.tile_columns * pixel_words;
}

// What does not fit; two tiles of input and output are there at a time.
Fit FitBuffers(const Mapping& m, const Design& d) {
  const struct {
    const char* what;
    int64_t needed;
    int64_t there;
  } buffers[] = {
      {"input_buffer_words", 2 * m.input_words, d.input_buffer_words},
      {"weight_buffer_words", m.weight_words, d.weight_buffer_words},
      {"parameter_buffer_words", m.parameter_words, d.parameter_buffer_words},
      {"middle_buffer_words", m.middle_words, d.middle_buffer_words},
      {"output_buffer_words", 2 * m.output_words, d.output_buffer_words},
  };
  for (const auto& buffer : buffers) {
    if (buffer.needed <= buffer.there) continue;
    return {false, fmt::format("{} is {}, {} needed", buffer.what, buffer.there, buffer.needed)};
  }
  return {};
}

Mapping MapLayer(const Layer& layer, const Design& design, int64_t input_stride,
                 int64_t output_stride) {
  Mapping m;
  MapInput(layer, design, input_stride, m);
  MapLanes(layer, design, output_stride, m);
  return m;
}

LayerCycles CountCycles(const Mapping& m, const Design& d) {
  const int64_t tiles = m.tiles_y * m.tiles_x;
  const int64_t load = m.input_rows * m.input_pixels * m.chunks;
  const int64_t store = m.output_words;
  return {.array = tiles * TileCycles(m, d),
          .load = tiles * load,
          .store = tiles * store,
          .ends = load + store};
}

int64_t InputStride(const Layer& layer, const Design& design) {
  return CanFold(layer, design) ? layer.input_channels : RoundUp(layer.input_channels, design.pif);
}

int64_t OutputStride(const Layer& layer, const Design& design, int64_t wanted) {
  // A norm reads whole words of a phase's channels.
  return layer.norm ? RoundUp(wanted, design.pof) : wanted;
}

int64_t TileCycles(const Mapping& m, const Design& d) {
  const int64_t sets = m.row_groups * m.column_groups;
  const int64_t drain = DrainCycles(d);
  int64_t cycles = 0;
  for (const Pass& pass : m.passes) {
    const int64_t steps = std::max(pass.taps_y * pass.taps_x * m.chunks, drain);
    cycles += std::max(sets * pass.groups * steps, kPrepareCycles);
  }
  // Norms begin when the epilogue has written the middle buffer.
  if (!m.norm_passes.empty()) cycles += drain + EpilogueLatency(d) + 1;
  for (const Pass& pass : m.norm_passes) {
    const int64_t steps = std::max(m.lane_channels / d.pif, drain);
    cycles += std::max(sets * pass.groups * steps, kPrepareCycles);
  }
  return cycles;
}

int64_t WeightStall(const Mapping& m, const Mapping* before, const Design& d) {
  if (before && m.weight_words + before->weight_words <= d.weight_buffer_words &&
      m.parameter_words + before->parameter_words <= d.parameter_buffer_words) {
    return 0;
  }
  const int64_t bytes =
      m.weight_words * d.WeightWordBytes() + m.parameter_words * d.ParameterWordBytes();
  const int64_t first_load = m.input_rows * m.input_pixels * m.chunks;
  return std::max<int64_t>(0, bytes / (d.dma_bits / 8) - first_load);
}

MappingChoice ChooseMapping(const Layer& layer, const Design& design, int64_t input_stride,
                            int64_t output_stride) {
  const Mapping base = MapLayer(layer, design, input_stride, output_stride);
  const auto pin = std::ranges::find(design.tiles, layer.name, &PinnedTile::layer);
  const bool is_pinned = pin != design.tiles.end();
  const int64_t pinned_rows = is_pinned ? pin->rows : design.tile_rows;
  const int64_t pinned_columns = is_pinned ? pin->columns : design.tile_columns;
  MappingChoice best{.fit = {false, ""}, .mapping = {}};
  int64_t best_cycles = 0;
  const int64_t all_rows = CeilDiv(layer.y.Positions(), design.poy);
  const int64_t all_columns = CeilDiv(layer.x.Positions(), design.pox);
  for (int64_t columns = 1; columns <= std::min<int64_t>(all_columns, 1023); ++columns) {
    if (pinned_columns > 0 && columns != CeilDiv(pinned_columns, design.pox)) continue;
    for (int64_t rows = 1; rows <= std::min<int64_t>(all_rows, 64); ++rows) {
      if (pinned_rows > 0 && rows != CeilDiv(pinned_rows, design.poy)) continue;
      Mapping m = base;
      SizeTile(layer, design, rows, columns, m);
      const Fit fit = FitBuffers(m, design);
      if (!fit.ok) {
        if (!best.fit.ok && best.fit.reason.empty()) best.fit = fit;
        break;  // more rows need more
      }
      const int64_t cycles = CountCycles(m, design).Sum();
      if (!best.fit.ok || cycles < best_cycles) {
        best = {.fit = {}, .mapping = std::move(m)};
        best_cycles = cycles;
      }
    }
  }
  if (!best.fit.ok && best.fit.reason.empty()) best.fit.reason = "no tile of the pinned size";
  return best;
}

}  // namespace lichen::tile
