#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/byte_reader.h"
#include "fuzz/engine_check.h"
#include "fuzz/fuzz.h"
#include "kernels/cpu_target.h"
#include "net/check.h"
#include "net/graph_builder.h"
#include "net/proof.h"

namespace lichen {
namespace {

// A network of one or two nodes out of bytes. Most are legal; CheckIntNet sorts out the others.
class NetMaker {
 public:
  explicit NetMaker(std::span<const uint8_t> bytes) : reader_(bytes), builder_("main") {}

  IntNet Make() {
    const ValueRange range = Range(16);
    const TensorId input = builder_.Input({.name = "x", .channels = Channels(), .range = range});
    size_ = {reader_.Int(1, 12), reader_.Int(1, 120)};
    TensorId last = Append(input, "a");
    if (reader_.Bool()) last = Append(last, "b");
    builder_.Output(last);
    seed_ = static_cast<uint64_t>(reader_.Int(0, 65535));
    IntNet net;
    net.graphs.push_back(std::move(builder_).Build());
    return net;
  }

  Size2 size() const { return size_; }
  uint64_t seed() const { return seed_; }

 private:
  int64_t Channels() { return reader_.Bool() ? reader_.Int(1, 8) : reader_.Int(1, 140); }

  // Of at most so many bits; unsigned, signed, or with uneven bounds.
  ValueRange Range(int max_bits) {
    const int64_t bits = reader_.Int(1, max_bits);
    const int64_t half = int64_t{1} << (bits - 1);
    switch (reader_.Byte() % 4) {
      case 0:
        return {0, std::min<int64_t>(2 * half - 1, INT32_MAX)};
      case 1:
        return {-half, half - 1};
      case 2:
        return {1 - half, std::max<int64_t>(half - 1, 1 - half)};
      default:
        return {-reader_.Int(0, half), reader_.Int(0, half - 1)};
    }
  }

  std::vector<int16_t> Weights(int64_t count, int64_t low) {
    const int64_t high = (int64_t{1} << reader_.Int(0, 15)) - 1;
    const uint8_t kind = reader_.Byte();
    SmallRandom random(reader_.Byte());
    std::vector<int16_t> weights(static_cast<size_t>(std::min<int64_t>(count, 1 << 18)));
    const int64_t min = low < 0 ? -high - 1 : 0;
    for (int16_t& w : weights) {
      if (kind % 4 == 0 || (kind % 4 == 1 && random.Int(0, 7) == 0)) {
        w = static_cast<int16_t>(random.Int(min, high));
      } else if (kind % 4 == 2) {
        w = static_cast<int16_t>(random.Int(0, 1) ? min : high);
      }  // else mostly, or only, zeros
    }
    return weights;
  }

  // Multipliers of about the size that brings `bound` into `range`, or any.
  ChannelRequant Requantiser(int64_t channels) {
    ChannelRequant r;
    const size_t count = static_cast<size_t>(reader_.Bool() ? channels : 1);
    const int64_t limit = int64_t{1} << reader_.Int(0, reader_.Byte() % 8 == 0 ? 40 : 18);
    const int64_t bias = int64_t{1} << reader_.Int(0, reader_.Byte() % 8 == 0 ? 45 : 24);
    const int64_t pre_shift = reader_.Int(0, reader_.Byte() % 8 == 0 ? 63 : 8);
    SmallRandom random(reader_.Byte());
    r.multiplier.resize(count);
    r.pre_shift.resize(count);
    r.bias.resize(count);
    for (size_t c = 0; c < count; ++c) {
      r.multiplier[c] = random.Int(-limit, limit);
      r.pre_shift[c] = static_cast<uint8_t>(random.Int(0, pre_shift));
      r.bias[c] = random.Int(-bias, bias);
    }
    r.post_shift = static_cast<uint8_t>(reader_.Int(0, reader_.Byte() % 8 == 0 ? 61 : 30));
    return r;
  }

