#include "accel/fusion/constants.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace lichen::fusion {
namespace {

constexpr int64_t kStepHeadBytes = 16;
constexpr int64_t kUnitBytes = 4;

int64_t Log2(int64_t power) { return std::countr_zero(static_cast<uint64_t>(power)); }

void PutU32(std::span<uint8_t> bytes, int64_t at, uint32_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}
uint32_t GetU32(std::span<const uint8_t> bytes, int64_t at) {
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// What a slot takes of a window at a turn: up to Elements() elements of a run.
struct WindowWord {
  const Run* run = nullptr;
  int64_t first = 0;  // element of the run
  int64_t count = 0;
};

std::vector<WindowWord> WordsOf(const std::vector<Run>& runs, const Pass& pass) {
  std::vector<WindowWord> words;
  for (const Run& run : runs) {
    for (int64_t at = 0; at < run.length; at += pass.Elements()) {
      words.push_back({&run, at, std::min(pass.Elements(), run.length - at)});
    }
  }
  return words;
}

// The weight of output channel `out` at an element of a kernel row; 0 where its group has none.
int64_t WeightAt(const Layer& layer, int64_t out, int64_t kernel_row, int64_t element) {
  const Geometry& g = layer.node->geometry;
  const int64_t group_in = layer.input_channels / g.groups;
  const int64_t group = out / (layer.output_channels / g.groups);
  const int64_t kx = element / layer.input_channels;
  const int64_t c = element % layer.input_channels - group * group_in;
  if (c < 0 || c >= group_in) return 0;
  const int64_t at = ((out * g.kernel_h + kernel_row) * g.kernel_w + kx) * group_in + c;
  return layer.node->params.weights[static_cast<size_t>(at)];
}

// The bits of a weight word that a turn's elements take, for one output channel.
uint32_t UnitBits(const Layer& layer, const Pass& pass, const WindowWord& word, int64_t out) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < word.count; ++i) {
    const int64_t weight =
        WeightAt(layer, out, word.run->kernel_row, word.run->first + word.first + i);
    bits |= static_cast<uint32_t>(PlaneBits(weight, pass.w)) << (2 * pass.w.digits * i);
  }
  return bits;
}

int64_t TurnsOf(const std::vector<WindowWord>& words, const Mapping& m) {
  return (static_cast<int64_t>(words.size()) + m.slots - 1) / m.slots;
}
int64_t WordsOfTurns(const std::vector<WindowWord>& words, const Pass& pass, const Mapping& m) {
  return (TurnsOf(words, m) + pass.least_x_digits - 1) / pass.least_x_digits;
}

// The channel of a unit's column and group, or beyond the layer's channels.
int64_t ChannelOf(const Mapping& m, int64_t block, int64_t group, int64_t lane) {
  const int64_t of_block = m.kind == GroupKind::kChannels ? group * m.lanes + lane : lane;
  return block * m.block_channels + of_block;
}

}  // namespace

std::vector<uint8_t> ToBytes(const Step& step, const Design& d) {
  std::vector<uint8_t> bytes(static_cast<size_t>(d.StepBeats() * kBeatBytes), 0);
  PutU32(bytes, 0,
         static_cast<uint32_t>(Log2(step.x_digits) | Log2(step.w_digits) << 2 |
                               int64_t{step.is_x_signed} << 4 | int64_t{step.is_w_signed} << 5 |
                               step.shift_digits << 6 | step.weight_part << 10 |
                               step.weight_word << 16));
  for (size_t i = 0; i < step.offsets.size(); ++i) {
    PutU32(bytes, kStepHeadBytes + 4 * static_cast<int64_t>(i),
           static_cast<uint32_t>(step.offsets[i]));
  }
  return bytes;
}

Step ReadStep(std::span<const uint8_t> bytes, const Design& d) {
  const uint32_t head = GetU32(bytes, 0);
  Step step{.x_digits = int64_t{1} << (head & 3),
            .w_digits = int64_t{1} << (head >> 2 & 3),
            .is_x_signed = (head >> 4 & 1) != 0,
            .is_w_signed = (head >> 5 & 1) != 0,
            .shift_digits = head >> 6 & 15,
            .weight_part = head >> 10 & 3,
            .weight_word = head >> 16,
            .offsets = {}};
  for (int64_t i = 0; i < d.rows * d.column_sets; ++i) {
    step.offsets.push_back(GetU32(bytes, kStepHeadBytes + 4 * i) & 0xfffff);
  }
  return step;
}

