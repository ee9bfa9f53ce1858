// lichen export --format mixq-hls: the packed order, foldings and refusals, and the C simulation beside the engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

#include "accel/mixq/folding.h"
#include "accel/mixq/weights.h"
#include "base/test_path.h"
#include "engine/run_model.h"
#include "net/check.h"
#include "net/graph_builder.h"
#include "net/model_file.h"
#include "net/proof.h"
#include "tests/shared_data.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr Size2 kPicture = {12, 16};
constexpr Geometry kPool = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};

Geometry Square(int32_t k, int32_t pad, int32_t groups = 1) {
  return {.kernel_h = k,
          .kernel_w = k,
          .pad_top = pad,
          .pad_bottom = pad,
          .pad_left = pad,
          .pad_right = pad,
          .groups = groups};
}

ValueRange Unsigned(int bits) { return {0, (int64_t{1} << bits) - 1}; }

// Builds networks of random weights whose outputs use their range; multipliers of either sign.
class RandomNet {
 public:
  explicit RandomNet(int bits) : builder_("main") {
    at_ = builder_.Input({.name = "input", .channels = 3, .range = {0, 255}});
    if (bits == 8) return;
    IntParams p;
    p.requant.pre_shift = {static_cast<uint8_t>(8 - bits)};
    at_ = builder_.Add(OpKind::kRequant, {at_},
                       {.name = "x", .channels = 3, .range = Unsigned(bits)}, {}, p);
  }

  TensorId at() const { return at_; }

  // out_bits 0: plain sums. `products`: per output value.
  TensorId Layer(OpKind kind, int64_t channels, int64_t products, Geometry g, int weight_bits,
                 int out_bits) {
    IntParams p;
    p.weight_bits = weight_bits;
    const int half = 1 << (weight_bits - 1);
    for (int64_t i = 0; i < channels * products; ++i) {
      p.weights.push_back(static_cast<int16_t>(Random(2 * half - 1) - half + 1));
    }
    p.weights[0] = static_cast<int16_t>(-half);
    p.requant.bias.clear();
    const double in_max = static_cast<double>(builder_.tensor(at_).range.max);
    const double spread =
        std::sqrt(static_cast<double>(products)) * (1 << weight_bits) / 3.5 * in_max / 2;
    const double out_max = out_bits == 0 ? 0 : std::ldexp(1, out_bits) - 1;
    p.requant.multiplier = {1};
    if (out_bits > 0) {
      p.requant.multiplier.clear();
      p.requant.post_shift = 20;
    }
    for (int64_t c = 0; c < channels; ++c) {
      if (out_bits == 0) {
        p.requant.bias.push_back(Random(2000) - 1000);
        continue;
      }
      const double scale = out_max / 3 / spread * (Random(3) == 0 ? -1 : 1);
      p.requant.multiplier.push_back(std::llround(std::ldexp(scale, 20)));
      p.requant.bias.push_back(std::llround(std::ldexp(out_max / 2.5, 20)) + Random(1 << 18));
    }
    TensorInfo info{.name = fmt::format("layer{}", layers_++), .channels = channels};
    if (out_bits > 0) info.range = Unsigned(out_bits);
    at_ = builder_.Add(kind, {at_}, info, g, p);
    if (out_bits == 0) {
      builder_.tensor(at_).range = PlainSumRange(builder_.graph(), builder_.graph().nodes.back());
    }
    return at_;
  }

  void Pool() {
    TensorInfo info = builder_.tensor(at_);
    info.name = fmt::format("pool{}", layers_ - 1);
    at_ = builder_.Add(OpKind::kMaxPool, {at_}, info, kPool);
  }

  // `from`, reordered by 2x2 and scaled, in front of what is there.
  void Bypass(TensorId from) {
    TensorInfo info = builder_.tensor(from);
    info.name = "bypass.blocks";
    info.channels *= 4;
    const TensorId blocks = builder_.Add(OpKind::kSpaceToDepth, {from}, info, {.block = 2});
    IntParams p;
    p.requant.multiplier = {77000};
    p.requant.post_shift = 16;
    info.name = "bypass";
    info.range = builder_.tensor(at_).range;
    const TensorId scaled = builder_.Add(OpKind::kRequant, {blocks}, info, {}, p);
    info.name = "bypass.concat";
    info.channels += builder_.tensor(at_).channels;
    at_ = builder_.Add(OpKind::kConcat, {scaled, at_}, info);
  }

