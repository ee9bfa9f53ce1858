#include "kernels/packed_conv.h"

#include <gtest/gtest.h>

#include <random>

#include "kernels/cpu_target.h"
#include "kernels/operators_ref.h"

namespace lichen {
namespace {

struct Case {
  PackedConvSpec spec;
  Size2 input;
  Size2 output;
  PackedTail tail = PackedTail::kNone;
  ElementType stored = ElementType::kI16;  // of the output
};

// Random parameters of one convolution, and what runs it both ways.
class ConvCase {
 public:
  ConvCase(uint32_t seed, Case c, int64_t max_multiplier) : rng_(seed), c_(c) {
    const Geometry& g = c.spec.geometry;
    weights_.resize(static_cast<size_t>(c.spec.out_channels * g.kernel_h * g.kernel_w *
                                        c.spec.in_channels / g.groups));
    const int64_t w_max = SizeBytes(c.spec.input) == 1 ? 127 : 4095;
    for (auto& w : weights_) w = static_cast<int16_t>(Uniform(-w_max - 1, w_max));
    const size_t channels = static_cast<size_t>(c.spec.out_channels);
    Randomise(requant_, channels, max_multiplier);
    Randomise(output_, channels, max_multiplier);
    c_.spec.weights = weights_;
    c_.spec.requant = &requant_;
  }

  int64_t Uniform(int64_t a, int64_t b) {
    return std::uniform_int_distribution<int64_t>(a, b)(rng_);
  }

  void Randomise(ChannelRequant& r, size_t channels, int64_t max_multiplier) {
    r.multiplier.assign(channels, 0);
    r.bias.assign(channels, 0);
    r.pre_shift.assign(channels, 0);
    for (size_t i = 0; i < channels; ++i) {
      r.multiplier[i] = Uniform(-max_multiplier, max_multiplier);
      r.bias[i] = Uniform(-1000000, 1000000);
      r.pre_shift[i] = static_cast<uint8_t>(Uniform(0, 3));
    }
    r.post_shift = static_cast<uint8_t>(Uniform(0, 24));
  }

  Tensor<int32_t> RandomInput() {
    Tensor<int32_t> x({1, c_.input.h, c_.input.w, c_.spec.in_channels});
    for (int32_t& v : x.span()) {
      v = static_cast<int32_t>(Uniform(c_.spec.input_range.min, c_.spec.input_range.max));
    }
    return x;
  }

  Tensor<int32_t> Reference(const Tensor<int32_t>& x) const {
    Tensor<int32_t> out({1, c_.output.h, c_.output.w, c_.spec.out_channels});
    const GdnWeights gdn{weights_, requant_, c_.spec.range};
    if (c_.tail == PackedTail::kGdn) {
      GdnRef(x.view(), gdn, output_, {-32767, 32767}, out.view());
    } else if (c_.tail == PackedTail::kIgdn) {
      IgdnRef(x.view(), gdn, output_, {-32767, 32767}, out.view());
    } else if (c_.spec.transposed) {
      ConvTranspose2dRef(x.view(), weights_, c_.spec.geometry, requant_, c_.spec.range, out.view());
    } else {
      Conv2dRef(x.view(), weights_, c_.spec.geometry, requant_, c_.spec.range, out.view());
    }
    return out;
  }

  Tensor<int32_t> Packed(const Tensor<int32_t>& x) const;

