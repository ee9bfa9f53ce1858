#include "accel/tile/constants.h"

#include <algorithm>

#include "accel/tile/parameters.h"

namespace lichen::tile {
namespace {

constexpr int64_t kMaxMultiplier = (int64_t{1} << 17) - 1;
constexpr int64_t kMaxGdnMultiplier = (int64_t{1} << 31) - 1;
constexpr int64_t kMaxBias = (int64_t{1} << 47) - 1;

// Where lane `lane` of all lanes comes from; channel -1: from nowhere.
struct LaneSource {
  int64_t channel = -1;
  int64_t phase_y = 0;
  int64_t phase_x = 0;
};

LaneSource SourceOf(const Layer& layer, const Mapping& m, int64_t lane) {
  const int64_t phase = lane / m.lane_channels;
  const int64_t channel = lane % m.lane_channels;
  if (phase >= layer.y.phases * layer.x.phases || channel >= layer.output_channels) return {};
  return {channel, layer.y.order[static_cast<size_t>(phase / layer.x.phases)],
          layer.x.order[static_cast<size_t>(phase % layer.x.phases)]};
}

// The weight of an input element at a tap, 0 where the kernel has none.
int16_t WeightAt(const Layer& layer, const Mapping& m, const Design& design,
                 const LaneSource& source, int64_t tap_y, int64_t tap_x, int64_t element) {
  if (source.channel < 0) return 0;
  int64_t ky = tap_y;
  int64_t kx = tap_x;
  int64_t ic = element;
  const Geometry& g = layer.convolution->geometry;
  if (layer.is_transposed) {
    ky = layer.y.phase[static_cast<size_t>(source.phase_y)].kernel[static_cast<size_t>(tap_y)];
    kx = layer.x.phase[static_cast<size_t>(source.phase_x)].kernel[static_cast<size_t>(tap_x)];
  } else if (m.is_folded) {
    const int64_t at = tap_x * design.pif + element - m.fold_shift;
    if (at < 0) return 0;
    kx = at / layer.input_channels;
    ic = at % layer.input_channels;
  }
  if (ky < 0 || kx < 0 || kx >= g.kernel_w || ic >= layer.input_channels) return 0;
  return layer.convolution->params.weights[static_cast<size_t>(
      ((source.channel * g.kernel_h + ky) * g.kernel_w + kx) * layer.input_channels + ic)];
}

class WordWriter {
 public:
  explicit WordWriter(const Design& design) : bytes_(design.ElementBytes()) {}
  void Put(int16_t value) {
    out_.push_back(static_cast<uint8_t>(value));
    if (bytes_ == 2) out_.push_back(static_cast<uint8_t>(value >> 8));
  }
  std::vector<uint8_t> Take() { return std::move(out_); }

 private:
  int64_t bytes_;
  std::vector<uint8_t> out_;
};

ChannelRecord RecordOf(const ChannelRequant& requant, int64_t channel) {
  const Requant r = requant.At(static_cast<size_t>(channel), {});
  return {r.bias, static_cast<int32_t>(r.multiplier), static_cast<uint8_t>(r.pre_shift)};
}

RequantConstants ConstantsOf(const ChannelRequant& requant, ValueRange range) {
  return {static_cast<int32_t>(range.min), static_cast<int32_t>(range.max), requant.post_shift};
}

class ParameterWriter {
 public:
  explicit ParameterWriter(const Design& design) : lanes_(design.pof) {}
  void Constants(const RequantConstants& first, const RequantConstants& second) {
    Put(ToBytes(first));
    if (lanes_ > 1) Put(ToBytes(second));
    for (int64_t lane = 2; lane < lanes_; ++lane) Put({});
  }
  void Put(const RecordBytes& record) { out_.insert(out_.end(), record.begin(), record.end()); }
  std::vector<uint8_t> Take() { return std::move(out_); }