  IntNet Build() && {
    builder_.Output(at_);
    IntNet net;
    net.graphs.push_back(std::move(builder_).Build());
    net.metadata = {{"input_size", fmt::format("{}x{}", kPicture.h, kPicture.w)}};
    return net;
  }

 private:
  int32_t Random(int32_t below) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<int32_t>((state_ >> 33) % static_cast<uint64_t>(below));
  }

  GraphBuilder<IntParams> builder_;
  TensorId at_;
  int layers_ = 0;
  uint64_t state_ = 7;
};

// Every operator: narrow input, 3x3, depthwise, 1x1, pool, bypass, 5x5 without padding on one side, linear layers.
IntNet EveryOperator() {
  RandomNet net(6);
  const TensorId early = net.Layer(OpKind::kConv2d, 8, 27, Square(3, 1), 4, 4);
  net.Pool();
  net.Layer(OpKind::kConv2d, 8, 9, Square(3, 1, 8), 5, 5);
  net.Layer(OpKind::kConv2d, 12, 8, Square(1, 0), 2, 4);
  net.Bypass(early);
  net.Layer(OpKind::kConv2d, 4, 44 * 25, Square(5, 1), 3, 3);  // 4 x 6
  net.Pool();                                                  // 2 x 3
  net.Layer(OpKind::kLinear, 6, 4 * 6, {.kernel_h = 2, .kernel_w = 3}, 8, 8);
  net.Layer(OpKind::kLinear, 10, 6, {}, 7, 0);
  return std::move(net).Build();
}

constexpr const char* kFirst = R"([layer0]
simd = 3
pe = 4
[layer1]
simd = 1
pe = 2
[layer2]
simd = 4
pe = 3
[layer3]
simd = 22
pe = 2
[layer4]
simd = 2
pe = 3
in_pe = 4
[layer5]
simd = 3
pe = 1
)";

// Words across kernel rows (simd 9 of 3 channels, 55 of 44), whole columns, all channels at once.
constexpr const char* kSecond = R"([layer0]
simd = 9
pe = 8
[layer1]
simd = 3
pe = 8
[layer2]
simd = 8
pe = 12
[layer3]
simd = 55
pe = 1
[layer4]
simd = 1
pe = 1
in_pe = 2
[layer5]
simd = 1
pe = 5
in_pe = 6
)";

class MixqHls : public testing::Test {
 protected:
  MixqHls() : folder_(TestPath("mixq")) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~MixqHls() override { fs::remove_all(folder_); }

