// READ ME FIRST: SkyNet.wt holds blocks of 32 cells of 8 bits, a cell per channel; SkyNet.bm holds blocks of 16 numbers of 16
// bits, a layer's biases before its multipliers, channels filled up to multiples of 32. Where the layers start follows
// from the layers' sizes, in the order in which they run (docs/imported.md).
#include <array>
#include <cstring>
#include <vector>

#include "base/files.h"
#include "net/graph_builder.h"
#include "net/import/detector.h"
#include "net/import/sources.h"
#include "net/limits.h"
#include "net/proof.h"

namespace lichen {
namespace {

constexpr int64_t kBlock = 32;  // channels; a block of cells
constexpr int kWeightBits = 6;
constexpr ValueRange kActivations = {0, 255};
constexpr int64_t kZero = 128;  // of the picture: what stands beyond its edges
constexpr int kShift = 17;

struct Layer {
  int64_t out = 0;
  bool is_depthwise = false;
};

// Depthwise 3x3 and 1x1 in turn; "conv1" is the first.
constexpr std::array<Layer, 13> kLayers = {{{3, true},
                                            {64, false},
                                            {64, true},
                                            {96, false},
                                            {96, true},
                                            {192, false},
                                            {192, true},
                                            {384, false},
                                            {384, true},
                                            {512, false},
                                            {1280, true},
                                            {96, false},
                                            {10, false}}};
constexpr size_t kPools[] = {1, 3, 5};  // after these
constexpr size_t kBypassFrom = 5;
constexpr size_t kBypassTo = 10;
constexpr size_t kWeightBytes = 441344;
constexpr size_t kBiasBytes = 13696;

constexpr int64_t FilledUp(int64_t channels) { return (channels + kBlock - 1) / kBlock * kBlock; }

class Importer {
 public:
  Importer(std::vector<uint8_t> weights, std::vector<uint8_t> biases)
      : weights_(std::move(weights)), biases_(std::move(biases)), builder_("main") {}

  Result<Model> Run() {
    TensorId at = AddInput();
    TensorId bypass;
    for (size_t i = 0; i < kLayers.size(); ++i) {
      if (i == kBypassTo) at = AddBypass(builder_, bypass, at);
      LICHEN_TRY(at, InPlace(fmt::format("conv{}", i + 1), AddLayer(i, at)));
      if (i == kBypassFrom) bypass = at;
      for (const size_t pool : kPools) {
        if (i == pool) at = AddPool2x2(builder_, at, fmt::format("pool{}", i / 2 + 1));
      }
    }
    builder_.Output(at);
    IntNet net;
    net.graphs.push_back(std::move(builder_).Build());
    net.metadata = {
        {"source", "skynet-skrskr"},
        {"model", "skynet"},
        {"task", "detect"},
        {"colour", "rgb"},
        {"input_size", "160x320"},
        {"resize", "nearest"},
        {"div", fmt::format("{}", int64_t{1} << kShift)},
        // In pixels of the input; theirs are in cells of 8 pixels.
        {"anchors", "11.952042x18.878785,32.090410x46.086991"},
        {"head",
         "channel = anchor*5 + field; fields x y w h conf; the anchor and cell of largest conf; "
         "centre = (sigmoid(v) + cell)*8 px, size = exp(v)*anchor px of the 160x320 input"}};
    return net;
  }

 private:
  // The picture less kZero, so that zeros stand beyond its edges.
  TensorId AddInput() {
    const TensorId at = builder_.Input(
        {.name = "input", .channels = 3, .range = kActivations, .scale = {1.0 / 255}});
    IntParams p;
    p.requant.bias = {-kZero};
    return builder_.Add(OpKind::kRequant, {at},
                        {.name = "centred",
                         .channels = 3,
                         .range = {-kZero, kActivations.max - kZero},
                         .scale = {1.0 / 255}},
                        {}, std::move(p));
  }

  // A cell of the block, a number of 6 bits in two's complement.
  Result<int16_t> Cell(int64_t block, int64_t channel) const {
    const auto cell = static_cast<int8_t>(
        weights_[static_cast<size_t>((weight_block_ + block) * kBlock + channel)]);
    if (cell < -32 || cell > 31) return Fail("weight {} has more than 6 bits", cell);
    return cell;
  }