 private:
  int64_t lanes_;
  std::vector<uint8_t> out_;
};

Result<void> CheckRequant(const ChannelRequant& r, int64_t max, std::string_view what) {
  for (int64_t multiplier : r.multiplier) {
    if (multiplier < -max || multiplier > max) {
      return Fail("{}: multiplier {} exceeds {}", what, multiplier, max);
    }
  }
  for (int64_t bias : r.bias) {
    if (bias < -kMaxBias || bias > kMaxBias) return Fail("{}: bias {} exceeds 48 bits", what, bias);
  }
  return {};
}

}  // namespace

std::vector<uint8_t> PackWeights(const Layer& layer, const Mapping& m, const Design& design) {
  WordWriter out(design);
  for (const Pass& pass : m.passes) {
    for (int64_t group = pass.first_group; group < pass.first_group + pass.groups; ++group) {
      std::vector<LaneSource> sources;
      for (int64_t l = 0; l < design.pof; ++l) {
        sources.push_back(SourceOf(layer, m, group * design.pof + l));
      }
      for (int64_t ky = pass.tap_y; ky < pass.tap_y + pass.taps_y; ++ky) {
        for (int64_t kx = pass.tap_x; kx < pass.tap_x + pass.taps_x; ++kx) {
          for (int64_t chunk = 0; chunk < m.chunks; ++chunk) {
            for (const LaneSource& source : sources) {
              for (int64_t i = 0; i < design.pif; ++i) {
                out.Put(WeightAt(layer, m, design, source, ky, kx, chunk * design.pif + i));
              }
            }
          }
        }
      }
    }
  }
  if (!layer.norm) return out.Take();
  const int64_t channels = layer.output_channels;
  for (int64_t group = 0; group < m.lane_channels / design.pof; ++group) {
    for (int64_t chunk = 0; chunk < m.lane_channels / design.pif; ++chunk) {
      for (int64_t l = 0; l < design.pof; ++l) {
        for (int64_t i = 0; i < design.pif; ++i) {
          const int64_t c = group * design.pof + l;
          const int64_t j = chunk * design.pif + i;
          out.Put(c < channels && j < channels
                      ? layer.norm->params.weights[static_cast<size_t>(c * channels + j)]
                      : int16_t{0});
        }
      }
    }
  }
  return out.Take();
}

std::vector<uint8_t> PackParameters(const IntGraph& graph, const Layer& layer, const Mapping& m,
                                    const Design& design) {
  ParameterWriter out(design);
  const IntParams& p = layer.convolution->params;
  out.Constants(ConstantsOf(p.requant, graph.tensor(layer.convolution->output).range), {});
  for (int64_t lane = 0; lane < m.lane_count; ++lane) {
    const LaneSource source = SourceOf(layer, m, lane);
    out.Put(source.channel < 0 ? RecordBytes{} : ToBytes(RecordOf(p.requant, source.channel)));
  }
  if (!layer.norm) return out.Take();
  const IntParams& n = layer.norm->params;
  out.Constants(ConstantsOf(n.requant, n.inner_range),
                ConstantsOf(n.output_requant, graph.tensor(layer.output).range));
  for (int64_t group = 0; group < m.lane_channels / design.pof; ++group) {
    for (const ChannelRequant* requant : {&n.requant, &n.output_requant}) {
      for (int64_t l = 0; l < design.pof; ++l) {
        const int64_t c = group * design.pof + l;
        out.Put(c < layer.output_channels ? ToBytes(RecordOf(*requant, c)) : RecordBytes{});
      }
    }
  }
  return out.Take();
}

Result<void> CheckWidths(const IntGraph& graph, const Layer& layer, const Design& design) {
  const int64_t limit = int64_t{1} << (design.operand_bits - 1);
  const auto operand = [&](TensorId id, bool may_be_unsigned) -> Result<void> {
    const TensorInfo& t = graph.tensor(id);
    if (t.range.min >= -limit && t.range.max < limit) return {};
    if (may_be_unsigned && t.range.min >= 0 && t.range.max < 2 * limit) return {};
    return Fail("tensor {} holds {} to {}, the design's operands have {} bits", t.name, t.range.min,
                t.range.max, design.operand_bits);
  };
  // 8-bit operands have a ninth bit in the input buffer.
  LICHEN_TRY_VOID(operand(layer.input, design.operand_bits == 8));
  for (const IntNode* node : {layer.convolution, layer.norm}) {
    if (!node) continue;
    const bool is_gdn = node->kind == OpKind::kGdn;
    LICHEN_TRY_VOID(CheckRequant(node->params.requant, kMaxMultiplier, "requant"));
    LICHEN_TRY_VOID(CheckRequant(node->params.output_requant,
                                 is_gdn ? kMaxGdnMultiplier : kMaxMultiplier, "output_requant"));
    for (int16_t weight : node->params.weights) {
      if (weight < -limit || weight >= limit) {
        return Fail("weight {} exceeds {} bits", weight, design.operand_bits);
      }
    }
  }
  if (layer.norm) LICHEN_TRY_VOID(operand(layer.convolution->output, false));
  // The result may use 16 bits, signed or not; operand() refuses it where a layer computes with it.
  const ValueRange out = graph.tensor(layer.output).range;
  if (out.min >= INT16_MIN && out.max <= INT16_MAX) return {};
  if (out.min >= 0 && out.max <= UINT16_MAX) return {};
  return Fail("the result holds {} to {}, an element 16 bits", out.min, out.max);
}

}  // namespace lichen::tile
