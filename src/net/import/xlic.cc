#include "net/import/xlic.h"

#include <bit>
#include <cstring>
#include <span>

#include "base/files.h"
#include "base/hash.h"
#include "net/graph_builder.h"
#include "net/import/sources.h"

namespace lichen {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

// The published weights (lambda 0.125), told by the SHA-256 of ana_b.bin.
constexpr const char* kPublishedDigest =
    "b59a9b56d73b539066add8ffe8084dcba410625f1a1e6887080f949632469fed";

Result<std::vector<uint8_t>> ReadFloatFile(const std::filesystem::path& path) {
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, uint64_t{64} << 20));
  if (bytes.size() % sizeof(float) != 0) {
    return Fail("{}: has {} bytes, no whole number of float32", path.string(), bytes.size());
  }
  return bytes;
}

// Hands out floats, layer by layer.
class FloatQueue {
 public:
  explicit FloatQueue(std::span<const float> values) : values_(values) {}
  std::span<const float> Take(int64_t count) {
    const auto part = values_.subspan(at_, static_cast<size_t>(count));
    at_ += static_cast<size_t>(count);
    return part;
  }
  std::vector<float> TakeVector(int64_t count) {
    const auto part = Take(count);
    return {part.begin(), part.end()};
  }

 private:
  std::span<const float> values_;
  size_t at_ = 0;
};

std::vector<float> Ohwi(std::span<const float> values, const XlicLayer& layer, bool is_rotated) {
  std::vector<float> weights;
  weights.reserve(values.size());
  for (int64_t oc = 0; oc < layer.out; ++oc) {
    for (int64_t tap = 0; tap < int64_t{layer.kernel} * layer.kernel; ++tap) {
      for (int64_t ic = 0; ic < layer.in; ++ic) {
        weights.push_back(values[XlicIndex(layer, is_rotated, oc, tap, ic)]);
      }
    }
  }
  return weights;
}

FloatGraph BuildGraph(std::string name, TensorInfo input, std::span<const XlicLayer> layers,
                      FloatQueue weights, FloatQueue biases) {
  const bool is_synthesis = name == "synthesis";
  GraphBuilder<FloatParams> builder(std::move(name));
  TensorId at = builder.Input(std::move(input));
  for (const XlicLayer& layer : layers) {
    Geometry g{.kernel_h = layer.kernel,
               .kernel_w = layer.kernel,
               .stride_h = layer.stride,
               .stride_w = layer.stride,
               .pad_top = layer.kernel / 2,
               .pad_left = layer.kernel / 2};
    if (is_synthesis) {
      g.output_divisor = layer.output_divisor;
    } else {
      g.pad_bottom = g.pad_top;
      g.pad_right = g.pad_left;
    }
    FloatParams conv;
    const auto kernel = weights.Take(int64_t{layer.kernel} * layer.kernel * layer.in * layer.out);
    conv.weights = Ohwi(kernel, layer, is_synthesis);
    if (layer.has_bias) conv.bias = biases.TakeVector(layer.out);
    at = builder.Add(is_synthesis ? OpKind::kConvTranspose2d : OpKind::kConv2d, {at},
                     {.name = layer.name, .channels = layer.out}, g, std::move(conv));
    if (!layer.norm) continue;
    FloatParams norm;
    const XlicLayer gamma{nullptr, nullptr, 1, 1, layer.out, layer.out, true, 1};
    norm.weights = Ohwi(weights.Take(layer.out * layer.out), gamma, false);
    norm.bias = biases.TakeVector(layer.out);
    at = builder.Add(is_synthesis ? OpKind::kIgdn : OpKind::kGdn, {at},
                     {.name = layer.norm, .channels = layer.out}, {}, std::move(norm));
  }
  builder.Output(at);
  return std::move(builder).Build();
}

}  // namespace

std::array<XlicLayer, 3> XlicSizes::Analysis() const {
  const int64_t c = channels, m = latent_channels;
  return {{{"ana_0", "gdn_0", 9, 4, 3, c, true, 1},
           {"ana_1", "gdn_1", 5, 2, c, c, true, 1},
           {"y", nullptr, 5, 2, c, m, false, 1}}};
}

std::array<XlicLayer, 3> XlicSizes::Synthesis() const {
  const int64_t c = channels, m = latent_channels;
  return {{{"syn_0", "igdn_0", 5, 2, m, c, true, 8},
           {"syn_1", "igdn_1", 5, 2, c, c, true, 4},
           {"syn_2", nullptr, 9, 4, c, 3, true, 1}}};
}

Result<XlicSizes> XlicSizesOf(const XlicValues& values) {
  const auto count = [&](size_t file) { return static_cast<int64_t>(values[file].size()); };
  if (count(1) < 4 || count(1) % 4 != 0) {
    return Fail("{}: has {} bytes, expected 16 for each channel", kXlicFiles[1], 4 * count(1));
  }
  const int64_t c = count(1) / 4;
  const int64_t fixed = 243 * c + 27 * c * c;
  if (count(0) <= fixed || (count(0) - fixed) % (25 * c) != 0) {
    return Fail(
        "{}: has {} bytes, expected for the {} channels of {} {}, and {} for each latent channel",
        kXlicFiles[0], 4 * count(0), c, kXlicFiles[1], 4 * fixed, 4 * 25 * c);
  }
  for (const auto& [file, expected] : {std::pair{2, count(0)}, std::pair{3, 4 * c + 3}}) {
    const auto at = static_cast<size_t>(file);
    if (count(at) == expected) continue;
    return Fail("{}: has {} bytes, expected {}", kXlicFiles[at], 4 * count(at), 4 * expected);
  }
  return XlicSizes{c, (count(0) - fixed) / (25 * c)};
}

FloatNet XlicNet(const XlicValues& values, const XlicSizes& sizes) {
  FloatNet net;
  net.graphs.push_back(BuildGraph("analysis", {.name = "x", .channels = 3}, sizes.Analysis(),
                                  FloatQueue(values[0]), FloatQueue(values[1])));
  net.graphs.push_back(BuildGraph("synthesis", {.name = "y_hat", .channels = sizes.latent_channels},
                                  sizes.Synthesis(), FloatQueue(values[2]), FloatQueue(values[3])));
  return net;
}

Result<Model> ImportXlic(const std::filesystem::path& path, const ImportOptions&) {
  XlicValues values;
  std::string digest;
  for (size_t i = 0; i < values.size(); ++i) {
    LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFloatFile(path / kXlicFiles[i]));
    values[i].resize(bytes.size() / sizeof(float));
    std::memcpy(values[i].data(), bytes.data(), bytes.size());
    if (i != 1) continue;
    Sha256 sha256;
    sha256.Update(bytes);
    digest = ToHex(sha256.Finish());
  }
  LICHEN_TRY(const XlicSizes sizes, InPlace(path.string(), XlicSizesOf(values)));
  FloatNet net = XlicNet(values, sizes);
  net.metadata = {{"source", "xlic"}, {"task", "codec"}, {"colour", "rgb"}, {"name", "bls2017"}};
  if (digest == kPublishedDigest) {
    net.metadata["name"] = "bls2017, lambda 0.125";
    net.metadata["licence"] = "MIT";
  }
  return net;
}

}  // namespace lichen