  int Run(const std::string& arguments) {
    return WEXITSTATUS(std::system(fmt::format("cd {} && {} {} >out.txt 2>err.txt",
                                               folder_.string(), LICHEN_PROGRAM, arguments)
                                       .c_str()));
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  void Export(const IntNet& net, const std::string& foldings) {
    const auto check = CheckIntNet(net);
    ASSERT_TRUE(check) << check.error().message;
    ASSERT_TRUE(SaveModel(folder_ / "m.lichen", net));
    Write("simd_pe.toml", foldings);
    fs::remove_all(folder_ / "out");
    ASSERT_EQ(Run("export m.lichen --format mixq-hls --simd-pe simd_pe.toml -o out"), 0)
        << Read("err.txt");
  }

  fs::path folder_;
};

TEST_F(MixqHls, EveryLayerEqualsTheEngineAndAPlantedFaultIsFound) {
  const IntNet net = EveryOperator();
  Export(net, kFirst);
  ASSERT_EQ(Run("verify out"), 0) << Read("err.txt") << Read("out.txt");
  EXPECT_THAT(Read("out.txt"), HasSubstr("every layer equal"));
  EXPECT_THAT(Read("out.txt"), HasSubstr("bypass.concat"));
  // The comparison is of values that vary: no layer is all one value.
  for (const char* name : {"layer0", "layer1", "layer2", "bypass", "layer3", "layer4", "layer5"}) {
    const std::string bytes = Read(fmt::format("out/build/layers/{}.bin", name));
    std::set<std::string> values;
    for (size_t i = 0; i + 4 <= bytes.size(); i += 4) values.insert(bytes.substr(i, 4));
    EXPECT_GE(values.size(), 4U) << name;
  }
  // One bit of one weight of layer2, whose first word has four lanes of 2 bits.
  std::string weights = Read("out/weights.hpp");
  const size_t word = weights.find("\"0x", weights.find("conv_2_w")) + 3;
  const int digit = std::stoi(weights.substr(word, 1), nullptr, 16);
  weights[word] = "0123456789abcdef"[digit ^ 1];
  Write("out/weights.hpp", weights);
  EXPECT_EQ(Run("verify out"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("weights.hpp: was edited"));
  EXPECT_EQ(Run("verify out --edited"), 3) << Read("err.txt");
  EXPECT_THAT(Read("out.txt"), testing::ContainsRegex("layer1 +384  yes"));
  EXPECT_THAT(Read("out.txt"), testing::ContainsRegex("layer2 +576  NO"));
  EXPECT_THAT(Read("out.txt"), HasSubstr("layers differ from the engine"));
}

TEST_F(MixqHls, OtherFoldingsGiveTheSame) {
  Export(EveryOperator(), kSecond);
  EXPECT_EQ(Run("verify out --json"), 0) << Read("err.txt") << Read("out.txt");
  EXPECT_THAT(Read("out.txt"), HasSubstr("\"equal\": true"));
}

TEST_F(MixqHls, ClassifierOfTheProjectIsExact) {
  ASSERT_EQ(Run(fmt::format("export {0}/models/lenet5_mixed.lichen --format mixq-hls --simd-pe "
                            "{0}/examples/simd_pe/lenet5.toml -o out",
                            LICHEN_SOURCE_DIR)),
            0)
      << Read("err.txt");
  EXPECT_EQ(Run("verify out"), 0) << Read("err.txt") << Read("out.txt");
  const std::string config = Read("out/config.h");
  EXPECT_THAT(config, HasSubstr("#define CONV_1_IFM_CH 6\n"));
  EXPECT_THAT(config, HasSubstr("#define CONV_1_L_SHIFT 16\n"));  // 23 - (4 + 4 - 1)
  EXPECT_THAT(config, HasSubstr("#define LINEAR_2_IFM_CH 400\n"));
  EXPECT_THAT(config, HasSubstr("#define LINEAR_4_BIAS_BIT "));
  EXPECT_THAT(config, testing::Not(HasSubstr("LINEAR_4_INC_BIT")));
}

// A network of the original with all that UltraNet_Bypass has.
TEST_F(MixqHls, UltranetWithBypassIsExact) {
  const std::string path = "golden/mixq/bypass_a.safetensors.xz";
  LICHEN_NEEDS_SHARED(path);
  ASSERT_EQ(Run(fmt::format("import mixq {} -o m.lichen", (SharedData() / path).string())), 0);
  ASSERT_EQ(Run(fmt::format("export m.lichen --format mixq-hls --simd-pe "
                            "{}/examples/simd_pe/ultranet_bypass.toml -o out",
                            LICHEN_SOURCE_DIR)),
            0)
      << Read("err.txt");
  EXPECT_EQ(Run("verify out"), 0) << Read("err.txt") << Read("out.txt");
}

TEST_F(MixqHls, ExportIsWholeOrRefused) {
  ASSERT_TRUE(SaveModel(folder_ / "m.lichen", EveryOperator()));
  Write("simd_pe.toml", kFirst);
  EXPECT_EQ(Run("export m.lichen --format mixq-hls -o out"), 2);
  EXPECT_THAT(Read("err.txt"), HasSubstr("--simd-pe FILE"));
  EXPECT_EQ(Run("export m.lichen --format mixq-hls --simd-pe none.toml -o out"), 1);
  EXPECT_EQ(Run("export m.lichen --format streamlic --simd-pe simd_pe.toml -o out"), 2);
  EXPECT_EQ(Run("export m.lichen --format mixq-hls --simd-pe simd_pe.toml --size 1x1 -o out"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("leave --size out"));
  EXPECT_EQ(Run("export m.lichen --format nope --simd-pe simd_pe.toml -o out"), 2);
  EXPECT_THAT(Read("err.txt"), HasSubstr("unknown format 'nope'"));
  IntNet codec = EveryOperator();
  codec.graphs[0].name = "analysis";
  codec.metadata.erase("input_size");
  ASSERT_TRUE(SaveModel(folder_ / "codec.lichen", std::move(codec)));
  EXPECT_EQ(Run("export codec.lichen --format mixq-hls --simd-pe simd_pe.toml -o out"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("it is a codec"));
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  ASSERT_EQ(Run("export m.lichen --format mixq-hls --simd-pe simd_pe.toml -o out"), 0);
  fs::create_directories(folder_ / "other");
  Write("other/notes", "mine");
  EXPECT_EQ(Run("export m.lichen --format mixq-hls --simd-pe simd_pe.toml -o other"), 1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("other: is there already and holds no bundle"));
  EXPECT_EQ(Read("other/notes"), "mine");
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".out")) << entry.path();
  }
  EXPECT_EQ(Run("verify out --seed 3"), 2);
  EXPECT_THAT(Read("err.txt"), HasSubstr("--seed and --memory are for RTL"));
  EXPECT_EQ(WEXITSTATUS(std::system(fmt::format("cd {} && PATH= {} verify out 2>err.txt",
                                                folder_.string(), LICHEN_PROGRAM)
                                        .c_str())),
            1);
  EXPECT_THAT(Read("err.txt"), HasSubstr("g++ is not installed"));
}

mixq::Network Folded(const IntNet& net, const std::string& foldings) {
  auto network = mixq::FromGraph(net, kPicture);
  EXPECT_TRUE(network) << network.error().message;
  const auto read = mixq::ReadFoldings(foldings, "f.toml", *network);
  EXPECT_TRUE(read) << read.error().message;
  return std::move(*network);
}

// The value of `bits` bits of lane `lane` of a word.
int64_t Lane(const std::string& word, int bits, int lane) {
  int64_t value = 0;
  for (int bit = 0; bit < bits; ++bit) {
    const size_t at = static_cast<size_t>(lane * bits + bit);
    const size_t digits = word.size() - 2;  // without 0x
    if (at / 4 >= digits) continue;
    const int digit = std::stoi(word.substr(word.size() - 1 - at / 4, 1), nullptr, 16);
    value |= int64_t{digit >> (at % 4) & 1} << bit;
  }
  return value >= int64_t{1} << (bits - 1) ? value - (int64_t{1} << bits) : value;
}

// [pe][kernel column][fold of output channels, kernel row, input channel], as DeepBurning-MixQ's export has it.
TEST(MixqWeights, KernelsArePackedColumnByColumn) {
  const IntNet net = EveryOperator();
  const mixq::Network network = Folded(net, kSecond);
  const mixq::Layer& layer = network.layers[3];  // 44 -> 4 channels, 5x5, simd 55, pe 1
  const mixq::PackedWeights packed = mixq::Pack(network, layer);
  EXPECT_EQ(packed.shape, (std::vector<int64_t>{1, 5, 4 * 5 * 44 / 55}));
  EXPECT_EQ(packed.word_bits, 165);
  ASSERT_EQ(packed.words.size(), 5U * 16);
  const std::vector<int16_t>& w = net.graphs[0].nodes[layer.node].params.weights;
  // Output channel 2, kernel column 4: word 2 * 4 + 1, lane 50 holds value 105 = row 2, channel 17.
  const std::string& word = packed.words[4 * 16 + 2 * 4 + 1];
  EXPECT_EQ(Lane(word, 3, 50), w[((2 * 5 + 2) * 5 + 4) * 44 + 17]);
}

TEST(MixqWeights, OtherLayersArePackedAsTheOriginalPacksThem) {
  const IntNet net = EveryOperator();
  const mixq::Network network = Folded(net, kFirst);
  const auto weights = [&](size_t i) -> const std::vector<int16_t>& {
    return net.graphs[0].nodes[network.layers[i].node].params.weights;
  };
  // Depthwise: [pe 2][kernel column][fold, kernel row].
  const mixq::PackedWeights depthwise = mixq::Pack(network, network.layers[1]);
  EXPECT_EQ(depthwise.shape, (std::vector<int64_t>{2, 3, 4 * 3}));
  EXPECT_EQ(Lane(depthwise.words[(1 * 3 + 2) * 12 + 3 * 3 + 1], 5, 0),
            weights(1)[((3 * 2 + 1) * 3 + 1) * 3 + 2]);  // channel 7, row 1, column 2
  // 1x1: [pe 3][fold, input channel], no axis of columns.
  const mixq::PackedWeights one = mixq::Pack(network, network.layers[2]);
  EXPECT_EQ(one.shape, (std::vector<int64_t>{3, 4 * 2}));
  EXPECT_EQ(Lane(one.words[2 * 8 + 1 * 2 + 1], 2, 3), weights(2)[(1 * 3 + 2) * 8 + 7]);
  // Linear: [pe 3][row 2][channels / in_pe 1][column 3][fold 1][in_pe / simd 2] of pairs.
  const mixq::PackedWeights linear = mixq::Pack(network, network.layers[4]);
  EXPECT_EQ(linear.shape, (std::vector<int64_t>{3, 2, 1, 3, 1, 2}));
  // Row 1, column 2, word 1: channels 2 and 3, output channels 2 and 3 of PE 1.
  const std::string& word = linear.words[(1 * 2 + 1) * 3 * 2 + 2 * 2 + 1];
  EXPECT_EQ(Lane(word, 8, 2 * 1 + 1), weights(4)[((3 * 2 + 1) * 3 + 2) * 4 + 3]);
  const std::string header = mixq::WeightsHeader(network);
  EXPECT_THAT(header, HasSubstr("const ap_uint<12> conv_0_w[4][3][6] ="));
  EXPECT_THAT(header, HasSubstr("const ap_uint<8> conv_2_w[3][8] ="));
  EXPECT_THAT(header, HasSubstr("const ap_uint<32> linear_4_w[3][2][1][3][1][2] ="));
  EXPECT_THAT(header, HasSubstr("conv_0_inc[4][2] ="));
  EXPECT_THAT(header, HasSubstr("linear_4_inc[6] ="));
  EXPECT_THAT(header, HasSubstr("// Holds weights of -16"));  // (5, 4) bits in layer1
}

std::string FoldingError(const std::string& text) {
  const IntNet net = EveryOperator();
  auto network = mixq::FromGraph(net, kPicture);
  const auto read = mixq::ReadFoldings(text, "f.toml", *network);
  return read ? "none" : read.error().message;
}

TEST(MixqFoldings, WrongOnesNameFileLineKeyAndCure) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = kFirst;
    const size_t at = text.find(from);
    return FoldingError(text.replace(at, from.size(), to));
  };
  EXPECT_EQ(FoldingError(kFirst), "none");
  EXPECT_EQ(with("pe = 4", "pe = 3"),
            "f.toml: line 3: layer0.pe: 3 does not divide its 8 output channels; take one of 1, 2, "
            "4, 8");
  EXPECT_THAT(with("simd = 3", "simd = 2"),
              HasSubstr("line 2: layer0.simd: 2 does not divide kernel 3 x 3 input channels, 9"));
  EXPECT_THAT(with("simd = 3", "simd = 0"), HasSubstr("line 2: layer0.simd: must be an integer"));
  EXPECT_THAT(with("simd = 3", "simd = 1.5"), HasSubstr("layer0.simd: must be an integer"));
  EXPECT_THAT(with("simd = 3", "simd = \"3\""), HasSubstr("layer0.simd: must be an integer"));
  EXPECT_THAT(with("simd = 3", "simd = "), HasSubstr("f.toml: line 2: "));
  EXPECT_THAT(with("simd = 3\n", ""), HasSubstr("layer0.simd: is missing"));
  EXPECT_THAT(with("simd = 3", "simd = 3\nin_pe = 2"), HasSubstr("layer0.in_pe: unknown key"));
  EXPECT_THAT(with("[layer2]", "[layer7]"),
              HasSubstr("layer7: unknown key; known are layer0, layer1, layer2"));
  EXPECT_THAT(with("[layer2]\nsimd = 4\npe = 3\n", ""),
              HasSubstr("f.toml: layer 'layer2' is missing"));
  EXPECT_THAT(with("[layer0]\nsimd = 3\npe = 4\n", "layer0 = 3\n"),
              HasSubstr("line 1: layer0: must be a table"));
  EXPECT_THAT(with("in_pe = 4", "in_pe = 3"),
              HasSubstr("layer4.in_pe: 3 does not divide its 4 input channels"));
  EXPECT_THAT(with("simd = 3\npe = 1\n", "simd = 3\npe = 2\n"),
              HasSubstr("layer5.pe: 2 does not divide half of its 10 outputs"));
  EXPECT_THAT(with("simd = 22\npe = 2", "simd = 220\npe = 2"),
              HasSubstr("layer3.simd: makes words of 4400 bits"));
}

