#include "accel/mixq/weights.h"

#include <array>
#include <span>

namespace lichen::mixq {
namespace {

// Lanes from the lowest bits on, as a hexadecimal number.
class WordWriter {
 public:
  explicit WordWriter(int bits) : bits_(bits) {}

  void Add(int16_t value) {
    for (int bit = 0; bit < bits_; ++bit) {
      if (used_ % 4 == 0) digits_.push_back(0);
      digits_.back() = static_cast<char>(digits_.back() | ((value >> bit & 1) << (used_ % 4)));
      ++used_;
    }
  }

  std::string Take() {
    std::string text = "0x";
    size_t count = digits_.size();
    while (count > 1 && digits_[count - 1] == 0) --count;
    while (count-- > 0) text += "0123456789abcdef"[static_cast<size_t>(digits_[count])];
    digits_.clear();
    used_ = 0;
    return text;
  }

 private:
  int bits_;
  int used_ = 0;
  std::string digits_;
};

// Weights of the net by their place in the layer: OHWI.
class Weights {
 public:
  Weights(const Network& network, const Layer& layer)
      : values_(network.node(layer).params.weights),
        rows_(network.node(layer).geometry.kernel_h),
        columns_(network.node(layer).geometry.kernel_w),
        channels_(layer.is_depthwise ? 1 : network.input(layer).channels) {}
  int64_t channels() const { return channels_; }
  int16_t At(int64_t oc, int64_t kr, int64_t kc, int64_t ic) const {
    return values_[static_cast<size_t>(((oc * rows_ + kr) * columns_ + kc) * channels_ + ic)];
  }

