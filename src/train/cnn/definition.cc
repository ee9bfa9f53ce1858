#include "train/cnn/definition.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace lichen {
namespace {

constexpr int64_t kHeadChannels = 36;  // 6 anchors of x, y, w, h, object and class
constexpr CnnLayer kHead = {.out_channels = kHeadChannels, .kernel = 1, .pad = 0};

CnnLayer Conv(int64_t channels, bool is_pooled = false) {
  return {.out_channels = channels, .is_pooled = is_pooled};
}

CnnLayer Linear(int64_t channels) {
  return {.out_channels = channels, .pad = 0, .is_linear = true};
}

CnnDefinition Lenet5() {
  return {.name = "lenet5",
          .channels = 1,
          .height = 28,
          .width = 28,
          .layers = {{.out_channels = 6, .kernel = 5, .pad = 2, .is_pooled = true},
                     {.out_channels = 16, .kernel = 5, .pad = 0, .is_pooled = true},
                     Linear(120),
                     Linear(84),
                     Linear(10)}};
}

// Three pairs of 3x3 convolutions, each pooled.
CnnDefinition Vgg(std::string name, int64_t width) {
  return {.name = std::move(name),
          .height = 32,
          .width = 32,
          .layers = {Conv(width), Conv(width, true), Conv(2 * width), Conv(2 * width, true),
                     Conv(4 * width), Conv(4 * width, true), Linear(10)}};
}

CnnDefinition Ultranet(std::string name, bool has_bypass) {
  CnnDefinition net = {.name = std::move(name),
                       .task = CnnTaskKind::kDetect,
                       .height = 160,
                       .width = 320,
                       .layers = {Conv(16, true), Conv(32, true), Conv(64, true), Conv(64, true),
                                  Conv(64), Conv(64), Conv(64), Conv(64), kHead}};
  if (has_bypass) net.bypasses.push_back({.from = 3, .to = 7});
  return net;
}

// Six pairs of a depthwise and a pointwise convolution, the first three pooled.
CnnDefinition Skynet(std::string name, int64_t kernel) {
  CnnDefinition net = {.name = std::move(name),
                       .task = CnnTaskKind::kDetect,
                       .height = 160,
                       .width = 320,
                       .requant_shift = 6};
  int64_t in = net.channels;
  for (const int64_t out : {48, 96, 192, 384, 512, 96}) {
    const bool is_pooled = net.layers.size() < 6;
    net.layers.push_back(
        {.out_channels = in, .kernel = kernel, .pad = kernel / 2, .is_depthwise = true});
    net.layers.push_back({.out_channels = out, .kernel = 1, .pad = 0, .is_pooled = is_pooled});
    in = out;
  }
  net.layers.push_back(kHead);
  return net;
}

const std::vector<CnnDefinition>& All() {
  static const std::vector<CnnDefinition> all = {Lenet5(),
                                                 Vgg("vgg_tiny", 64),
                                                 Vgg("vgg_small", 128),
                                                 Ultranet("ultranet", false),
                                                 Ultranet("ultranet_bypass", true),
                                                 Skynet("skynet", 3),
                                                 Skynet("skynetk5", 5)};
  return all;
}

void Scale(double factor, CnnDefinition& net) {
  for (size_t i = 0; i + 1 < net.layers.size(); ++i) {
    CnnLayer& layer = net.layers[i];
    if (layer.is_depthwise) {
      layer.out_channels = i == 0 ? net.channels : net.layers[i - 1].out_channels;
    } else {
      layer.out_channels =
          std::max<int64_t>(1, std::llround(static_cast<double>(layer.out_channels) * factor));
    }
  }
}

}  // namespace

std::vector<CnnLayerShape> ShapesOf(const CnnDefinition& net) {
  std::vector<CnnLayerShape> shapes;
  int64_t channels = net.channels, h = net.height, w = net.width;
  for (size_t i = 0; i < net.layers.size(); ++i) {
    const CnnLayer& layer = net.layers[i];
    for (const CnnBypass& bypass : net.bypasses) {
      if (bypass.to != i) continue;
      const CnnLayerShape& from = shapes[bypass.from];
      LICHEN_CHECK(from.out_h == 2 * h && from.out_w == 2 * w);
      channels += 4 * from.out_channels;
    }
    CnnLayerShape s = {.in_channels = channels,
                       .in_h = h,
                       .in_w = w,
                       .out_channels = layer.out_channels,
                       .kernel_h = layer.is_linear ? h : layer.kernel,
                       .kernel_w = layer.is_linear ? w : layer.kernel,
                       .groups = layer.is_depthwise ? channels : 1};
    s.out_h = h + 2 * layer.pad - s.kernel_h + 1;
    s.out_w = w + 2 * layer.pad - s.kernel_w + 1;
    shapes.push_back(s);
    channels = layer.out_channels;
    h = layer.is_pooled ? s.out_h / 2 : s.out_h;
    w = layer.is_pooled ? s.out_w / 2 : s.out_w;
  }
  return shapes;
}

bool IsCnn(std::string_view name) {
  return std::any_of(All().begin(), All().end(),
                     [&](const CnnDefinition& net) { return net.name == name; });
}

Result<CnnDefinition> FindCnn(std::string_view name, double width_factor) {
  for (const CnnDefinition& known : All()) {
    if (known.name != name) continue;
    CnnDefinition net = known;
    if (width_factor != 1) Scale(width_factor, net);
    return net;
  }
  std::vector<std::string> names;
  for (const CnnDefinition& known : All()) names.push_back(known.name);
  return Fail("there is no network '{}'; known are {}", name, fmt::join(names, ", "));
}

}  // namespace lichen
