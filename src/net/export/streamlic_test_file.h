// A small StreamLIC file with pseudo-random parameters, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/export/safetensors_writer.h"

namespace lichen {

struct SmallStreamlic {
  std::vector<int64_t> channels = {3, 5, 7};  // of g_a.0, g_a.2, g_a.4; mirrored in g_s
  int64_t latents = 12;                       // a multiple of 12
  int64_t hyper_latents = 5;
  double final_scale = 1.0 / 510;
};

class SmallStreamlicFile {
 public:
  static std::vector<uint8_t> Bytes(const SmallStreamlic& sizes) {
    return SmallStreamlicFile().Build(sizes);
  }

 private:
  using Type = SafetensorsWriter::Type;

  std::vector<uint8_t> Build(const SmallStreamlic& sizes) {
    const std::vector<int64_t>& channels = sizes.channels;
    const int64_t latents = sizes.latents, hyper_latents = sizes.hyper_latents;
    Layers("g_a", 3, {channels[0], channels[1], channels[2], latents}, false);
    Layers("g_s", latents, {channels[2], channels[1], channels[0], 3}, true);
    Layers("h_a", latents, {latents, hyper_latents}, false);
    Conv("h_s.0", hyper_latents, latents * 4, 2, 2, false);
    Conv("h_s.2", latents, latents * 8, 2, 2, false);
    Conv("context_prediction.1", latents, latents * 2, 3, 3, true);
    Conv("context_prediction.3", latents * 2, latents * 2, 1, 3, true);
    Conv("entropy_parameters.2", latents * 2, latents * 2, 1, 3, true);
    file_.AddFloat("final_scale", sizes.final_scale);
    return std::move(file_).Finish({{"name", "small"}});
  }

  int64_t Random(int64_t min, int64_t max) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return min + static_cast<int64_t>((state_ >> 33) % static_cast<uint64_t>(max - min + 1));
  }

  void Vector(const std::string& name, int64_t count, int64_t min, int64_t max) {
    std::vector<int64_t> values(static_cast<size_t>(count));
    for (int64_t& value : values) value = Random(min, max);
    file_.AddIntegers(name, Type::kI32, {count}, values);
  }

  void Conv(const std::string& layer, int64_t in, int64_t out, int64_t kernel_h, int64_t kernel_w,
            bool is_masked) {
    const std::string prefix = "param/" + layer + "/";
    const int64_t taps = kernel_h * kernel_w;
    std::vector<int64_t> weights(static_cast<size_t>(out * in * taps)), mask(weights.size());
    for (int64_t i = 0; i < std::ssize(weights); ++i) {
      const int64_t oc = i / taps / in, ic = i / taps % in;
      mask[static_cast<size_t>(i)] = (oc / 12 + ic / 12 + i % taps) % 2;
      const int64_t weight = Random(-40, 40);
      weights[static_cast<size_t>(i)] = is_masked ? weight * mask[static_cast<size_t>(i)] : weight;
    }
    const std::vector<int64_t> shape = {out, in, kernel_h, kernel_w};
    file_.AddIntegers(prefix + "weight", Type::kI16, shape, weights);
    Vector(prefix + "bias", out, -500, 500);
    Vector(prefix + "scale_param", out, 1, 65535);
    Vector(prefix + "scale_shift", out, 10, 20);
    if (is_masked) file_.AddIntegers(prefix + "mask", Type::kU8, shape, mask);
    file_.AddFloat(prefix + "float_output_scale", 0.1);
  }

  void Lagc(const std::string& layer, int64_t channels) {
    const std::string prefix = "param/" + layer + "/";
    std::vector<int64_t> weights(static_cast<size_t>(channels * channels));
    for (int64_t& weight : weights) weight = Random(-40, 40);
    file_.AddIntegers(prefix + "affine_weight", Type::kI16, {channels, channels, 1, 1}, weights);
    for (const char* part : {"affine", "score", "output"}) {
      Vector(prefix + part + "_scale_param", channels, 1, 65535);
      Vector(prefix + part + "_scale_shift", channels, 10, 20);
      if (std::string(part) != "output") Vector(prefix + part + "_bias", channels, -500, 500);
    }
  }

  void Layers(const std::string& prefix, int64_t in, const std::vector<int64_t>& out, bool is_up) {
    for (size_t i = 0; i < out.size(); ++i) {
      if (i > 0) Lagc(prefix + "." + std::to_string(2 * i - 1), in);
      const std::string name = prefix + "." + std::to_string(2 * i);
      Conv(name, in, is_up ? 4 * out[i] : out[i], is_up ? 2 : 4, is_up ? 2 : 4, false);
      in = out[i];
    }
  }

  SafetensorsWriter file_;
  uint64_t state_ = 1;
};

}  // namespace lichen