  Geometry Window(int64_t in_channels, int64_t& out_channels, bool is_transposed) {
    Geometry g;
    g.kernel_h = static_cast<int32_t>(reader_.Int(1, 6));
    g.kernel_w = static_cast<int32_t>(reader_.Int(1, 6));
    g.stride_h = static_cast<int32_t>(reader_.Int(1, 4));
    g.stride_w = static_cast<int32_t>(reader_.Int(1, 4));
    g.pad_top = static_cast<int32_t>(reader_.Int(0, 6));
    g.pad_left = static_cast<int32_t>(reader_.Int(0, 6));
    if (!is_transposed) {
      g.pad_bottom = static_cast<int32_t>(reader_.Int(-3, 6));
      g.pad_right = static_cast<int32_t>(reader_.Int(-3, 6));
    }
    const uint8_t grouping = reader_.Byte() % 4;
    if (grouping == 1) {  // a filter or several per channel
      g.groups = static_cast<int32_t>(in_channels);
      out_channels = in_channels * reader_.Int(1, 2);
    } else if (grouping == 2) {
      const int64_t groups = reader_.Int(2, 4);
      if (in_channels % groups == 0) {
        g.groups = static_cast<int32_t>(groups);
        out_channels = (out_channels + groups - 1) / groups * groups;
      }
    }
    return g;
  }

  void Mask(int64_t in, int64_t out, const Geometry& g, IntParams& p) {
    const int64_t block = reader_.Int(1, 12);
    if (g.groups != 1 || in % block != 0 || out % block != 0) return;
    SmallRandom random(reader_.Byte());
    p.mask_block = static_cast<int32_t>(block);
    const int64_t taps = int64_t{g.kernel_h} * g.kernel_w;
    p.mask.resize(static_cast<size_t>(out / block * taps * (in / block)));
    for (uint8_t& on : p.mask) on = static_cast<uint8_t>(random.Int(0, 1));
    for (int64_t oc = 0; oc < out; ++oc) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        for (int64_t ic = 0; ic < in; ++ic) {
          const int64_t at = (oc / block * taps + tap) * (in / block) + ic / block;
          const size_t w = static_cast<size_t>((oc * taps + tap) * in + ic);
          if (!p.mask[static_cast<size_t>(at)] && w < p.weights.size()) p.weights[w] = 0;
        }
      }
    }
  }

