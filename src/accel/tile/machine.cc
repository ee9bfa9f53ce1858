#include "accel/tile/machine.h"

#include <algorithm>
#include <cstring>

#include "accel/tile/parameters.h"
#include "base/check.h"
#include "base/requantise.h"

namespace lichen::tile {
namespace {

size_t Words(int64_t words, int64_t banks, int64_t elements) {
  return static_cast<size_t>(words * banks * elements);
}

// sums[l] += sum over i of x[i] * w[i][l].
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
__attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#endif
void AddProducts(const int16_t* x, const int16_t* w, int64_t inputs, int64_t lanes,
                 bool is_absolute, int64_t* sums) {
  for (int64_t i = 0; i < inputs; ++i) {
    const int32_t value = is_absolute ? std::abs(int32_t{x[i]}) : int32_t{x[i]};
    if (value == 0) continue;
    const int16_t* row = w + i * lanes;
    for (int64_t l = 0; l < lanes; ++l) sums[l] += int64_t{value * int32_t{row[l]}};
  }
}

}  // namespace

Machine::Machine(const Design& design, std::span<uint8_t> memory)
    : design_(design),
      memory_(memory),
      input_(Words(design.input_buffer_words, design.PixelLanes(), design.pif)),
      weights_(Words(design.weight_buffer_words, design.pof, design.pif)),
      parameters_(Words(design.parameter_buffer_words, 1, design.ParameterWordBytes())),
      middle_(Words(design.middle_buffer_words, design.PixelLanes(), design.epilogue_lanes)),
      output_(Words(design.output_buffer_words, 1, design.epilogue_lanes)),
      sums_(static_cast<size_t>(design.PixelLanes() * design.pof)) {}

Result<void> Machine::Execute(const Instruction& instruction) {
  return InPlace(std::string(Name(instruction)),
                 std::visit([this](const auto& i) { return Run(i); }, instruction));
}

int16_t Machine::Element(uint64_t address, bool is_unsigned) const {
  if (design_.ElementBytes() == 1) {
    const uint8_t byte = memory_[address];
    return is_unsigned ? int16_t{byte} : int16_t{static_cast<int8_t>(byte)};
  }
  return static_cast<int16_t>(memory_[address] | memory_[address + 1] << 8);
}

Result<void> Machine::Run(const Load& i) {
  const int64_t lanes_in = design_.pif;
  const auto bytes = static_cast<uint64_t>(design_.ElementBytes());
  if (i.chunks == 0 || i.stride_y == 0 || i.stride_x == 0 || i.row_words % i.chunks != 0) {
    return Fail("chunks, strides or row_words are wrong");
  }
  if (i.top_rows + i.valid_rows > i.rows ||
      uint64_t{i.left_words} * static_cast<uint64_t>(lanes_in) + i.valid_elements >
          uint64_t{i.row_words} * static_cast<uint64_t>(lanes_in)) {
    return Fail("the valid rows or elements exceed the tile");
  }
  for (uint32_t r = 0; r < i.rows; ++r) {
    const bool is_valid = r >= i.top_rows && r < i.top_rows + i.valid_rows;
    const uint64_t row = i.address_bytes + uint64_t{r - i.top_rows} * i.row_stride_bytes;
    if (is_valid && row + i.valid_elements * bytes > memory_.size()) {
      return Fail("row {} lies outside of memory", r);
    }
    const int64_t bank_y = r / i.stride_y % design_.poy;
    const int64_t row_word =
        i.base + (r / (i.stride_y * design_.poy) * i.stride_y + r % i.stride_y) * i.row_pitch;
    for (uint32_t w = 0; w < i.row_words; ++w) {
      const int64_t p = w / i.chunks;
      const int64_t bank = bank_y * design_.pox + p / i.stride_x % design_.pox;
      const int64_t word =
          row_word + (p / (i.stride_x * design_.pox) * i.stride_x + p % i.stride_x) * i.chunks +
          w % i.chunks;
      if (word >= design_.input_buffer_words) return Fail("word {} of a bank exceeds it", word);
      int16_t* out =
          &input_[static_cast<size_t>((bank * design_.input_buffer_words + word) * lanes_in)];
      const int64_t first = (int64_t{w} - i.left_words) * lanes_in;
      for (int64_t e = 0; e < lanes_in; ++e) {
        const bool is_in = is_valid && first + e >= 0 && first + e < i.valid_elements;
        out[e] = is_in ? Element(row + static_cast<uint64_t>(first + e) * bytes, i.is_unsigned != 0)
                       : int16_t{0};
      }
    }
  }
  return {};
}

Result<void> Machine::Run(const Weight& i) {
  const bool is_weights = i.target == WeightTarget::kWeights;
  const int64_t word_bytes = is_weights ? design_.WeightWordBytes() : design_.ParameterWordBytes();
  const int64_t depth = is_weights ? design_.weight_buffer_words : design_.parameter_buffer_words;
  if (int64_t{i.base} + i.words > depth) return Fail("the words exceed the buffer");
  const uint64_t bytes = uint64_t{i.words} * static_cast<uint64_t>(word_bytes);
  if (i.address_bytes % 16 != 0 || i.address_bytes + bytes > memory_.size()) {
    return Fail("the address is not aligned or lies outside of memory");
  }
  if (!is_weights) {
    std::copy_n(memory_.begin() + static_cast<int64_t>(i.address_bytes), bytes,
                parameters_.begin() + int64_t{i.base} * word_bytes);
    return {};
  }
  const int64_t inputs = design_.pif;
  const int64_t lanes = design_.pof;
  const auto element_bytes = static_cast<uint64_t>(design_.ElementBytes());
  uint64_t at = i.address_bytes;
  for (int64_t w = 0; w < i.words; ++w) {
    int16_t* word = &weights_[static_cast<size_t>((i.base + w) * inputs * lanes)];
    for (int64_t l = 0; l < lanes; ++l) {
      for (int64_t e = 0; e < inputs; ++e, at += element_bytes) word[e * lanes + l] = Element(at);
    }
  }
  return {};
}

Result<void> Machine::Run(const Compute& i) {
  const int64_t steps = int64_t{i.taps_y} * i.taps_x * i.chunks;
  const bool has_norm = i.kind != ComputeKind::kConvolution;
  if (int64_t{i.weight_base} + i.lane_groups * steps > design_.weight_buffer_words) {
    return Fail("its weights exceed the buffer");
  }
  if (int64_t{i.parameter_base} + 1 + (i.parameter_group + i.lane_groups) * (has_norm ? 2 : 1) >
      design_.parameter_buffer_words) {
    return Fail("its parameters exceed the buffer");
  }
  if (i.source == ComputeSource::kInput && (i.stride_y == 0 || i.stride_x == 0)) {
    return Fail("a stride is 0");
  }
  if (has_norm && i.source != ComputeSource::kMiddle) return Fail("a norm needs the middle buffer");
  for (int64_t row = 0; row < i.row_groups; ++row) {
    for (int64_t column = 0; column < i.column_groups; ++column) {
      for (int64_t group = 0; group < i.lane_groups; ++group) {
        std::fill(sums_.begin(), sums_.end(), 0);
        LICHEN_TRY_VOID(Accumulate(i, row, column, group));
        LICHEN_TRY_VOID(Finish(i, row, column, group));
      }
    }
  }
  return {};
}

Result<void> Machine::Accumulate(const Compute& i, int64_t row_group, int64_t column_group,
                                 int64_t lane_group) {
  const int64_t inputs = design_.pif;
  const int64_t lanes = design_.pof;
  const int64_t steps = int64_t{i.taps_y} * i.taps_x * i.chunks;
  const int16_t* w =
      &weights_[static_cast<size_t>((i.weight_base + lane_group * steps) * inputs * lanes)];
  const bool is_absolute = i.kind != ComputeKind::kConvolution;
  if (i.source == ComputeSource::kMiddle) {
    const int64_t per_word = design_.epilogue_lanes;
    const int64_t first =
        i.source_base + (row_group * i.column_groups + column_group) * i.source_pitch;
    if (first + (i.chunks * inputs - 1) / per_word >= design_.middle_buffer_words) {
      return Fail("reads beyond the middle buffer");
    }
    for (int64_t p = 0; p < design_.PixelLanes(); ++p) {
      const int16_t* x =
          &middle_[static_cast<size_t>((p * design_.middle_buffer_words + first) * per_word)];
      AddProducts(x, w, i.chunks * inputs, lanes, is_absolute,
                  &sums_[static_cast<size_t>(p * lanes)]);
    }
    return {};
  }
  for (int64_t ky = 0; ky < i.taps_y; ++ky) {
    const int64_t ty = i.tap_row + ky;
    for (int64_t kx = 0; kx < i.taps_x; ++kx, w += i.chunks * inputs * lanes) {
      const int64_t tx = i.tap_column + kx;
      for (int64_t p = 0; p < design_.PixelLanes(); ++p) {
        // Row and column in units of the stride, so that lanes lie in different banks.
        const int64_t y = row_group * design_.poy + p / design_.pox + ty / i.stride_y;
        const int64_t x = column_group * design_.pox + p % design_.pox + tx / i.stride_x;
        const int64_t bank = y % design_.poy * design_.pox + x % design_.pox;
        const int64_t word = i.source_base +
                             (y / design_.poy * i.stride_y + ty % i.stride_y) * i.source_pitch +
                             (x / design_.pox * i.stride_x + tx % i.stride_x) * i.pixel_words;
        if (word + i.chunks > design_.input_buffer_words) {
          return Fail("reads beyond the input buffer");
        }
        AddProducts(
            &input_[static_cast<size_t>((bank * design_.input_buffer_words + word) * inputs)], w,
            i.chunks * inputs, lanes, is_absolute, &sums_[static_cast<size_t>(p * lanes)]);
      }
    }
  }
  return {};
}

Result<void> Machine::Finish(const Compute& i, int64_t row_group, int64_t column_group,
                             int64_t lane_group) {
  const int64_t lanes = design_.pof;
  const int64_t per_word = design_.epilogue_lanes;
  const bool has_norm = i.kind != ComputeKind::kConvolution;
  const auto record = [&](int64_t word, int64_t lane) {
    return std::span<const uint8_t>(parameters_)
        .subspan(static_cast<size_t>(word * design_.ParameterWordBytes() + lane * 16), 16);
  };
  const RequantConstants first = ReadConstants(record(i.parameter_base, 0));
  const RequantConstants second = ReadConstants(record(i.parameter_base, 1));
  const int64_t group_word =
      i.parameter_base + 1 + (i.parameter_group + lane_group) * (has_norm ? 2 : 1);
  const int64_t pixel_group = row_group * i.column_groups + column_group;
  for (int64_t l = 0; l < lanes; ++l) {
    const Requant sum_requant = MakeRequant(ReadRecord(record(group_word, l)), first);
    const Requant out_requant =
        has_norm ? MakeRequant(ReadRecord(record(group_word + 1, l)), second) : Requant{};
    const int64_t lane_word = (lane_group * lanes + l) / per_word;
    for (int64_t p = 0; p < design_.PixelLanes(); ++p) {
      int64_t value = Requantise(sums_[static_cast<size_t>(p * lanes + l)], sum_requant);
      if (has_norm) {
        const int64_t word =
            i.source_base + i.pixel_words + pixel_group * i.source_pitch + lane_word;
        if (word >= design_.middle_buffer_words) return Fail("reads beyond the middle buffer");
        const int64_t x = middle_[static_cast<size_t>(
            (p * design_.middle_buffer_words + word) * per_word + l % per_word)];
        value = i.kind == ComputeKind::kIgdn
                    ? Requantise(x * value, out_requant)
                    : std::clamp(GdnQuotient(x, out_requant.multiplier, value), out_requant.min,
                                 out_requant.max);
      }
      if (i.target == ComputeTarget::kMiddle) {
        const int64_t word = i.target_base + pixel_group * i.target_pitch + lane_word;
        if (word >= design_.middle_buffer_words) return Fail("writes beyond the middle buffer");
        middle_[static_cast<size_t>((p * design_.middle_buffer_words + word) * per_word +
                                    l % per_word)] = static_cast<int16_t>(value);
      } else {
        const int64_t y = row_group * design_.poy + p / design_.pox;
        const int64_t x = column_group * design_.pox + p % design_.pox;
        const int64_t word =
            i.target_base + y * i.target_row_pitch + x * i.target_pitch + lane_word;
        if (word >= design_.output_buffer_words) return Fail("writes beyond the output buffer");
        output_[static_cast<size_t>(word * per_word + l % per_word)] = static_cast<int16_t>(value);
      }
    }
  }
  return {};
}

Result<void> Machine::Run(const Store& i) {
  const uint64_t bytes = i.element_bytes;
  if (bytes != 2 && (bytes != 1 || design_.ElementBytes() != 1)) {
    return Fail("element_bytes is {}", bytes);
  }
  if (const std::string problem = RunProblem(i); !problem.empty()) return Fail("{}", problem);
  for (int64_t r = 0; r < i.rows; ++r) {
    uint64_t at = i.address_bytes + static_cast<uint64_t>(r) * i.row_stride_bytes;
    if (at + i.valid_elements * bytes > memory_.size()) {
      return Fail("row {} lies outside of memory", r);
    }
    for (int64_t n = 0; n < i.valid_elements; ++n, at += bytes) {
      const int64_t in_run = n % i.run;
      const bool is_second = i.split > 0 && in_run >= i.split;
      const int64_t element = is_second ? i.second + in_run - i.split : i.first + in_run;
      int16_t value = INT16_MIN;
      for (int64_t p = 0; p < (i.pools ? 4 : 1); ++p) {
        const int64_t row = i.pools ? 2 * r + p / 2 : r;
        const int64_t column = i.pools ? 2 * (n / i.run) + p % 2 : n / i.run;
        const int64_t word =
            i.base + row * i.row_pitch + column * i.column_pitch + element / design_.epilogue_lanes;
        if (word >= design_.output_buffer_words) return Fail("reads beyond the output buffer");
        value = std::max(value, output_[static_cast<size_t>(word * design_.epilogue_lanes +
                                                            element % design_.epilogue_lanes)]);
      }
      memory_[at] = static_cast<uint8_t>(value);
      if (bytes == 2) memory_[at + 1] = static_cast<uint8_t>(value >> 8);
    }
  }
  return {};
}

}  // namespace lichen::tile
