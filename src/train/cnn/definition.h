// The classification and detection networks: layers and shapes, without weights. Knows nothing of libtorch.
//
// Every layer is quantised activation -> convolution -> batch norm; the last has a bias in place of the batch norm.
// Networks: LeNet-5 for MNIST, VGG-tiny and VGG-small for CIFAR-10, UltraNet, UltraNet_Bypass, SkyNet and SkyNetk5
// for detection of one object.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

enum class CnnTaskKind { kClassify, kDetect };

struct CnnLayer {
  int64_t out_channels = 0;  // of a depthwise layer: as many as go in
  int64_t kernel = 3;        // square
  int64_t pad = 1;           // zeros on each side
  bool is_linear = false;    // the kernel is the whole input
  bool is_depthwise = false;
  bool is_pooled = false;  // a 2x2 maximum follows
};

// The output of one layer, reordered by 2x2 (channel (dy * 2 + dx) * C + c), stands before the input of a later one.
struct CnnBypass {
  size_t from = 0;  // the layer whose output it is, before its pool
  size_t to = 0;    // the layer that reads it
};

struct CnnDefinition {
  std::string name;
  CnnTaskKind task = CnnTaskKind::kClassify;
  int64_t channels = 3;  // of the picture, as are the following
  int64_t height = 0;
  int64_t width = 0;
  std::vector<CnnLayer> layers;
  std::vector<CnnBypass> bypasses;
  int requant_shift =
      16;  // bits of a batch norm's multiplier behind the point, beside those of the operands
};

// What a layer computes on the definition's picture size.
struct CnnLayerShape {
  int64_t in_channels = 0;  // with what a bypass brings
  int64_t in_h = 0;         // behind the pool of the layer before
  int64_t in_w = 0;
  int64_t out_channels = 0;
  int64_t out_h = 0;  // before the layer's own pool
  int64_t out_w = 0;
  int64_t kernel_h = 0;
  int64_t kernel_w = 0;
  int64_t groups = 1;
  int64_t MacCount() const {
    return out_h * out_w * out_channels * kernel_h * kernel_w * (in_channels / groups);
  }
  int64_t WeightCount() const {
    return out_channels * kernel_h * kernel_w * (in_channels / groups);
  }
};
std::vector<CnnLayerShape> ShapesOf(const CnnDefinition& definition);

// lenet5, vgg_tiny, vgg_small, ultranet, ultranet_bypass, skynet or skynetk5; inner channels times `width_factor`
// (in (0, 4]), rounded, at least 1. Error: no such network.
Result<CnnDefinition> FindCnn(std::string_view name, double width_factor = 1);
bool IsCnn(std::string_view name);

}  // namespace lichen