  TensorId Append(TensorId input, std::string name) {
    const OpKind kind = static_cast<OpKind>(reader_.Byte() % kOpKindCount);
    const TensorInfo in = builder_.tensor(input);
    TensorInfo out{.name = std::move(name), .channels = in.channels, .range = Range(32)};
    std::vector<TensorId> inputs = {input};
    Geometry g;
    IntParams p;
    switch (kind) {
      case OpKind::kConv2d:
      case OpKind::kConvTranspose2d: {
        out.channels = Channels();
        g = Window(in.channels, out.channels, kind == OpKind::kConvTranspose2d);
        const int64_t count = out.channels * g.kernel_h * g.kernel_w * (in.channels / g.groups);
        p.weights = Weights(count, -1);
        if (kind == OpKind::kConv2d && reader_.Byte() % 4 == 0)
          Mask(in.channels, out.channels, g, p);
        p.requant = Requantiser(out.channels);
        break;
      }
      case OpKind::kLinear:
        out.channels = Channels();
        g.kernel_h = static_cast<int32_t>(size_.h);
        g.kernel_w = static_cast<int32_t>(size_.w);
        p.weights = Weights(out.channels * size_.h * size_.w * in.channels, -1);
        p.requant = Requantiser(out.channels);
        break;
      case OpKind::kGdn:
      case OpKind::kIgdn:
        p.weights = Weights(in.channels * in.channels, reader_.Bool() ? 0 : -1);
        p.requant = Requantiser(in.channels);
        p.inner_range = {reader_.Int(1, 100), int64_t{1} << reader_.Int(7, 24)};
        p.output_requant = Requantiser(in.channels);
        if (kind == OpKind::kGdn) {
          ChannelRequant only;
          only.multiplier = p.output_requant.multiplier;
          p.output_requant = only;
        }
        break;
      case OpKind::kLagc:
        p.weights = Weights(in.channels * in.channels, -1);
        p.requant = Requantiser(in.channels);
        p.inner_range = Range(8);
        Table(p, p.inner_range);
        p.gain_requant = Requantiser(in.channels);
        p.gain_range = Range(24);
        p.output_requant = Requantiser(in.channels);
        break;
      case OpKind::kDepthToSpace:
        g.block = static_cast<int32_t>(reader_.Int(1, 4));
        g.crop = static_cast<int32_t>(reader_.Int(0, 3));
        out.channels = std::max<int64_t>(in.channels / (g.block * g.block), 1);
        out.range = in.range;
        break;
      case OpKind::kSpaceToDepth:
        g.block = static_cast<int32_t>(reader_.Int(1, 4));
        out.channels = in.channels * g.block * g.block;
        out.range = in.range;
        break;
      case OpKind::kMaxPool:
        g.kernel_h = static_cast<int32_t>(reader_.Int(1, 4));
        g.kernel_w = static_cast<int32_t>(reader_.Int(1, 4));
        g.stride_h = static_cast<int32_t>(reader_.Int(1, 4));
        g.stride_w = static_cast<int32_t>(reader_.Int(1, 4));
        out.range = in.range;
        break;
      case OpKind::kAdd:
        inputs.push_back(reader_.Bool() ? input : builder_.graph().inputs[0]);
        break;
      case OpKind::kConcat:
        inputs.push_back(reader_.Bool() ? input : builder_.graph().inputs[0]);
        out.channels += builder_.tensor(inputs[1]).channels;
        out.range = {std::min(in.range.min, builder_.tensor(inputs[1]).range.min),
                     std::max(in.range.max, builder_.tensor(inputs[1]).range.max)};
        break;
      case OpKind::kLeakyRelu:
        p.slope_shift = static_cast<int32_t>(reader_.Int(0, 31));
        out.range = {std::min<int64_t>(in.range.min, 0), std::max<int64_t>(in.range.max, 0)};
        break;
      case OpKind::kLut:
        Table(p, in.range);
        out.range = {INT32_MIN, INT32_MAX};
        break;
      case OpKind::kRequant:
        p.requant = Requantiser(in.channels);
        break;
      case OpKind::kClamp:
        break;
    }
    if (!p.weights.empty()) p.weight_bits = SignedBitsOf(p.weights);
    return builder_.Add(kind, std::move(inputs), std::move(out), g, std::move(p));
  }

  void Table(IntParams& p, ValueRange inputs) {
    if (inputs.max - inputs.min > 65535) return;  // the check will refuse it
    SmallRandom random(reader_.Byte());
    const int64_t limit = int64_t{1} << reader_.Int(0, 30);
    p.table_first = inputs.min;
    p.table.resize(static_cast<size_t>(inputs.max - inputs.min + 1));
    for (int32_t& v : p.table) v = static_cast<int32_t>(random.Int(-limit, limit));
  }

  ByteReader reader_;
  GraphBuilder<IntParams> builder_;
  Size2 size_;
  uint64_t seed_ = 0;
};

}  // namespace

void FuzzOperators(std::span<const uint8_t> bytes) {
  NetMaker maker(bytes);
  const IntNet net = maker.Make();
  if (!CheckIntNet(net)) return;
  if (!IsSmallRun(net.graphs[0], {maker.size()}, {})) return;
  for (const std::string& target : SupportedCpuTargets()) {
    LICHEN_CHECK(SetCpuTarget(target).has_value());
    CheckEngine(net.graphs[0], {maker.size()}, {}, maker.seed());
  }
  LICHEN_CHECK(SetCpuTarget("").has_value());
}

}  // namespace lichen
