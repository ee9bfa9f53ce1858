#include "accel/tile/mapping.h"

#include <algorithm>

namespace lichen::tile {
namespace {

// Of instructions (docs/tile.md).
constexpr int64_t kMaxPassGroups = 255;
constexpr int64_t kMaxColumnPitch = 4095;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }

// Elements per pixel in memory with which kernel columns are folded: the channels, or a few more where
// a step of the stride then is whole words; 0: folding saves nothing.
int64_t FoldStride(const Layer& layer, const Design& design) {
  if (layer.Copies() || layer.HasPhases() || layer.groups != 1) return 0;
  const int64_t c = layer.input_channels;
  const int64_t whole = RoundUp(c, design.pif);
  for (int64_t stride = c; stride < whole; ++stride) {
    if (layer.x.stride * stride % design.pif != 0) continue;
    const int64_t shift = RoundUp(layer.x.pad * stride, design.pif) - layer.x.pad * stride;
    const int64_t steps = CeilDiv(layer.x.taps * stride + shift, design.pif);
    return steps < layer.x.taps * whole / design.pif ? stride : 0;
  }
  return 0;
}

void MapInput(const Layer& layer, const Design& design, int64_t input_stride, Mapping& m) {
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
  m.stride_x = layer.x.stride * input_stride / design.pif;
  m.pad_x = CeilDiv(layer.x.pad * input_stride, design.pif);
  m.fold_shift = m.pad_x * design.pif - layer.x.pad * input_stride;
  m.taps_x = CeilDiv(layer.x.taps * input_stride + m.fold_shift, design.pif);
}

// Taps of a strip: the least rectangle of its phases.
Reads ReadsOfStrip(const Layer& layer, const Strip& strip) {
  Reads all = ReadsOf(layer, strip.phase_y, strip.first_x, 0);
  for (int64_t x = strip.first_x; x < strip.first_x + strip.phases_x; ++x) {
    const Reads one = ReadsOf(layer, strip.phase_y, x, 0);
    all.x0 = std::min(all.x0, one.x0);
    all.x1 = std::max(all.x1, one.x1);
  }
  return all;
}

int64_t Taps(const Reads& r) { return (r.y1 - r.y0 + 1) * (r.x1 - r.x0 + 1); }

// Strips with the column phases cut in two at `cut`, those with few taps first, so that lane groups
// have like ones. A cut of 0: none.
std::vector<Strip> CutStrips(const Layer& layer, int64_t cut, int64_t lane_channels) {
  std::vector<Strip> strips;
  for (int64_t y = 0; y < layer.y.phases; ++y) {
    if (cut > 0) strips.push_back({.phase_y = y, .first_x = 0, .phases_x = cut});
    strips.push_back({.phase_y = y, .first_x = cut, .phases_x = layer.x.phases - cut});
  }
  std::ranges::stable_sort(strips, {},
                           [&](const Strip& s) { return Taps(ReadsOfStrip(layer, s)); });
  int64_t lane = 0;
  for (Strip& strip : strips) {
    strip.first_lane = lane;
    lane += strip.phases_x * lane_channels;
  }
  return strips;
}

// What each lane group reads, and from which chunk to which.
std::vector<Pass> GroupPasses(const Layer& layer, const Mapping& m, const Design& design,
                              const std::vector<Strip>& strips, int64_t lane_count) {
  std::vector<Pass> passes;
  size_t at = 0;
  for (int64_t group = 0; group < lane_count / design.pof; ++group) {
    Reads all{layer.y.taps, -1, m.taps_x, -1, layer.input_channels, -1};
    const auto add = [&](const Reads& r) {
      all = {std::min(all.y0, r.y0), std::max(all.y1, r.y1), std::min(all.x0, r.x0),
             std::max(all.x1, r.x1), std::min(all.c0, r.c0), std::max(all.c1, r.c1)};
    };
    for (int64_t lane = group * design.pof; lane < (group + 1) * design.pof; ++lane) {
      while (at + 1 < strips.size() && lane >= strips[at + 1].first_lane) ++at;
      const int64_t in_strip = lane - strips[at].first_lane;
      const int64_t channel = in_strip % m.lane_channels;
      const int64_t x = in_strip / m.lane_channels;
      if (x >= strips[at].phases_x || channel >= layer.output_channels) continue;
      add(ReadsOf(layer, strips[at].phase_y, strips[at].first_x + x, channel));
    }
    // A group of padding alone multiplies one step.
    if (all.y1 < 0) all = {0, 0, 0, 0, 0, 0};
    if (m.is_folded) all.x0 = 0, all.x1 = m.taps_x - 1;
    const int64_t first_chunk = m.is_folded ? 0 : all.c0 / design.pif;
    const int64_t last_chunk = m.is_folded ? 0 : all.c1 / design.pif;
    passes.push_back({.first_group = group,
                      .groups = 1,
                      .tap_y = all.y0,
                      .tap_x = all.x0,
                      .taps_y = all.y1 - all.y0 + 1,
                      .taps_x = all.x1 - all.x0 + 1,
                      .first_chunk = first_chunk,
                      .chunks = last_chunk - first_chunk + 1});
  }
  return passes;
}

// Cycles of the array for a set of all groups.
int64_t SetCycles(const std::vector<Pass>& passes, const Design& design) {
  int64_t cycles = 0;
  for (const Pass& pass : passes) cycles += std::max(pass.Steps(), DrainCycles(design));
  return cycles;
}

// Moves strips to the beginning of a lane group where that takes fewer cycles; returns the lanes.
int64_t AlignStrips(const Layer& layer, const Mapping& m, const Design& design,
                    std::vector<Strip>& strips) {
  // Packed from the beginning of a group: strips [first, end).
  const auto pack = [&](size_t first, size_t end, std::vector<Strip>& packed) {
    packed.assign(strips.begin() + static_cast<int64_t>(first),
                  strips.begin() + static_cast<int64_t>(end));
    int64_t lanes = 0;
    for (Strip& strip : packed) {
      strip.first_lane = lanes;
      lanes += strip.phases_x * m.lane_channels;
    }
    return RoundUp(lanes, design.pof);
  };
  // The least cycles of strips from i on, and how many begin in the first run of groups.
  std::vector<int64_t> least(strips.size() + 1, 0);
  std::vector<size_t> ends(strips.size(), strips.size());
  std::vector<Strip> packed;
  for (size_t i = strips.size(); i-- > 0;) {
    least[i] = INT64_MAX;
    for (size_t end = strips.size(); end > i; --end) {
      const int64_t lanes = pack(i, end, packed);
      const int64_t cycles =
          SetCycles(GroupPasses(layer, m, design, packed, lanes), design) + least[end];
      if (cycles >= least[i]) continue;
      least[i] = cycles;
      ends[i] = end;
    }
  }
  int64_t lanes = 0;
  for (size_t i = 0; i < strips.size(); i = ends[i]) {
    const int64_t more = pack(i, ends[i], packed);
    for (size_t k = 0; k < packed.size(); ++k) {
      strips[i + k].first_lane = lanes + packed[k].first_lane;
    }
    lanes += more;
  }
  return lanes;
}

// The passes of single lane groups, with the strips that take the fewest cycles.
std::vector<Pass> MapLanes(const Layer& layer, const Design& design, int64_t output_stride,
                           Mapping& m) {
  m.stored_channels = output_stride;
  // A norm reads whole words of a phase's channels.
  m.lane_channels = layer.norm ? RoundUp(output_stride, design.pof) : output_stride;
  // Where a phase has whole groups, cuts change nothing; a norm finds phases at even distances.
  const bool may_cut = !layer.norm && m.lane_channels % design.pof != 0 && layer.HasPhases();
  std::vector<Pass> best;
  for (int64_t cut = 0; cut < (may_cut ? layer.x.phases : 1); ++cut) {
    std::vector<Strip> strips = CutStrips(layer, cut, m.lane_channels);
    const int64_t lanes =
        may_cut ? AlignStrips(layer, m, design, strips)
                : RoundUp(layer.y.phases * layer.x.phases * m.lane_channels, design.pof);
    std::vector<Pass> passes = GroupPasses(layer, m, design, strips, lanes);
    if (!best.empty() && SetCycles(passes, design) >= SetCycles(best, design)) continue;
    best = std::move(passes);
    m.strips = std::move(strips);
    m.lane_count = lanes;
  }
  return best;
}

bool SameReads(const Pass& a, const Pass& b) {
  return a.tap_y == b.tap_y && a.tap_x == b.tap_x && a.taps_y == b.taps_y && a.taps_x == b.taps_x &&
         a.first_chunk == b.first_chunk && a.chunks == b.chunks;
}

// Words of weights that each unit, a group of the convolution or of the norm, has in its buffer.
std::vector<int64_t> UnitWords(const std::vector<Pass>& groups, int64_t norm_groups,
                               int64_t norm_words) {
  std::vector<int64_t> words;
  for (const Pass& pass : groups) words.push_back(pass.Words());
  words.insert(words.end(), static_cast<size_t>(norm_groups), norm_words);
  return words;
}

int64_t ParameterWordsOf(int64_t groups, int64_t norm_groups) {
  return (groups > 0 ? 1 + groups : 0) + (norm_groups > 0 ? 1 + 2 * norm_groups : 0);
}

// How many units each block takes, where a block has at most so many words and units.
std::vector<size_t> CutBlocks(const std::vector<int64_t>& units, size_t conv_units, int64_t words,
                              int64_t parameter_words, int64_t most) {
  std::vector<size_t> cut;
  int64_t filled = 0;
  int64_t groups = 0;
  int64_t norm_groups = 0;
  for (size_t i = 0; i < units.size(); ++i) {
    const bool is_norm = i >= conv_units;
    const bool fits = filled + units[i] <= words && groups + norm_groups < most &&
                      ParameterWordsOf(groups + (is_norm ? 0 : 1),
                                       norm_groups + (is_norm ? 1 : 0)) <= parameter_words;
    if (cut.empty() || !fits) {
      cut.push_back(0);
      filled = groups = norm_groups = 0;
    }
    ++cut.back();
    filled += units[i];
    ++(is_norm ? norm_groups : groups);
  }
  return cut;
}

// Appends the units to the block, merging passes of like groups.
void AddUnits(const std::vector<Pass>& groups, size_t first, size_t count, int64_t phases,
              int64_t norm_groups, int64_t norm_chunks, WeightBlock& block) {
  for (size_t i = first; i < first + count; ++i) {
    if (i < groups.size()) {
      Pass pass = groups[i];
      if (block.groups == 0) block.first_group = pass.first_group;
      pass.weight_word = block.weight_words;
      pass.parameter_group = block.groups++;
      block.weight_words += pass.Words();
      Pass* last = block.passes.empty() ? nullptr : &block.passes.back();
      if (last && SameReads(*last, pass) && last->groups < kMaxPassGroups) {
        ++last->groups;
      } else {
        block.passes.push_back(pass);
      }
    } else {
      if (block.norm_groups == 0) block.first_norm_group = static_cast<int64_t>(i - groups.size());
      ++block.norm_groups;
    }
  }
  block.norm_parameter_word = ParameterWordsOf(block.groups, 0);
  block.parameter_words = ParameterWordsOf(block.groups, block.norm_groups);
  if (block.norm_groups == 0) return;
  for (int64_t phase = 0; phase < phases; ++phase) {
    block.norm_passes.push_back({.first_group = phase * norm_groups + block.first_norm_group,
                                 .groups = block.norm_groups,
                                 .taps_y = 1,
                                 .taps_x = 1,
                                 .chunks = norm_chunks,
                                 .weight_word = block.weight_words});
  }
  block.weight_words += block.norm_groups * norm_chunks;
}

Fit TooSmall(const char* what, int64_t there, int64_t needed, std::string_view cure) {
  return {false, fmt::format("{} is {}, {} needed{}", what, there, needed, cure)};
}

}  // namespace