std::vector<uint8_t> WeightBytes(const Layer& layer, const Mapping& m, const Design& d,
                                 int64_t chunk) {
  const int64_t word_rows = m.WordRows(d);
  const int64_t word_bytes = word_rows * d.columns * kUnitBytes;
  std::vector<uint8_t> bytes(static_cast<size_t>(m.blocks * m.block_words * word_bytes), 0);
  const std::vector<Run> runs = RunsOf(layer, m, chunk);
  const int64_t group_rows = d.rows / m.groups;
  for (int64_t block = 0; block < m.blocks; ++block) {
    int64_t word_base = block * m.block_words;
    for (const Pass& pass : PassesOf(layer)) {
      if (pass.x.offset != 0) continue;  // its words are those of the pass before
      const std::vector<WindowWord> words = WordsOf(runs, pass);
      const int64_t turn_bits = 2 * kUnitDigits / pass.least_x_digits;
      for (int64_t r = 0; r < word_rows; ++r) {
        for (int64_t c = 0; c < d.columns; ++c) {
          const int64_t lane = c % m.lanes;
          const int64_t slot = c / m.lanes * group_rows + r % group_rows;
          const int64_t out = ChannelOf(m, chunk * m.blocks + block, r / group_rows, lane);
          if (out >= layer.output_channels) continue;
          for (int64_t i = slot; i < static_cast<int64_t>(words.size()); i += m.slots) {
            const int64_t turn = i / m.slots;
            const int64_t word = word_base + turn / pass.least_x_digits;
            const int64_t at = word * word_bytes + (r * d.columns + c) * kUnitBytes;
            const uint32_t bits = UnitBits(layer, pass, words[static_cast<size_t>(i)], out)
                                  << (turn % pass.least_x_digits * turn_bits);
            PutU32(bytes, at, GetU32(bytes, at) | bits);
          }
        }
      }
      word_base += WordsOfTurns(words, pass, m);
    }
  }
  return bytes;
}

std::vector<uint8_t> StepBytes(const Layer& layer, const Mapping& m, const Border& border,
                               const Design& d, int64_t chunk) {
  const Geometry& g = layer.node->geometry;
  const std::vector<Run> runs = RunsOf(layer, m, chunk);
  const std::vector<Plane> planes = PlanesOf(layer.input_bits, layer.is_input_signed);
  const int64_t margin = (border.left - g.pad_left) * layer.input_channels;
  const int64_t group_rows = d.rows / m.groups;
  std::vector<uint8_t> bytes;
  int64_t word_base = 0;
  for (const Pass& pass : PassesOf(layer)) {
    const std::vector<WindowWord> words = WordsOf(runs, pass);
    const auto plane = static_cast<size_t>(std::ranges::find(planes, pass.x) - planes.begin());
    for (int64_t s = 0; s < TurnsOf(words, m) * pass.Parts(); ++s) {
      const int64_t turn = s / pass.Parts();
      const int64_t part = s % pass.Parts();
      Step step{.x_digits = pass.x.digits,
                .w_digits = pass.w.digits,
                .is_x_signed = pass.x.is_signed,
                .is_w_signed = pass.w.is_signed,
                .shift_digits = pass.x.offset + pass.w.offset,
                .weight_part = turn % pass.least_x_digits * pass.Parts() + part,
                .weight_word = word_base + turn / pass.least_x_digits,
                .offsets = {}};
      for (int64_t set = 0; set < d.column_sets; ++set) {
        for (int64_t r = 0; r < d.rows; ++r) {
          const int64_t slot = set * m.fold / d.column_sets * group_rows + r % group_rows;
          const auto i = static_cast<size_t>(turn * m.slots + slot);
          if (i >= words.size()) {
            step.offsets.push_back(0);  // its weights are 0
            continue;
          }
          const WindowWord& word = words[i];
          const int64_t element = word.run->kernel_row * m.pitch + margin + word.run->first +
                                  word.first + part * pass.Products();
          step.offsets.push_back(m.plane_base[plane] * kWordDigits + element * pass.x.digits);
        }
      }
      const std::vector<uint8_t> record = ToBytes(step, d);
      bytes.insert(bytes.end(), record.begin(), record.end());
    }
    // The next pass has the next plane of weights.
    if (pass.x == planes.back()) word_base += WordsOfTurns(words, pass, m);
  }
  return bytes;
}

std::vector<uint8_t> ParameterBytes(const Layer& layer, const Mapping& m, const Design& d,
                                    ValueRange output, int64_t chunk) {
  const int64_t groups = m.kind == GroupKind::kChannels ? m.groups : 1;
  const int64_t word_bytes = d.columns * kRecordBytes;
  std::vector<uint8_t> bytes(static_cast<size_t>((1 + m.blocks * groups) * word_bytes), 0);
  const ChannelRequant& requant = layer.node->params.requant;
  PutU32(bytes, 0, static_cast<uint32_t>(output.min));
  PutU32(bytes, 4, static_cast<uint32_t>(output.max));
  bytes[8] = requant.post_shift;
  for (int64_t block = 0; block < m.blocks; ++block) {
    for (int64_t group = 0; group < groups; ++group) {
      for (int64_t lane = 0; lane < m.lanes; ++lane) {
        const int64_t channel = ChannelOf(m, chunk * m.blocks + block, group, lane);
        if (channel >= layer.output_channels) continue;
        const Requant r = requant.At(static_cast<size_t>(channel), output);
        const int64_t at = (1 + block * groups + group) * word_bytes + lane * kRecordBytes;
        std::memcpy(&bytes[static_cast<size_t>(at)], &r.bias, 8);
        PutU32(bytes, at + 8, static_cast<uint32_t>(r.multiplier));
        bytes[static_cast<size_t>(at + 12)] = static_cast<uint8_t>(r.pre_shift);
      }
    }
  }
  return bytes;
}

}  // namespace lichen::fusion