std::string NetworkError(const IntNet& net, Size2 picture = kPicture) {
  const auto network = mixq::FromGraph(net, picture);
  return network ? "none" : network.error().message;
}

// The layers that the library lacks, each with the way out.
TEST(MixqNetwork, WhatTheLibraryLacksIsRefusedByName) {
  const auto one_layer = [](int64_t channels, int64_t products, Geometry g) {
    RandomNet net(8);
    net.Layer(OpKind::kConv2d, channels, products, g, 4, 4);
    return std::move(net).Build();
  };
  EXPECT_EQ(NetworkError(one_layer(4, 27, Square(3, 1))), "none");
  Geometry strided = Square(3, 1);
  strided.stride_h = strided.stride_w = 2;
  EXPECT_THAT(NetworkError(one_layer(4, 27, strided)),
              HasSubstr("layer 'layer0': has stride 2x2; the library has stride 1: pool instead"));
  Geometry oblong = Square(3, 1);
  oblong.kernel_w = 1;
  EXPECT_THAT(NetworkError(one_layer(4, 9, oblong)), HasSubstr("not square"));
  EXPECT_THAT(NetworkError(one_layer(6, 9, Square(3, 1, 3))), HasSubstr("3 groups of 1 channels"));
  IntNet net = one_layer(4, 27, Square(3, 1));
  net.graphs[0].nodes[0].params.requant.pre_shift = {1};
  EXPECT_THAT(NetworkError(net), HasSubstr("pre_shift"));
  net = one_layer(4, 27, Square(3, 1));
  net.graphs[0].tensors[1].range = {-8, 7};
  EXPECT_THAT(NetworkError(net), HasSubstr("gives [-8, 7]"));
  net = one_layer(4, 27, Square(3, 1));
  net.graphs[0].tensors[0].range = {0, 4095};
  EXPECT_THAT(NetworkError(net), HasSubstr("the picture must be of bytes"));
  net = one_layer(4, 27, Square(3, 1));
  IntGraph& graph = net.graphs[0];
  graph.tensors.push_back({.name = "end", .channels = 4, .range = Unsigned(4)});
  graph.nodes.push_back({OpKind::kMaxPool, {graph.outputs[0]}, {2}, kPool, {}});
  graph.outputs[0] = {2};
  EXPECT_EQ(NetworkError(net), "none");
  graph.nodes[1].geometry.kernel_h = 3;
  EXPECT_THAT(NetworkError(net), HasSubstr("layer 'end': pools other than 2x2 windows"));
  graph.nodes[1] = {OpKind::kClamp, {{1}}, {2}, {}, {}};
  EXPECT_THAT(NetworkError(net), HasSubstr("layer 'end': is a Clamp; the library has Conv2d"));
  graph.nodes[1] = {OpKind::kRequant, {{1}}, {2}, {}, {}};
  graph.tensors[2].range = {-128, 127};
  EXPECT_THAT(NetworkError(net), HasSubstr("layer 'end': gives [-128, 127]"));
  net = EveryOperator();
  net.graphs[0].name = "analysis";
  EXPECT_THAT(NetworkError(net), HasSubstr("no graph 'main'"));
  EXPECT_NE(NetworkError(EveryOperator(), {13, 16}), "none");
}

}  // namespace
}  // namespace lichen