int64_t Mapping::WeightWords() const {
  int64_t words = 0;
  for (const WeightBlock& block : blocks) words += block.weight_words;
  return words;
}

int64_t Mapping::ParameterWords() const {
  int64_t words = 0;
  for (const WeightBlock& block : blocks) words += block.parameter_words;
  return words;
}

MappingChoice MapLayer(const Layer& layer, const Design& design, int64_t input_stride,
                       int64_t output_stride, int64_t block_channels) {
  MappingChoice choice;
  Mapping& m = choice.mapping;
  MapInput(layer, design, input_stride, m);
  const std::vector<Pass> groups = MapLanes(layer, design, output_stride, m);
  const int64_t phases = layer.y.phases * layer.x.phases;
  const int64_t norm_groups = layer.norm ? m.lane_channels / design.pof : 0;
  const int64_t norm_chunks = m.lane_channels / design.pif;
  const std::vector<int64_t> units = UnitWords(groups, norm_groups, norm_chunks);
  const int64_t largest = *std::ranges::max_element(units);
  if (largest > design.weight_buffer_words) {
    choice.fit = TooSmall(
        "weight_buffer_words", design.weight_buffer_words, largest,
        " for one group of pof output channels: sums cannot leave the array before all input "
        "channels are in; a larger buffer or a larger pif mends it");
    return choice;
  }
  const int64_t least_parameters = layer.norm ? 3 : 2;
  if (least_parameters > design.parameter_buffer_words) {
    choice.fit = TooSmall("parameter_buffer_words", design.parameter_buffer_words, least_parameters,
                          " for one group of pof output channels");
    return choice;
  }
  const int64_t most = block_channels > 0 ? CeilDiv(block_channels, design.pof) : INT64_MAX;
  const auto cut_at = [&](int64_t words, int64_t parameters) {
    return CutBlocks(units, groups.size(), words, parameters, most);
  };
  std::vector<size_t> cut = cut_at(design.weight_buffer_words, design.parameter_buffer_words);
  if (block_channels > 0) {
    if (cut.size() > 1 && static_cast<int64_t>(cut.front()) < most) {
      choice.fit = {false, fmt::format("blocks of {} output channels exceed weight_buffer_words {} "
                                       "or parameter_buffer_words {}; pin fewer",
                                       block_channels, design.weight_buffer_words,
                                       design.parameter_buffer_words)};
      return choice;
    }
  } else if (cut.size() > 1) {
    // The next block comes while this one is computed, where two fit; blocks of like size.
    int64_t low = largest;
    int64_t high = std::max(design.weight_buffer_words / 2, largest);
    const int64_t parameters = std::max(design.parameter_buffer_words / 2, least_parameters);
    const size_t count = cut_at(high, parameters).size();
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (cut_at(middle, parameters).size() > count) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    cut = cut_at(high, parameters);
  }
  size_t first = 0;
  for (size_t count : cut) {
    m.blocks.emplace_back();
    AddUnits(groups, first, count, phases, norm_groups, norm_chunks, m.blocks.back());
    first += count;
  }
  return choice;
}