 private:
  std::mt19937 rng_;
  Case c_;
  std::vector<int16_t> weights_;
  ChannelRequant requant_;
  ChannelRequant output_;
};

void StoreAs(ElementType type, int32_t v, uint8_t* row, int64_t i) {
  if (type == ElementType::kI16) {
    reinterpret_cast<int16_t*>(row)[i] = static_cast<int16_t>(v);
  } else if (type == ElementType::kI32) {
    reinterpret_cast<int32_t*>(row)[i] = v;
  } else {
    row[i] = static_cast<uint8_t>(v);
  }
}

int32_t LoadAs(ElementType type, const uint8_t* row, int64_t i) {
  if (type == ElementType::kI16) return reinterpret_cast<const int16_t*>(row)[i];
  if (type == ElementType::kI32) return reinterpret_cast<const int32_t*>(row)[i];
  return type == ElementType::kU8 ? row[i] : static_cast<int8_t>(row[i]);
}

Tensor<int32_t> ConvCase::Packed(const Tensor<int32_t>& x) const {
  const PackedConv conv = PackConv(c_.spec);
  const int64_t pad = 16;
  const int64_t row_elements = (c_.input.w + 2 * pad) * c_.spec.in_channels;
  const int64_t row_bytes = row_elements * SizeBytes(c_.spec.input) + 64;
  std::vector<std::vector<uint8_t>> rows(static_cast<size_t>(c_.input.h),
                                         std::vector<uint8_t>(static_cast<size_t>(row_bytes)));
  std::vector<std::vector<uint8_t>> abs_rows = rows;
  const int64_t first = pad * c_.spec.in_channels;
  for (int64_t y = 0; y < c_.input.h; ++y) {
    const size_t row = static_cast<size_t>(y);
    for (int64_t i = 0; i < c_.input.w * c_.spec.in_channels; ++i) {
      StoreAs(c_.spec.input, x.view().Row(0, y)[i], rows[row].data(), first + i);
    }
    if (c_.tail != PackedTail::kNone) {
      AbsRow(rows[row].data(), c_.spec.input, row_elements, abs_rows[row].data());
    }
  }
  const std::vector<uint8_t> zeros(static_cast<size_t>(row_bytes));
  AlignedArray<uint8_t> scratch(static_cast<size_t>(ScratchBytes(conv)));
  Tensor<int32_t> out({1, c_.output.h, c_.output.w, c_.spec.out_channels});
  LaneRequant output;
  output.Reserve(static_cast<int64_t>(conv.requant.exact.size()));
  output.range = {-32767, 32767};
  for (int64_t c = 0; c < c_.spec.out_channels; ++c) {
    output.Set(c, output_.At(static_cast<size_t>(c), output.range));
  }
  const int64_t unbounded = int64_t{1} << 46;
  output.Finish(conv.lane_count, std::span(&unbounded, 1));

  const int64_t out_elements = c_.output.w * c_.spec.out_channels;
  for (int64_t q = 0; q * conv.out_rows < c_.output.h; ++q) {
    std::vector<std::vector<uint8_t>> out_rows(
        static_cast<size_t>(conv.out_rows),
        std::vector<uint8_t>(static_cast<size_t>(out_elements * SizeBytes(c_.stored) + 64), 0xEE));
    std::vector<uint8_t*> out_pointers;
    for (auto& row : out_rows) out_pointers.push_back(row.data());
    std::vector<const uint8_t*> window;
    for (int32_t r = 0; r < conv.window_rows; ++r) {
      const int64_t y = q * conv.unit_step_h + conv.first_row + r;
      const auto& source = c_.tail == PackedTail::kNone ? rows : abs_rows;
      const uint8_t* row =
          y >= 0 && y < c_.input.h ? source[static_cast<size_t>(y)].data() : zeros.data();
      window.push_back(row +
                       (pad + conv.first_column) * c_.spec.in_channels * SizeBytes(c_.spec.input));
    }
    PackedConvCall call{.rows = window.data(),
                        .block_end = static_cast<int32_t>(conv.blocks.size()),
                        .out_rows = out_pointers.data(),
                        .out_width = c_.output.w,
                        .output = c_.stored,
                        .scratch = scratch.data(),
                        .tail = c_.tail,
                        .x_row = rows[static_cast<size_t>(std::min(q, c_.input.h - 1))].data() +
                                 first * SizeBytes(c_.spec.input),
                        .x_type = c_.spec.input,
                        .output_requant = &output};
    const int64_t units = (c_.output.w + conv.out_columns - 1) / conv.out_columns;
    for (int64_t at = 0; at < units; at += 53) {
      call.unit_begin = at;
      call.unit_end = std::min(at + 53, units);
      RunPackedConv(conv, call);
    }
    for (int32_t r = 0; r < conv.out_rows && q * conv.out_rows + r < c_.output.h; ++r) {
      const auto& row = out_rows[static_cast<size_t>(r)];
      for (int64_t i = 0; i < out_elements; ++i) {
        out.view().Row(0, q * conv.out_rows + r)[i] = LoadAs(c_.stored, row.data(), i);
      }
      for (size_t i = static_cast<size_t>(out_elements * SizeBytes(c_.stored)); i < row.size();
           ++i) {
        EXPECT_EQ(row[i], 0xEE) << "written behind the row";
      }
    }
  }
  return out;
}

void ExpectEqual(uint32_t seed, const Case& c, int64_t max_multiplier = 100000) {
  for (const std::string& target : SupportedCpuTargets()) {
    ASSERT_TRUE(SetCpuTarget(target));
    ConvCase conv(seed, c, max_multiplier);
    const Tensor<int32_t> x = conv.RandomInput();
    const Tensor<int32_t> want = conv.Reference(x);
    const Tensor<int32_t> got = conv.Packed(x);
    int64_t differences = 0;
    for (size_t i = 0; i < want.span().size(); ++i) {
      differences += want.span()[i] != got.span()[i];
    }
    EXPECT_EQ(differences, 0) << target << " seed " << seed;
  }
  ASSERT_TRUE(SetCpuTarget(""));
}

Case ConvOf(int32_t k, int32_t s, int32_t pad, int64_t ic, int64_t oc, Size2 in, bool transposed,
            int32_t groups = 1) {
  Case c;
  c.spec.transposed = transposed;
  c.spec.geometry = {.kernel_h = k,
                     .kernel_w = k,
                     .stride_h = s,
                     .stride_w = s,
                     .pad_top = pad,
                     .pad_bottom = pad,
                     .pad_left = pad,
                     .pad_right = pad,
                     .groups = groups};
  c.spec.in_channels = ic;
  c.spec.out_channels = oc;
  c.spec.input_range = {-8191, 8191};
  c.spec.range = {-32767, 32767};
  c.input = in;
  c.output = transposed ? Size2{in.h * s - 1, in.w * s - 1}
                        : Size2{(in.h + 2 * pad - k) / s + 1, (in.w + 2 * pad - k) / s + 1};
  return c;
}

TEST(PackedConv, EqualsReferenceAcrossShapes) {
  uint32_t seed = 100;
  for (const bool transposed : {false, true}) {
    for (const auto& [k, s, p] :
         {std::tuple{5, 2, 2}, {9, 4, 4}, {3, 1, 1}, {1, 1, 0}, {4, 2, 1}, {2, 2, 0}}) {
      for (const auto& [ic, oc] : {std::pair{3, 5}, {16, 33}, {7, 64}, {24, 130}, {12, 3}}) {
        for (const Size2 size : {Size2{5, 7}, Size2{9, 61}}) {
          if (!transposed && (size.h + 2 * p < k || size.w + 2 * p < k)) continue;
          ExpectEqual(++seed, ConvOf(k, s, p, ic, oc, size, transposed));
        }
      }
    }
  }
}

TEST(PackedConv, EqualsReferenceForEightBitOperands) {
  uint32_t seed = 500;
  for (const ElementType type : {ElementType::kU8, ElementType::kI8}) {
    for (const auto& [ic, oc] : {std::pair{3, 16}, {13, 40}, {64, 64}}) {
      Case c = ConvOf(3, 1, 1, ic, oc, {6, 58}, false);
      c.spec.input = type;
      c.spec.input_range = type == ElementType::kU8 ? ValueRange{0, 255} : ValueRange{-128, 127};
      c.spec.range = type == ElementType::kU8 ? ValueRange{0, 15} : ValueRange{-100, 127};
      c.stored = type;
      ExpectEqual(++seed, c);
    }
  }
}

TEST(PackedConv, EqualsReferenceWithGroups) {
  ExpectEqual(700, ConvOf(3, 1, 1, 24, 48, {4, 20}, false, 4));
  ExpectEqual(701, ConvOf(3, 2, 1, 24, 24, {5, 21}, false, 24));
}

TEST(PackedConv, SplitsSumsThatExceed32Bits) {
  Case c = ConvOf(5, 1, 2, 128, 40, {5, 9}, false);
  c.spec.input_range = {-32768, 32767};
  ExpectEqual(710, c);
}

TEST(PackedConv, TakesMultipliersBeyond32Bits) {
  Case c = ConvOf(1, 1, 0, 4, 24, {2, 9}, false);
  c.spec.input_range = {0, 15};
  ExpectEqual(720, c, int64_t{1} << 35);
}

TEST(PackedConv, StoresWideOutputs) {
  Case c = ConvOf(3, 1, 1, 8, 24, {3, 19}, false);
  c.spec.range = {INT32_MIN, INT32_MAX};
  c.stored = ElementType::kI32;
  ExpectEqual(730, c);
}

TEST(PackedConv, GdnAndIgdnEqualReference) {
  uint32_t seed = 800;
  for (const PackedTail tail : {PackedTail::kGdn, PackedTail::kIgdn}) {
    for (const int64_t channels : {3, 48, 128}) {
      for (int round = 0; round < 4; ++round) {
        Case c = ConvOf(1, 1, 0, channels, channels, {2, 70}, false);
        c.tail = tail;
        c.spec.range = {1, 1 << (24 - 5 * round)};
        ExpectEqual(++seed, c, round == 0 ? 1 << 24 : 1 << 14);
      }
    }
  }
}

}  // namespace
}  // namespace lichen
