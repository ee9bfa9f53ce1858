#include "accel/tile/constants.h"

#include <algorithm>

#include "accel/tile/narrow_requant.h"
#include "accel/tile/parameters.h"
#include "net/proof.h"

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
  size_t at = 0;
  while (at + 1 < m.strips.size() && lane >= m.strips[at + 1].first_lane) ++at;
  const Strip& strip = m.strips[at];
  const int64_t x = (lane - strip.first_lane) / m.lane_channels;
  const int64_t channel = (lane - strip.first_lane) % m.lane_channels;
  if (x >= strip.phases_x || channel >= layer.output_channels) return {};
  return {channel, strip.phase_y, strip.first_x + x};
}

// The weight of an input element at a tap, 0 where the kernel has none.
int16_t WeightAt(const Layer& layer, const Mapping& m, const Design& design,
                 const LaneSource& source, int64_t tap_y, int64_t tap_x, int64_t element) {
  if (source.channel < 0) return 0;
  if (m.is_folded) {
    const int64_t at = tap_x * design.pif + element - m.fold_shift;
    if (at < 0) return 0;
    tap_x = at / m.pixel_elements;
    element = at % m.pixel_elements;
  }
  return WeightOf(layer, source.phase_y, source.phase_x, source.channel, tap_y, tap_x, element);
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
      return Fail(
          "{}: multiplier {} exceeds {}, and no smaller one was found that gives the same results: "
          "train with fewer bits of activations, or take the fusion machine (--family fusion)",
          what, multiplier, max);
    }
  }
  for (int64_t bias : r.bias) {
    if (bias < -kMaxBias || bias > kMaxBias) return Fail("{}: bias {} exceeds 48 bits", what, bias);
  }
  return {};
}

void PackPass(const Layer& layer, const Mapping& m, const Design& design, const Pass& pass,
              WordWriter& out) {
  for (int64_t group = pass.first_group; group < pass.first_group + pass.groups; ++group) {
    std::vector<LaneSource> sources;
    for (int64_t l = 0; l < design.pof; ++l) {
      sources.push_back(SourceOf(layer, m, group * design.pof + l));
    }
    for (int64_t ky = pass.tap_y; ky < pass.tap_y + pass.taps_y; ++ky) {
      for (int64_t kx = pass.tap_x; kx < pass.tap_x + pass.taps_x; ++kx) {
        for (int64_t chunk = pass.first_chunk; chunk < pass.first_chunk + pass.chunks; ++chunk) {
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

void PackNormGroup(const Layer& layer, const Mapping& m, const Design& design, int64_t group,
                   WordWriter& out) {
  const int64_t channels = layer.output_channels;
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

}  // namespace

std::vector<uint8_t> PackWeights(const Layer& layer, const Mapping& m, const Design& design) {
  WordWriter out(design);
  for (const WeightBlock& block : m.blocks) {
    for (const Pass& pass : block.passes) PackPass(layer, m, design, pass, out);
    for (int64_t group = 0; group < block.norm_groups; ++group) {
      PackNormGroup(layer, m, design, block.first_norm_group + group, out);
    }
  }
  return out.Take();
}

ChannelRequant SumRequant(const IntGraph& graph, const Layer& layer) {
  if (!layer.requant) return {};
  std::vector<ValueRange> sums;
  if (layer.Copies()) {
    sums.assign(static_cast<size_t>(layer.output_channels), graph.tensor(layer.input).range);
  } else {
    for (const ChannelSum& sum : BoundSums(graph, *layer.requant).channels) {
      sums.push_back({sum.min, sum.max});
    }
  }
  return NarrowRequant(layer.requant->params.requant, sums, layer.range, kMaxMultiplier);
}

std::vector<uint8_t> PackParameters(const Layer& layer, const Mapping& m, const Design& design,
                                    const ChannelRequant& requant) {
  ParameterWriter out(design);
  for (const WeightBlock& block : m.blocks) {
    if (block.groups > 0) out.Constants(ConstantsOf(requant, layer.range), {});
    for (int64_t lane = block.first_group * design.pof;
         lane < (block.first_group + block.groups) * design.pof; ++lane) {
      const LaneSource source = SourceOf(layer, m, lane);
      out.Put(source.channel < 0 ? RecordBytes{} : ToBytes(RecordOf(requant, source.channel)));
    }
    if (block.norm_groups == 0) continue;
    const IntParams& n = layer.norm->params;
    out.Constants(ConstantsOf(n.requant, n.inner_range),
                  ConstantsOf(n.output_requant, layer.norm_range));
    for (int64_t group = 0; group < block.norm_groups; ++group) {
      for (const ChannelRequant* norm : {&n.requant, &n.output_requant}) {
        for (int64_t l = 0; l < design.pof; ++l) {
          const int64_t c = (block.first_norm_group + group) * design.pof + l;
          out.Put(c < layer.output_channels ? ToBytes(RecordOf(*norm, c)) : RecordBytes{});
        }
      }
    }
  }
  return out.Take();
}

Result<void> CheckWidths(const IntGraph& graph, const Layer& layer, const Design& design,
                         const ChannelRequant& requant) {
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
  LICHEN_TRY_VOID(CheckRequant(requant, kMaxMultiplier, "requant"));
  for (const IntNode* node : {layer.node, layer.norm}) {
    if (!node) continue;
    for (int16_t weight : node->params.weights) {
      if (weight < -limit || weight >= limit) {
        return Fail("weight {} exceeds {} bits", weight, design.operand_bits);
      }
    }
  }
  if (layer.norm) {
    const IntParams& n = layer.norm->params;
    LICHEN_TRY_VOID(CheckRequant(n.requant, kMaxMultiplier, "requant"));
    const bool is_gdn = layer.norm->kind == OpKind::kGdn;
    LICHEN_TRY_VOID(CheckRequant(n.output_requant, is_gdn ? kMaxGdnMultiplier : kMaxMultiplier,
                                 "output_requant"));
    if (layer.range.min < -limit || layer.range.max >= limit) {
      return Fail("the norm's input holds {} to {}, the design's operands have {} bits",
                  layer.range.min, layer.range.max, design.operand_bits);
    }
  }
  // The result may use 16 bits, signed or not; operand() refuses it where a layer computes with it.
  const ValueRange out = graph.tensor(layer.output).range;
  if (layer.pools && out.max > INT16_MAX) {
    return Fail("the pooled result reaches {}, MaxPool compares up to {}", out.max, INT16_MAX);
  }
  if (out.min >= INT16_MIN && out.max <= INT16_MAX) return {};
  if (out.min >= 0 && out.max <= UINT16_MAX) return {};
  return Fail(
      "the result holds {} to {}, an element of memory 16 bits: give the layer a narrower range, "
      "or take the fusion machine (--family fusion)",
      out.min, out.max);
}

}  // namespace lichen::tile
