#include "train/cnn/cost.h"

namespace lichen {
namespace {

constexpr double kProductUnits = 64;

}  // namespace

int64_t PackedKernel(const CnnLayer& layer) { return layer.is_linear ? 1 : layer.kernel; }

std::vector<LayerCost> CostsOf(const CnnDefinition& net, const CnnPrecision& precision,
                               const DspFactorFunction& factor) {
  const std::vector<CnnLayerShape> shapes = ShapesOf(net);
  std::vector<LayerCost> costs;
  for (size_t i = 0; i < shapes.size(); ++i) {
    LayerCost cost = {.mac_count = shapes[i].MacCount(),
                      .factor = factor(PackedKernel(net.layers[i]), precision.weight_bits[i],
                                       precision.activation_bits[i])};
    cost.dsp_cycles = static_cast<double>(cost.mac_count) / cost.factor;
    costs.push_back(cost);
  }
  return costs;
}

double CostUnit(const std::vector<CnnLayerShape>& shapes, size_t layer) {
  return kProductUnits * static_cast<double>(shapes[layer].MacCount()) /
         static_cast<double>(shapes[0].MacCount());
}

}  // namespace lichen
