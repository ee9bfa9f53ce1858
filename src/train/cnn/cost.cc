#include "train/cnn/cost.h"

#include <algorithm>

namespace lichen {
namespace {

constexpr double kProductUnits = 64;

}  // namespace

int64_t PackedKernel(const CnnLayer& layer) { return layer.is_linear ? 1 : layer.kernel; }

double RowValues(const CnnLayerShape& shape) {
  return static_cast<double>((shape.kernel_h - 1) * shape.in_w * shape.in_channels);
}

std::vector<LayerCost> CostsOf(const CnnDefinition& net, const CnnPrecision& precision,
                               const PackingFunction& packing) {
  const std::vector<CnnLayerShape> shapes = ShapesOf(net);
  std::vector<LayerCost> costs;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const int w = precision.weight_bits[i], a = precision.activation_bits[i];
    LayerCost cost = {.mac_count = shapes[i].MacCount(),
                      .packed = packing(PackedKernel(net.layers[i]), w, a)};
    cost.dsp_cycles = static_cast<double>(cost.mac_count) / cost.packed.factor;
    cost.lut_cycles = cost.dsp_cycles * cost.packed.luts;
    cost.weight_bits = static_cast<double>(shapes[i].WeightCount()) * w;
    cost.row_bits = RowValues(shapes[i]) * a;
    costs.push_back(cost);
  }
  return costs;
}

NetworkCost Sum(const std::vector<LayerCost>& layers) {
  NetworkCost sum;
  for (const LayerCost& layer : layers) {
    sum.dsp_cycles += layer.dsp_cycles;
    sum.lut_cycles += layer.lut_cycles;
    sum.bram36 += (layer.weight_bits + layer.row_bits) / kBram36Bits;
  }
  return sum;
}

double BoundCycles(const NetworkCost& cost, const HardwareBudget& budget) {
  if (budget.lut <= 0 || budget.dsp <= 0) return cost.dsp_cycles;
  return std::max(cost.dsp_cycles, cost.lut_cycles * budget.dsp / budget.lut);
}

double CostUnit(const std::vector<CnnLayerShape>& shapes) {
  return kProductUnits / static_cast<double>(shapes[0].MacCount());
}

}  // namespace lichen
