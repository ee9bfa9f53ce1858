#include "accel/fusion/mapping.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace lichen::fusion {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUp(int64_t a, int64_t b) { return CeilDivide(a, b) * b; }

constexpr int64_t kMaxPixelWords = 1023;

int64_t WordsOf(const std::vector<Run>& runs, const Pass& pass) {
  int64_t words = 0;
  for (const Run& run : runs) words += CeilDivide(run.length, pass.Elements());
  return words;
}

// The rest of a mapping that has groups, kind and fold; or what is too small.
Result<void> Complete(const Layer& layer, const Design& d, Mapping& m) {
  m.slots = d.rows / m.groups * m.fold;
  m.lanes = d.columns / m.fold;
  m.words = CeilDivide(layer.output_channels, m.lanes);
  m.block_channels = m.lanes * (m.kind == GroupKind::kChannels ? m.groups : 1);
  m.result_bytes = layer.output_bits <= 8 ? 1 : layer.output_bits <= 16 ? 2 : 4;
  if (m.words > kMaxPixelWords) {
    return Fail("its {} channels are {} words of the output buffer, at most {} can be",
                layer.output_channels, m.words, kMaxPixelWords);
  }
  m.steps = 0;
  m.block_words = 0;
  m.blocks = 1;  // of which grouped convolutions have one
  const std::vector<Run> runs = RunsOf(layer, m, 0);
  for (const Pass& pass : PassesOf(layer)) {
    const int64_t turns = CeilDivide(WordsOf(runs, pass), m.slots);
    m.steps += turns * pass.Parts();
    // The first of the passes that share words.
    if (pass.x.offset == 0) m.block_words += CeilDivide(turns, pass.least_x_digits);
  }
  if (m.steps > d.step_buffer_words / 2) {
    return Fail(
        "its windows take {} steps, a page of the step buffer holds {}: step_buffer_words is "
        "too small",
        m.steps, d.step_buffer_words / 2);
  }
  const int64_t total = CeilDivide(layer.output_channels, m.block_channels);
  int64_t most = d.weight_buffer_words / 2 / m.block_words;
  if (most == 0) {
    return Fail(
        "the weights of {} output channels take {} words, a page of the weight buffer holds "
        "{}: weight_buffer_words is too small",
        m.block_channels, m.block_words, d.weight_buffer_words / 2);
  }
  const int64_t words_per_block = m.kind == GroupKind::kChannels ? m.groups : 1;
  most = std::min(most, (d.parameter_buffer_words / 2 - 1) / words_per_block);
  if (most == 0) {
    return Fail(
        "the parameters of {} output channels take {} words, a page of the parameter buffer "
        "holds {}: parameter_buffer_words is too small",
        m.block_channels, 1 + words_per_block, d.parameter_buffer_words / 2);
  }
  if (layer.node->geometry.groups > 1) most = 1;
  m.chunks = CeilDivide(total, most);
  m.blocks = CeilDivide(total, m.chunks);
  return {};
}

// Where the planes of a tile of `rows` rows of output lie; false: they do not fit.
bool PlaceTile(const Layer& layer, const Border& border, const Design& d, int64_t rows,
               Mapping& m) {
  const std::vector<Plane> planes = PlanesOf(layer.input_bits, layer.is_input_signed);
  const int64_t elements = (border.left + layer.input_size.w + border.right) * layer.input_channels;
  m.tile_rows = rows;
  m.tiles = CeilDivide(layer.output_size.h, rows);
  m.tile_input_rows = InputRows(layer, rows);
  m.pitch = 0;
  for (const Plane& plane : planes) {
    const int64_t digits = RowBeats(elements, plane) * kBeatDigits;
    m.pitch = std::max(m.pitch, RoundUp(CeilDivide(digits, plane.digits), kBeatDigits));
  }
  m.plane_base.clear();
  int64_t words = 0;
  for (const Plane& plane : planes) {
    m.plane_base.push_back(words);
    words += m.tile_input_rows * m.pitch * plane.digits / kWordDigits;
  }
  const int64_t outputs = rows * layer.output_size.w * m.words * m.result_bytes;
  return words + 1 <= d.input_buffer_words / 2 && outputs <= d.output_buffer_words / 2;
}

// Of a layer whose tiles are placed.
int64_t EstimateCycles(const Layer& layer, const Border& border, const Design& d,
                       const Mapping& m) {
  const int64_t elements = (border.left + layer.input_size.w + border.right) * layer.input_channels;
  int64_t load = 0;
  for (const Plane& plane : PlanesOf(layer.input_bits, layer.is_input_signed)) {
    load += 2 * m.tile_input_rows * RowBeats(elements, plane);
  }
  int64_t store = 0;
  for (const Plane& plane : PlanesOf(layer.output_bits, layer.is_output_signed)) {
    store += m.tile_rows * std::max(layer.output_size.w * m.words,
                                    RowBeats(layer.output_size.w * layer.output_channels, plane));
  }
  const int64_t weights = SetBeats(d, m) * m.chunks * (m.chunks > 1 ? m.tiles : 1);
  const int64_t array =
      ArrayCycles(layer, m, layer.output_size.h) + m.tiles * m.chunks * ComputeOverhead(m, d);
  return std::max({array, weights, load * m.tiles, store * m.tiles}) + load + store;
}

}  // namespace