void SizeTile(const Layer& layer, const Design& design, int64_t row_groups, int64_t column_groups,
              LoopOrder order, Mapping& m) {
  m.order = order;
  m.row_groups = row_groups;
  m.column_groups = column_groups;
  m.tile_rows = row_groups * design.poy;
  m.tile_columns = column_groups * design.pox;
  m.tiles_y = CeilDiv(layer.RowPositions(), m.tile_rows);
  m.tiles_x = CeilDiv(layer.ColumnPositions(), m.tile_columns);
  m.input_rows = (m.tile_rows - 1) * layer.y.stride + layer.y.taps;
  m.input_pixels = (m.tile_columns - 1) * m.stride_x + m.taps_x;
  m.row_pitch = CeilDiv(m.input_pixels, m.stride_x * design.pox) * m.stride_x * m.chunks;
  m.input_words = CeilDiv(m.input_rows, layer.y.stride * design.poy) * layer.y.stride * m.row_pitch;
  const int64_t words = m.lane_count / design.epilogue_lanes;
  m.middle_words = layer.norm ? row_groups * column_groups * words : 0;
  m.pixel_words = words;
  if (order == LoopOrder::kBlocks) {
    m.pixel_words = 0;
    for (const WeightBlock& block : m.blocks) {
      m.pixel_words = std::max(m.pixel_words, block.groups * design.pof / design.epilogue_lanes);
    }
  }
  m.output_words = m.tile_rows * m.tile_columns * m.pixel_words;
  m.stores_pixels = order == LoopOrder::kBlocks || layer.output_channels != layer.tensor_channels;
}

