#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "base/files.h"
#include "net/graph_builder.h"
#include "net/import/sources.h"

namespace lichen {
namespace {

constexpr int64_t kChannels = 128;

// Hands out the floats of a file without header, layer by layer.
class FloatFile {
 public:
  static Result<FloatFile> Read(const std::filesystem::path& path, int64_t count) {
    LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, uint64_t{64} << 20));
    const auto expected = static_cast<size_t>(count) * sizeof(float);
    if (bytes.size() != expected) {
      return Fail("{}: has {} bytes, expected {}", path.string(), bytes.size(), expected);
    }
    FloatFile file;
    file.values_.resize(static_cast<size_t>(count));
    std::memcpy(file.values_.data(), bytes.data(), expected);
    return file;
  }

  std::span<const float> Take(int64_t count) {
    const auto part = std::span<const float>(values_).subspan(at_, static_cast<size_t>(count));
    at_ += static_cast<size_t>(count);
    return part;
  }

  std::vector<float> TakeVector(int64_t count) {
    const auto part = Take(count);
    return {part.begin(), part.end()};
  }

 private:
  std::vector<float> values_;
  size_t at_ = 0;
};
static_assert(std::endian::native == std::endian::little, "the files are little-endian");

struct LayerShape {
  const char* name;
  const char* norm;  // the Gdn or Igdn behind it, or null
  int32_t kernel;
  int32_t stride;
  int64_t in;
  int64_t out;
  bool has_bias;
  int32_t output_divisor;
};
constexpr LayerShape kAnalysis[] = {
    {"ana_0", "gdn_0", 9, 4, 3, kChannels, true, 1},
    {"ana_1", "gdn_1", 5, 2, kChannels, kChannels, true, 1},
    {"y", nullptr, 5, 2, kChannels, kChannels, false, 1},
};
constexpr LayerShape kSynthesis[] = {
    {"syn_0", "igdn_0", 5, 2, kChannels, kChannels, true, 8},
    {"syn_1", "igdn_1", 5, 2, kChannels, kChannels, true, 4},
    {"syn_2", nullptr, 9, 4, kChannels, 3, true, 1},
};

int64_t Weights(std::span<const LayerShape> layers) {
  int64_t count = 0;
  for (const LayerShape& layer : layers) {
    count += int64_t{layer.kernel} * layer.kernel * layer.in * layer.out;
    if (layer.norm) count += layer.out * layer.out;
  }
  return count;
}

int64_t Biases(std::span<const LayerShape> layers) {
  int64_t count = 0;
  for (const LayerShape& layer : layers) {
    count += (layer.has_bias ? layer.out : 0) + (layer.norm ? layer.out : 0);
  }
  return count;
}

// [ky][kx][in][out] -> [out][ky][kx][in]; `is_rotated` turns the kernel by 180 degrees.
std::vector<float> OhwiFromHwio(std::span<const float> values, const LayerShape& layer,
                                bool is_rotated) {
  std::vector<float> weights(values.size());
  const int64_t taps = int64_t{layer.kernel} * layer.kernel;
  for (int64_t tap = 0; tap < taps; ++tap) {
    const int64_t to = is_rotated ? taps - 1 - tap : tap;
    for (int64_t ic = 0; ic < layer.in; ++ic) {
      for (int64_t oc = 0; oc < layer.out; ++oc) {
        weights[static_cast<size_t>((oc * taps + to) * layer.in + ic)] =
            values[static_cast<size_t>((tap * layer.in + ic) * layer.out + oc)];
      }
    }
  }
  return weights;
}

FloatGraph BuildGraph(std::string name, TensorInfo input, std::span<const LayerShape> layers,
                      FloatFile& weights, FloatFile& biases) {
  const bool is_synthesis = name == "synthesis";
  GraphBuilder<FloatParams> builder(std::move(name));
  TensorId at = builder.Input(std::move(input));
  for (const LayerShape& layer : layers) {
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
    conv.weights = OhwiFromHwio(kernel, layer, is_synthesis);
    if (layer.has_bias) conv.bias = biases.TakeVector(layer.out);
    at = builder.Add(is_synthesis ? OpKind::kConvTranspose2d : OpKind::kConv2d, {at},
                     {.name = layer.name, .channels = layer.out}, g, std::move(conv));
    if (!layer.norm) continue;
    FloatParams norm;
    const LayerShape gamma{nullptr, nullptr, 1, 1, layer.out, layer.out, true, 1};
    norm.weights = OhwiFromHwio(weights.Take(layer.out * layer.out), gamma, false);
    norm.bias = biases.TakeVector(layer.out);
    at = builder.Add(is_synthesis ? OpKind::kIgdn : OpKind::kGdn, {at},
                     {.name = layer.norm, .channels = layer.out}, {}, std::move(norm));
  }
  builder.Output(at);
  return std::move(builder).Build();
}

}  // namespace

Result<Model> ImportXlic(const std::filesystem::path& path, const ImportOptions&) {
  LICHEN_TRY(FloatFile ana_w, FloatFile::Read(path / "ana_w.bin", Weights(kAnalysis)));
  LICHEN_TRY(FloatFile ana_b, FloatFile::Read(path / "ana_b.bin", Biases(kAnalysis)));
  LICHEN_TRY(FloatFile syn_w, FloatFile::Read(path / "syn_w.bin", Weights(kSynthesis)));
  LICHEN_TRY(FloatFile syn_b, FloatFile::Read(path / "syn_b.bin", Biases(kSynthesis)));
  FloatNet net;
  net.graphs.push_back(
      BuildGraph("analysis", {.name = "x", .channels = 3}, kAnalysis, ana_w, ana_b));
  net.graphs.push_back(
      BuildGraph("synthesis", {.name = "y_hat", .channels = kChannels}, kSynthesis, syn_w, syn_b));
  net.metadata = {{"source", "xlic"},
                  {"task", "codec"},
                  {"colour", "rgb"},
                  {"name", "bls2017, lambda 0.125"},
                  {"licence", "MIT"}};
  return net;
}

}  // namespace lichen