std::vector<Pass> PassesOf(const Layer& layer) {
  const std::vector<Plane> x_planes = PlanesOf(layer.input_bits, layer.is_input_signed);
  const int64_t least = std::ranges::min(x_planes, {}, &Plane::digits).digits;
  std::vector<Pass> passes;
  for (const Plane& w : PlanesOf(layer.weight_bits, true)) {
    for (const Plane& x : x_planes) passes.push_back({x, w, least});
  }
  return passes;
}

Border NeededBorder(const Layer& layer) {
  const Geometry& g = layer.node->geometry;
  const int64_t rows = InputRows(layer, layer.output_size.h);
  const int64_t columns = (layer.output_size.w * layer.PoolSize() - 1) * g.stride_w + g.kernel_w;
  return {.top = g.pad_top,
          .bottom = std::max<int64_t>(0, rows - g.pad_top - layer.input_size.h),
          .left = g.pad_left,
          .right = std::max<int64_t>(0, columns - g.pad_left - layer.input_size.w)};
}

std::vector<Run> RunsOf(const Layer& layer, const Mapping& m, int64_t chunk) {
  const Geometry& g = layer.node->geometry;
  const int64_t channels = layer.input_channels;
  std::vector<Run> runs;
  if (g.groups == 1) {
    for (int64_t ky = 0; ky < g.kernel_h; ++ky) runs.push_back({ky, 0, g.kernel_w * channels});
    return runs;
  }
  // The channels that the groups of a chunk's lanes read; all chunks take as many.
  const int64_t group_in = channels / g.groups;
  const int64_t group_out = layer.output_channels / g.groups;
  const int64_t span = m.block_channels * m.blocks;
  int64_t length = 0;
  for (int64_t first = 0; first < layer.output_channels; first += span) {
    const int64_t last = std::min(first + span, layer.output_channels) - 1;
    length = std::max(length, (last / group_out - first / group_out + 1) * group_in);
  }
  const int64_t first = std::min(chunk * span / group_out * group_in, channels - length);
  for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
    for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
      runs.push_back({ky, kx * channels + first, length});
    }
  }
  return runs;
}

int64_t InputRows(const Layer& layer, int64_t rows) {
  const Geometry& g = layer.node->geometry;
  return (rows * layer.PoolSize() - 1) * g.stride_h + g.kernel_h;
}

int64_t RowBeats(int64_t elements, const Plane& plane) {
  return CeilDivide(elements * plane.digits, kBeatDigits);
}

int64_t ArrayCycles(const Layer& layer, const Mapping& m, int64_t rows) {
  const int64_t pool = layer.PoolSize();
  const int64_t sets =
      m.blocks * m.chunks * rows * m.ColumnGroups(layer.output_size.w) * pool * pool;
  return sets * std::max(m.steps, m.groups * m.result_bytes);
}

int64_t ComputeOverhead(const Mapping& m, const Design& d) {
  constexpr int64_t kPipeline = 36;  // of operands, units, requantiser and tokens
  return kPipeline + d.rows + std::countr_zero(static_cast<uint64_t>(d.rows)) +
         m.groups * m.result_bytes;
}

int64_t SetBeats(const Design& d, const Mapping& m) {
  const int64_t words_per_block = m.kind == GroupKind::kChannels ? m.groups : 1;
  const int64_t weights = m.blocks * m.block_words * m.WordRows(d) * d.columns * 4 / kBeatBytes;
  const int64_t parameters = (1 + m.blocks * words_per_block) * d.columns;
  return weights + m.steps * d.StepBeats() + parameters;
}

Result<Mapping> ChooseMapping(const Layer& layer, const Border& border, const Design& d) {
  std::optional<Mapping> best;
  int64_t best_cycles = 0;
  Result<void> problem;
  for (GroupKind kind : {GroupKind::kWindows, GroupKind::kChannels}) {
    if (kind == GroupKind::kChannels && layer.node->geometry.groups > 1) continue;
    for (int64_t groups = 1; groups <= d.rows; groups *= 2) {
      for (int64_t fold = 1; fold <= d.column_sets; fold *= 2) {
        Mapping m;
        m.groups = groups;
        m.kind = kind;
        m.fold = fold;
        Result<void> fits = Complete(layer, d, m);
        if (!fits) {
          problem = std::move(fits);
          continue;
        }
        int64_t last_tiles = 0;
        for (int64_t rows = layer.output_size.h; rows >= 1; --rows) {
          const int64_t tiles = CeilDivide(layer.output_size.h, rows);
          if (tiles == last_tiles) continue;
          last_tiles = tiles;
          if (!PlaceTile(layer, border, d, CeilDivide(layer.output_size.h, tiles), m)) continue;
          const int64_t cycles = EstimateCycles(layer, border, d, m);
          if (best && cycles >= best_cycles) continue;
          best = m;
          best_cycles = cycles;
        }
        if (best) continue;
        PlaceTile(layer, border, d, 1, m);
        problem = Fail(
            "a row of its output needs {} words of input and {} of output, pages of the buffers "
            "hold {} and {}: input_buffer_words or output_buffer_words is too small",
            m.plane_base.back() +
                m.tile_input_rows * m.pitch * PlanesOf(layer.input_bits, false).back().digits /
                    kWordDigits +
                1,
            layer.output_size.w * m.words * m.result_bytes, d.input_buffer_words / 2,
            d.output_buffer_words / 2);
      }
    }
  }
  if (!best) return tl::unexpected(problem.error());
  return *best;
}

}  // namespace lichen::fusion