bool MayLoopBlocksOutside(const Layer& layer, const Mapping& m) {
  return m.blocks.size() > 1 && !layer.norm && !layer.HasPhases();
}

bool CanPoolTiles(const Layer& layer, const Mapping& m) {
  if (!layer.pools) return true;
  if (m.stores_pixels && m.tile_columns * m.pixel_words > kMaxColumnPitch) return false;
  return (m.tiles_y == 1 || m.tile_rows % 2 == 0) && (m.tiles_x == 1 || m.tile_columns % 2 == 0);
}

int64_t TensorStride(const std::vector<Layer>& layers, TensorId tensor, int64_t channels,
                     const Design& design) {
  // As all readers fold it, or in whole words.
  int64_t stride = 0;
  for (const Layer& layer : layers) {
    if (layer.input != tensor) continue;
    const int64_t folded = FoldStride(layer, design);
    const int64_t wanted = folded > 0 ? folded : RoundUp(channels, design.pif);
    stride = stride == 0 || stride == wanted ? wanted : RoundUp(channels, design.pif);
  }
  if (stride == 0) stride = channels;
  for (const Layer& layer : layers) {
    const bool is_whole = layer.output_channels == layer.tensor_channels;
    if (layer.output == tensor && layer.norm && is_whole) stride = RoundUp(stride, design.pof);
  }
  return stride;
}

int64_t OutputStride(const std::vector<Layer>& layers, const Layer& layer, const Design& design) {
  const int64_t whole = TensorStride(layers, layer.output, layer.tensor_channels, design);
  // Behind a Concat's last input comes what the whole is padded with.
  return layer.output_channels + (layer.IsLastPart() ? whole - layer.tensor_channels : 0);
}

}  // namespace lichen::tile
