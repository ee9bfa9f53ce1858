#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "base/files.h"
#include "net/graph_builder.h"
#include "net/import/detector.h"
#include "net/import/sources.h"
#include "net/import/weights.h"
#include "net/proof.h"

namespace lichen {
namespace {

constexpr int kActivationBits = 4;
constexpr int kInputBits = 8;
constexpr int64_t kActivationMax = 15;

int64_t KernelOf(size_t layer) { return layer + 1 == kUltranetLayers ? 1 : 3; }

int64_t WeightsOf(size_t layer) {
  return KernelOf(layer) * KernelOf(layer) * kUltranetChannels[layer] *
         kUltranetChannels[layer + 1];
}

size_t FileBytes() {
  int64_t bytes = 0;
  for (size_t i = 0; i < kUltranetLayers; ++i) {
    bytes += WeightsOf(i) + kUltranetChannels[i + 1] * (i + 1 == kUltranetLayers ? 4 : 8);
  }
  return static_cast<size_t>(bytes);
}

// "8,4,4,..." -> widths of the nine layers.
Result<std::array<int, kUltranetLayers>> ParseBits(std::string_view text) {
  std::array<int, kUltranetLayers> bits{};
  const char* at = text.data();
  const char* end = text.data() + text.size();
  for (size_t i = 0; i < kUltranetLayers; ++i) {
    const auto [next, error] = std::from_chars(at, end, bits[i]);
    const bool is_last = i + 1 == kUltranetLayers;
    if (error != std::errc() || bits[i] < 2 || bits[i] > 8 || (next == end) != is_last ||
        (!is_last && *next != ',')) {
      return FailUsage("bits='{}' is not nine widths of 2 to 8, separated by commas", text);
    }
    if (!is_last) at = next + 1;
  }
  return bits;
}

class Importer {
 public:
  Importer(std::vector<uint8_t> bytes, std::optional<std::array<int, kUltranetLayers>> bits)
      : bytes_(std::move(bytes)), bits_(bits), builder_("main") {}

  Result<Model> Run() {
    TensorId at =
        builder_.Input({.name = "input", .channels = 3, .range = {0, 255}, .scale = {1.0 / 255}});
    int last_bits = 0;
    for (size_t i = 0; i < kUltranetLayers; ++i) {
      LICHEN_TRY(at, AddLayer(i, at, last_bits));
      if (i < kUltranetPools) at = AddPool2x2(builder_, at, fmt::format("pool_{}", i));
    }
    builder_.Output(at);
    const int64_t div = ((int64_t{1} << (last_bits - 1)) - 1) * kActivationMax;
    builder_.tensor(at).scale = {1.0 / static_cast<double>(div)};
    IntNet net;
    net.graphs.push_back(std::move(builder_).Build());
    net.metadata = {{"source", "ultranet-qbin"},
                    {"model", "ultranet"},
                    {"task", "detect"},
                    {"colour", "bgr"},
                    {"input_size", "160x320"},
                    {"div", fmt::format("{}", div)},
                    {"head", kUltranetHead.data()}};
    return net;
  }

 private:
  std::vector<int64_t> TakeInt8(int64_t count) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<int8_t>(bytes_[at_++]));
    return values;
  }

  std::vector<int64_t> TakeInt32(int64_t count) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < count; ++i) {
      int32_t value;
      std::memcpy(&value, bytes_.data() + at_, sizeof(value));
      at_ += sizeof(value);
      values.push_back(value);
    }
    return values;
  }

  // The stated width, or 4 where every weight is within [-7, 7] and 8 elsewhere.
  Result<int> WeightBits(size_t layer, const std::vector<int16_t>& weights) const {
    const int needed = SignedBitsOf(weights);
    if (!bits_) return needed <= 4 ? 4 : 8;
    if (needed > (*bits_)[layer]) {
      return FailUsage("bits: conv_{} holds weights of {} bits, not {}", layer, needed,
                       (*bits_)[layer]);
    }
    return (*bits_)[layer];
  }

  Result<TensorId> AddLayer(size_t layer, TensorId at, int& bits) {
    const bool is_last = layer + 1 == kUltranetLayers;
    const int64_t in = kUltranetChannels[layer];
    const int64_t out = kUltranetChannels[layer + 1];
    const auto kernel = static_cast<int32_t>(KernelOf(layer));
    IntParams p;
    p.weights = OhwiFromOihw<int16_t>(TakeInt8(WeightsOf(layer)), out, in, kernel, kernel);
    LICHEN_TRY(bits, WeightBits(layer, p.weights));
    p.weight_bits = bits;
    if (!is_last) {
      const int input_bits = layer == 0 ? kInputBits : kActivationBits;
      p.requant.multiplier = TakeInt32(out);
      p.requant.post_shift = static_cast<uint8_t>(bits - 1 + input_bits + 8);
    }
    p.requant.bias = TakeInt32(out);
    TensorInfo output = {.name = fmt::format("conv_{}", layer), .channels = out};
    if (!is_last) {
      output.range = {0, kActivationMax};
      output.scale = {1.0 / kActivationMax};
    }
    const TensorId id =
        builder_.Add(OpKind::kConv2d, {at}, std::move(output), SameConv(kernel), std::move(p));
    if (is_last) {
      builder_.tensor(id).range = PlainSumRange(builder_.graph(), builder_.graph().nodes.back());
    }
    return id;
  }

  std::vector<uint8_t> bytes_;
  size_t at_ = 0;
  std::optional<std::array<int, kUltranetLayers>> bits_;
  GraphBuilder<IntParams> builder_;
};

}  // namespace

Result<Model> ImportUltranetQbin(const std::filesystem::path& path, const ImportOptions& options) {
  std::optional<std::array<int, kUltranetLayers>> bits;
  if (const auto it = options.find("bits"); it != options.end()) {
    LICHEN_TRY(bits, ParseBits(it->second));
  }
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, uint64_t{64} << 20));
  if (bytes.size() != FileBytes()) {
    return Fail("{}: has {} bytes, expected {}", path.string(), bytes.size(), FileBytes());
  }
  return InPlace(path.string(), Importer(std::move(bytes), bits).Run());
}

}  // namespace lichen
