#include "accel/fusion/machine.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/requantise.h"

namespace lichen::fusion {
namespace {

// Two bits of an operand, as the brick sees them.
int32_t Digit(uint32_t word, int64_t index, bool is_signed) {
  const auto bits = static_cast<int32_t>(word >> (2 * index) & 3);
  return is_signed && bits >= 2 ? bits - 4 : bits;
}

int32_t Element(uint32_t word, int64_t index, int64_t digits, bool is_signed) {
  const uint32_t bits = word >> (2 * digits * index) & ((1U << (2 * digits)) - 1);
  return static_cast<int32_t>(PlaneValue(bits, {digits, 0, is_signed}));
}

Requant ReadRequant(const uint8_t* constants, const uint8_t* record) {
  int32_t min;
  int32_t max;
  int64_t bias;
  int32_t multiplier;
  std::memcpy(&min, constants, 4);
  std::memcpy(&max, constants + 4, 4);
  std::memcpy(&bias, record, 8);
  std::memcpy(&multiplier, record + 8, 4);
  return {.multiplier = multiplier,
          .pre_shift = record[12] & 63,
          .bias = bias,
          .post_shift = constants[8] & 63,
          .min = min,
          .max = max};
}

}  // namespace

int32_t UnitSum(uint32_t x, uint32_t w, const Step& s, Arithmetic arithmetic) {
  const int64_t products = kUnitDigits / (s.x_digits * s.w_digits);
  int32_t sum = 0;
  for (int64_t p = 0; p < products; ++p) {
    if (arithmetic == Arithmetic::kProducts) {
      sum += Element(x, p, s.x_digits, s.is_x_signed) * Element(w, p, s.w_digits, s.is_w_signed);
      continue;
    }
    for (int64_t j = 0; j < s.w_digits; ++j) {
      for (int64_t i = 0; i < s.x_digits; ++i) {
        const int32_t brick = Digit(x, p * s.x_digits + i, s.is_x_signed && i + 1 == s.x_digits) *
                              Digit(w, p * s.w_digits + j, s.is_w_signed && j + 1 == s.w_digits);
        sum += brick * (1 << (2 * (i + j)));
      }
    }
  }
  return sum;
}

Machine::Machine(const Design& design, std::span<uint8_t> memory, Arithmetic arithmetic)
    : d_(design), memory_(memory), arithmetic_(arithmetic) {
  const auto size = [](int64_t n) { return static_cast<size_t>(n); };
  const Step idle{.offsets = std::vector<int64_t>(size(d_.rows * d_.column_sets), 0)};
  for (int page = 0; page < 2; ++page) {
    input_.page[page].resize(size(d_.input_buffer_words / 2 * kWordDigits / 4));
    weights_.page[page].resize(size(d_.weight_buffer_words / 2 * d_.rows * d_.columns));
    steps_.page[page].resize(size(d_.step_buffer_words / 2), idle);
    parameters_.page[page].resize(size(d_.parameter_buffer_words / 2 * d_.columns * kRecordBytes));
    output_.page[page].resize(size(d_.output_buffer_words / 2 * d_.columns));
  }
  sums_.resize(size(d_.rows * d_.columns));
  best_.resize(size(d_.rows * d_.columns));
}

Result<std::span<uint8_t>> Machine::MemoryAt(uint64_t address, int64_t bytes) {
  if (bytes < 0 || address > memory_.size() ||
      static_cast<uint64_t>(bytes) > memory_.size() - address) {
    return Fail("{} bytes at {} lie beyond the memory's {}", bytes, address, memory_.size());
  }
  return memory_.subspan(address, static_cast<size_t>(bytes));
}

Result<void> Machine::Execute(const Instruction& instruction, uint64_t i0, uint64_t i1) {
  if (const auto* load = std::get_if<Load>(&instruction)) return Run(*load, i0, i1);
  if (const auto* weight = std::get_if<Weight>(&instruction)) return Run(*weight, i0, i1);
  if (const auto* compute = std::get_if<Compute>(&instruction)) return Run(*compute, i1);
  if (const auto* store = std::get_if<Store>(&instruction)) return Run(*store, i0, i1);
  return {};
}

Result<void> Machine::Run(const Load& i, uint64_t i0, uint64_t i1) {
  constexpr uint64_t kWordBytes = 8;
  std::vector<uint8_t>& page = input_.written();
  for (uint64_t row = 0; row < i.rows; ++row) {
    LICHEN_TRY(const auto bytes,
               MemoryAt(i.memory.At(i0, i1) + kAddressUnitBytes * row * i.row_stride,
                        i.row_beats * kBeatBytes));
    const uint64_t first = (i.base + row * i.row_pitch) * kWordBytes;
    if (first + bytes.size() > page.size()) {
      return Fail("row {} ends at byte {} of the input buffer's page, which has {}", row,
                  first + bytes.size(), page.size());
    }
    std::ranges::copy(bytes, page.begin() + static_cast<int64_t>(first));
  }
  if (i.flip) input_.writer ^= 1;
  return {};
}

Result<void> Machine::Run(const Weight& i, uint64_t i0, uint64_t i1) {
  const auto refuse = [&](int64_t page_words) {
    return Fail("{} words do not fit the buffer's page of {}", i.words, page_words);
  };
  const uint64_t address = i.memory.At(i0, i1);
  switch (i.target) {
    case WeightTarget::kWeights: {
      const int64_t page_words = d_.weight_buffer_words / 2;
      if (i.words > page_words) return refuse(page_words);
      if (i.rows < 1 || i.rows > d_.rows)
        return Fail("rows is {}, 1 to {} can be", i.rows, d_.rows);
      const auto word_units = static_cast<size_t>(i.rows * d_.columns);
      LICHEN_TRY(const auto bytes,
                 MemoryAt(address, i.words * static_cast<int64_t>(word_units) * 4));
      for (size_t word = 0; word < i.words; ++word) {
        std::memcpy(&weights_.written()[word * static_cast<size_t>(d_.rows * d_.columns)],
                    &bytes[word * word_units * 4], word_units * 4);
      }
      break;
    }
    case WeightTarget::kSteps: {
      const int64_t page_words = d_.step_buffer_words / 2;
      if (i.words > page_words) return refuse(page_words);
      const auto record_bytes = static_cast<size_t>(d_.StepBeats() * kBeatBytes);
      LICHEN_TRY(const auto bytes, MemoryAt(address, i.words * static_cast<int64_t>(record_bytes)));
      for (size_t word = 0; word < i.words; ++word) {
        steps_.written()[word] = ReadStep(bytes.subspan(word * record_bytes, record_bytes), d_);
      }
      break;
    }
    default: {
      const int64_t page_words = d_.parameter_buffer_words / 2;
      if (i.words > page_words) return refuse(page_words);
      LICHEN_TRY(const auto bytes, MemoryAt(address, i.words * d_.columns * kRecordBytes));
      std::ranges::copy(bytes, parameters_.written().begin());
    }
  }
  if (i.flip) {
    weights_.writer ^= 1;
    steps_.writer ^= 1;
    parameters_.writer ^= 1;
  }
  return {};
}

void Machine::SumSet(const Compute& i, int64_t block, int64_t y, int64_t first_column, int64_t px) {
  const int64_t groups = int64_t{1} << i.groups_log2;
  const int64_t group_rows = d_.rows / groups;
  const int64_t lanes = d_.columns >> i.fold_log2;
  const std::vector<uint8_t>& input = input_.read();
  const auto page_digits = static_cast<int64_t>(input.size()) * 4;
  const int64_t page_words = d_.weight_buffer_words / 2;
  std::ranges::fill(sums_, 0);
  for (uint32_t s = 0; s < i.steps; ++s) {
    const Step& step = steps_.read()[s];
    const int64_t word = (block * i.block_words + step.weight_word) % page_words;
    const int64_t part_bits = 2 * kUnitDigits / step.x_digits;
    const uint32_t part_mask = static_cast<uint32_t>((uint64_t{1} << part_bits) - 1);
    for (int64_t r = 0; r < d_.rows; ++r) {
      const int64_t group = r / group_rows;
      const int64_t column = i.kind == GroupKind::kWindows ? first_column + group : first_column;
      const int64_t x = (column * i.pool + px) * i.stride_x;
      const int64_t origin = y * i.pitch + x * i.pixel;
      const int64_t word_row = i.kind == GroupKind::kWindows ? r % group_rows : r;
      for (int64_t set = 0; set < d_.column_sets; ++set) {
        const int64_t at =
            step.offsets[static_cast<size_t>(set * d_.rows + r)] + origin * step.x_digits;
        const auto operand =
            static_cast<uint32_t>(ReadDigits(input, at % page_digits, kUnitDigits));
        const int64_t set_columns = d_.columns / d_.column_sets;
        for (int64_t c = set * set_columns; c < (set + 1) * set_columns; ++c) {
          const auto unit = static_cast<size_t>((word * d_.rows + word_row) * d_.columns + c);
          const uint32_t w =
              weights_.read()[unit] >> (step.weight_part * part_bits % 32) & part_mask;
          const int64_t sum = int64_t{UnitSum(operand, w, step, arithmetic_)}
                              << (2 * step.shift_digits);
          int32_t& total = sums_[static_cast<size_t>(group * d_.columns + c % lanes)];
          total = static_cast<int32_t>(static_cast<uint32_t>(total) + static_cast<uint32_t>(sum));
        }
      }
    }
  }
}

Result<void> Machine::WriteResults(const Compute& i, int64_t word_base, int64_t block, int64_t oy,
                                   int64_t og, bool is_first, bool is_last) {
  const int64_t groups = int64_t{1} << i.groups_log2;
  const int64_t lanes = d_.columns >> i.fold_log2;
  const std::vector<uint8_t>& parameters = parameters_.read();
  const int64_t parameter_words = d_.parameter_buffer_words / 2;
  std::vector<uint8_t>& output = output_.written();
  for (int64_t g = 0; g < groups; ++g) {
    const bool is_channels = i.kind == GroupKind::kChannels;
    const int64_t w = is_channels ? block * groups + g : block;
    const int64_t x = is_channels ? og : og * groups + g;
    const int64_t word = word_base + w;
    if (x >= i.columns || word >= i.pixel_words) continue;
    for (int64_t c = 0; c < lanes; ++c) {
      const int64_t record = (1 + w) % parameter_words * d_.columns + c;
      const Requant requant =
          ReadRequant(parameters.data(), &parameters[static_cast<size_t>(record * kRecordBytes)]);
      const auto at = static_cast<size_t>(g * d_.columns + c);
      const int64_t value = Requantise(sums_[at], requant);
      best_[at] = is_first ? value : std::max(best_[at], value);
      if (!is_last) continue;
      for (int64_t b = 0; b < int64_t{1} << i.bytes_log2; ++b) {
        const int64_t target = b * i.plane_pitch + (oy * i.columns + x) * i.pixel_words + word;
        if (target >= d_.output_buffer_words / 2) {
          return Fail("word {} lies beyond the output buffer's page of {}", target,
                      d_.output_buffer_words / 2);
        }
        output[static_cast<size_t>(target * d_.columns + c)] =
            static_cast<uint8_t>(best_[at] >> (8 * b));
      }
    }
  }
  return {};
}

Result<void> Machine::Run(const Compute& i, uint64_t i1) {
  if (int64_t{1} << i.groups_log2 > d_.rows) {
    return Fail("groups is 2^{}, there are {} rows", i.groups_log2, d_.rows);
  }
  if (int64_t{1} << i.fold_log2 > d_.column_sets) {
    return Fail("fold is 2^{}, there are {} column sets", i.fold_log2, d_.column_sets);
  }
  if (i.steps < 1 || i.steps > d_.step_buffer_words / 2) {
    return Fail("steps is {}, 1 to {} can be", i.steps, d_.step_buffer_words / 2);
  }
  if (i.pool < 1 || i.blocks < 1 || i.rows < 1 || i.columns < 1 || i.bytes_log2 > 2) {
    return Fail("pool, blocks, rows and columns must be at least 1, bytes at most 2^2");
  }
  const int64_t groups = int64_t{1} << i.groups_log2;
  const bool is_windows = i.kind == GroupKind::kWindows;
  const int64_t column_groups = is_windows ? (i.columns + groups - 1) / groups : i.columns;
  const auto word_base = static_cast<int64_t>(i.first_word + i1 * i.word_step);
  for (int64_t block = 0; block < i.blocks; ++block) {
    for (int64_t oy = 0; oy < i.rows; ++oy) {
      for (int64_t og = 0; og < column_groups; ++og) {
        for (int64_t py = 0; py < i.pool; ++py) {
          for (int64_t px = 0; px < i.pool; ++px) {
            SumSet(i, block, (oy * i.pool + py) * i.stride_y, is_windows ? og * groups : og, px);
            LICHEN_TRY_VOID(WriteResults(i, word_base, block, oy, og, py + px == 0,
                                         py + 1 == i.pool && px + 1 == i.pool));
          }
        }
      }
    }
  }
  input_.reader ^= static_cast<int>(i.flip_source);
  if (i.flip_weight) {
    weights_.reader ^= 1;
    steps_.reader ^= 1;
    parameters_.reader ^= 1;
  }
  output_.writer ^= static_cast<int>(i.flip_target);
  return {};
}

Result<void> Machine::Run(const Store& i, uint64_t i0, uint64_t i1) {
  const std::vector<uint8_t>& page = output_.read();
  const int64_t lanes = d_.columns >> i.fold_log2;
  const int64_t digits = int64_t{1} << i.digits_log2;
  if (i.digits_log2 > 2 || lanes < 1) return Fail("digits are at most 2^2, lanes at least 1");
  const int64_t row_digits = i.lead + int64_t{i.pixels} * i.elements * digits;
  if (row_digits > i.row_beats * kBeatDigits) {
    return Fail("a row has {} digits, its {} beats hold {}", row_digits, i.row_beats,
                i.row_beats * kBeatDigits);
  }
  for (int64_t row = 0; row < i.rows; ++row) {
    LICHEN_TRY(const auto bytes,
               MemoryAt(i.memory.At(i0, i1) +
                            kAddressUnitBytes * static_cast<uint64_t>(row) * i.row_stride,
                        i.row_beats * kBeatBytes));
    std::ranges::fill(bytes, uint8_t{0});
    int64_t at = i.lead;
    for (int64_t x = 0; x < i.pixels; ++x) {
      for (int64_t e = 0; e < i.elements; ++e, at += digits) {
        const int64_t word = i.base + (row * i.pixels + x) * i.pixel_words + e / lanes;
        if (word >= d_.output_buffer_words / 2) {
          return Fail("word {} lies beyond the output buffer's page of {}", word,
                      d_.output_buffer_words / 2);
        }
        const uint8_t byte = page[static_cast<size_t>(word * d_.columns + e % lanes)];
        WriteDigits(bytes, at, digits,
                    static_cast<uint64_t>(byte >> (2 * i.digit_offset)) &
                        ((uint64_t{1} << (2 * digits)) - 1));
      }
    }
  }
  output_.reader ^= static_cast<int>(i.flip);
  return {};
}

}  // namespace lichen::fusion