 private:
  std::span<const int16_t> values_;
  int64_t rows_;
  int64_t columns_;
  int64_t channels_;
};

PackedWeights PackConvolution(const Network& network, const Layer& layer) {
  const Weights w(network, layer);
  const auto [simd, pe, in_pe] = layer.folding;
  const int64_t k = layer.kernel;
  const int64_t folds = network.output(layer).channels / pe;
  const int64_t column = k * w.channels();  // values of one kernel column: row, then channel
  PackedWeights packed{.shape = {pe, k, folds * column / simd},
                       .word_bits = static_cast<int>(simd) * layer.weight_bits,
                       .words = {}};
  if (k == 1) packed.shape = {pe, folds * column / simd};
  WordWriter word(layer.weight_bits);
  for (int64_t p = 0; p < pe; ++p) {
    for (int64_t kc = 0; kc < k; ++kc) {
      for (int64_t fold = 0; fold < folds; ++fold) {
        for (int64_t at = 0; at < column; ++at) {
          word.Add(w.At(fold * pe + p, at / w.channels(), kc, at % w.channels()));
          if ((at + 1) % simd == 0) packed.words.push_back(word.Take());
        }
      }
    }
  }
  return packed;
}

PackedWeights PackLinear(const Network& network, const Layer& layer) {
  const Weights w(network, layer);
  const auto [simd, pe, in_pe] = layer.folding;
  const Place& in = network.input(layer);
  const int64_t folds = network.output(layer).channels / (2 * pe);
  PackedWeights packed{
      .shape = {pe, in.size.h, in.channels / in_pe, in.size.w, folds, in_pe / simd},
      .word_bits = static_cast<int>(2 * simd) * layer.weight_bits,
      .words = {}};
  WordWriter word(layer.weight_bits);
  for (int64_t p = 0; p < pe; ++p) {
    for (int64_t y = 0; y < in.size.h; ++y) {
      for (int64_t first = 0; first < in.channels; first += in_pe) {
        for (int64_t x = 0; x < in.size.w; ++x) {
          for (int64_t fold = 0; fold < folds; ++fold) {
            for (int64_t c = 0; c < in_pe; ++c) {
              for (int64_t half = 0; half < 2; ++half) {
                word.Add(w.At((fold * pe + p) * 2 + half, y, x, first + c));
              }
              if ((c + 1) % simd == 0) packed.words.push_back(word.Take());
            }
          }
        }
      }
    }
  }
  return packed;
}

std::string Brackets(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += fmt::format("[{}]", size);
  return text;
}

// Nested braces around "elements".
void Print(std::span<const int64_t> shape, std::span<const std::string> elements,
           std::string& text) {
  text += '{';
  const size_t step = elements.size() / static_cast<size_t>(shape[0]);
  for (size_t i = 0; i < static_cast<size_t>(shape[0]); ++i) {
    if (i > 0) text += shape.size() > 1 ? ",\n" : i % 8 == 0 ? ",\n " : ", ";
    if (shape.size() > 1) {
      Print(shape.subspan(1), elements.subspan(i * step, step), text);
    } else {
      text += '"' + elements[i] + '"';
    }
  }
  text += '}';
}

std::string Hex(int64_t value) {
  return value < 0 ? fmt::format("-{:#x}", -value) : fmt::format("{:#x}", value);
}

void PrintArray(const std::string& type, const std::string& name, const std::vector<int64_t>& shape,
                const std::vector<std::string>& elements, std::string& text) {
  text += fmt::format("const {} {}{} =\n", type, name, Brackets(shape));
  Print(shape, elements, text);
  text += ";\n";
}

// Values per output channel: [PE][fold], or flat in linear layers.
void PrintChannels(const Network& network, const Layer& layer, const std::string& what, int bits,
                   const std::vector<int64_t>& values, std::string& text) {
  const int64_t channels = network.output(layer).channels;
  const int64_t pe = layer.is_linear ? 1 : layer.folding.pe;
  std::vector<std::string> elements;
  for (int64_t p = 0; p < pe; ++p) {
    for (int64_t oc = p; oc < channels; oc += pe) {
      elements.push_back(Hex(values[static_cast<size_t>(oc)]));
    }
  }
  const std::vector<int64_t> shape =
      layer.is_linear ? std::vector<int64_t>{channels} : std::vector<int64_t>{pe, channels / pe};
  PrintArray(fmt::format("ap_int<{}>", bits), fmt::format("{}_{}", layer.Variable(), what), shape,
             elements, text);
}

// Whether the original's packed multipliers lack the lowest weight at these widths, and the layer has it.
bool HasUnpackableWeight(const Network& network, const Layer& layer) {
  constexpr std::array<std::array<int, 3>, 3> kFromTo = {{{4, 2, 2}, {5, 3, 8}, {7, 2, 3}}};
  const int in_bits = network.input(layer).bits;
  const int lowest = -(1 << (layer.weight_bits - 1));
  for (const auto& [weight_bits, from, to] : kFromTo) {
    if (layer.weight_bits != weight_bits || in_bits < from || in_bits > to) continue;
    for (const int16_t w : network.node(layer).params.weights) {
      if (w == lowest) return true;
    }
  }
  return false;
}

}  // namespace

PackedWeights Pack(const Network& network, const Layer& layer) {
  return layer.is_linear ? PackLinear(network, layer) : PackConvolution(network, layer);
}

std::string ConfigHeader(const Network& network) {
  std::string text = "#ifndef _CONFIG_H_\n#define _CONFIG_H_\n";
  for (const Layer& layer : network.layers) {
    const Place& in = network.input(layer);
    const Place& out = network.output(layer);
    text += fmt::format("\n// {}: {}\n", layer.Variable(), layer.name);
    const auto define = [&](std::string_view key, int64_t value) {
      text += fmt::format("#define {}_{} {}\n", layer.Macro(), key, value);
    };
    if (!layer.is_linear) {
      define("K", layer.kernel);
      define("S", 1);
      define("P", layer.pad);
    }
    define("IFM_CH", layer.is_linear ? in.size.h * in.size.w * in.channels : in.channels);
    define("IFM_ROW", in.size.h);
    define("IFM_COL", in.size.w);
    define("OFM_CH", out.channels);
    if (!layer.is_linear) {
      define("OFM_ROW", out.size.h);
      define("OFM_COL", out.size.w);
      define("GROUPS", layer.is_depthwise ? in.channels : 1);
    }
    define("SIMD", layer.folding.simd);
    define("PE", layer.folding.pe);
    if (layer.is_linear) define("IN_PE", layer.folding.in_pe);
    define("IN_BIT", in.bits);
    define("OUT_BIT", out.bits);
    define("W_BIT", layer.weight_bits);
    if (layer.inc_bits > 0) {
      define("INC_BIT", layer.inc_bits);
      define("L_SHIFT", layer.shift - (layer.weight_bits + in.bits - 1));
    }
    define("BIAS_BIT", layer.bias_bits);
  }
  return text + "\n#endif\n";
}

std::string WeightsHeader(const Network& network) {
  std::string text = "#ifndef _WEIGHTS_HPP_\n#define _WEIGHTS_HPP_\n#include <ap_int.h>\n";
  for (const Layer& layer : network.layers) {
    const std::string name = layer.Variable();
    text += fmt::format("\n// {}: {}, PE: {}, SIMD: {}, wbit: {}\n", name, layer.name,
                        layer.folding.pe, layer.folding.simd, layer.weight_bits);
    if (HasUnpackableWeight(network, layer)) {
      text += fmt::format(
          "// Holds weights of {}, which the packed multipliers of DeepBurning-MixQ's library do "
          "not "
          "take at these widths.\n",
          -(1 << (layer.weight_bits - 1)));
    }
    const PackedWeights packed = Pack(network, layer);
    PrintArray(fmt::format("ap_uint<{}>", packed.word_bits), name + "_w", packed.shape,
               packed.words, text);
    if (!layer.inc.empty()) {
      PrintChannels(network, layer, "inc", layer.inc_bits, layer.inc, text);
    }
    PrintChannels(network, layer, "bias", layer.bias_bits, layer.bias, text);
  }
  return text + "\n#endif\n";
}

}  // namespace lichen::mixq