  Result<std::vector<int16_t>> TakeWeights(const Layer& layer, int64_t in) {
    std::vector<int16_t> weights;
    const int64_t steps = layer.is_depthwise ? 9 : in;  // blocks per kBlock output channels
    for (int64_t oc = 0; oc < layer.out; ++oc) {
      for (int64_t step = 0; step < steps; ++step) {
        const int64_t filled = layer.is_depthwise ? 9 : FilledUp(in);
        LICHEN_TRY(const int16_t weight, Cell(oc / kBlock * filled + step, oc % kBlock));
        weights.push_back(weight);
      }
    }
    weight_block_ += FilledUp(layer.out) / kBlock * (layer.is_depthwise ? 9 : FilledUp(in));
    return weights;
  }

  std::vector<int64_t> TakeNumbers(int64_t channels) {
    std::vector<int64_t> values;
    for (int64_t c = 0; c < channels; ++c) {
      int16_t value;
      std::memcpy(&value, biases_.data() + bias_at_ + static_cast<size_t>(c) * 2, sizeof(value));
      values.push_back(value);
    }
    bias_at_ += static_cast<size_t>(FilledUp(channels)) * 2;
    return values;
  }

  // Theirs: clamp(max(acc + bias, 0) * multiplier >> kShift), rounding down.
  static ChannelRequant Fold(const std::vector<int64_t>& biases,
                             const std::vector<int64_t>& multipliers) {
    ChannelRequant requant{.multiplier = {}, .bias = {}, .post_shift = kShift};
    for (size_t c = 0; c < biases.size(); ++c) {
      const bool is_dead = multipliers[c] <= 0;  // nothing above 0 comes of it
      requant.multiplier.push_back(is_dead ? 0 : multipliers[c]);
      // Less a half: Requantise() rounds half up.
      requant.bias.push_back(is_dead ? 0
                                     : biases[c] * multipliers[c] - (int64_t{1} << (kShift - 1)));
    }
    return requant;
  }

  Result<TensorId> AddLayer(size_t index, TensorId at) {
    const Layer& layer = kLayers[index];
    const int64_t in = builder_.tensor(at).channels;
    const bool is_last = index + 1 == kLayers.size();
    IntParams p;
    LICHEN_TRY(p.weights, TakeWeights(layer, in));
    p.weight_bits = kWeightBits;
    std::vector<int64_t> biases = TakeNumbers(layer.out);
    const std::vector<int64_t> multipliers = TakeNumbers(layer.out);
    if (index == 0) {
      for (size_t i = 0; i < p.weights.size(); ++i) biases[i / 9] += kZero * p.weights[i];
    }
    TensorInfo output = {.name = fmt::format("conv{}", index + 1), .channels = layer.out};
    if (is_last) {
      p.requant.multiplier = multipliers;
    } else {
      output.range = kActivations;
      p.requant = Fold(biases, multipliers);
    }
    const TensorId id = builder_.Add(
        OpKind::kConv2d, {at}, std::move(output),
        SameConv(layer.is_depthwise ? 3 : 1, layer.is_depthwise ? static_cast<int32_t>(in) : 1),
        std::move(p));
    if (is_last) {
      const ValueRange sums = PlainSumRange(builder_.graph(), builder_.graph().nodes.back());
      const int64_t largest = *std::max_element(multipliers.begin(), multipliers.end());
      builder_.tensor(id).range = {-sums.MaxAbs() * largest, sums.MaxAbs() * largest};
      builder_.tensor(id).scale = {1.0 / static_cast<double>(int64_t{1} << kShift)};
    }
    return id;
  }

  std::vector<uint8_t> weights_;
  std::vector<uint8_t> biases_;
  int64_t weight_block_ = 0;
  size_t bias_at_ = 0;
  GraphBuilder<IntParams> builder_;
};

Result<std::vector<uint8_t>> ReadOfSize(const std::filesystem::path& path, size_t size) {
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, uint64_t{64} << 20));
  if (bytes.size() != size) {
    return Fail("{}: has {} bytes, expected {}", path.string(), bytes.size(), size);
  }
  return bytes;
}

}  // namespace

Result<Model> ImportSkynetSkrskr(const std::filesystem::path& path, const ImportOptions&) {
  LICHEN_TRY(std::vector<uint8_t> weights, ReadOfSize(path / "SkyNet.wt", kWeightBytes));
  LICHEN_TRY(std::vector<uint8_t> biases, ReadOfSize(path / "SkyNet.bm", kBiasBytes));
  return InPlace(path.string(), Importer(std::move(weights), std::move(biases)).Run());
}

}  // namespace lichen
