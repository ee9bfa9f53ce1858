#include "apps/bundle_run.h"

#include <algorithm>

#include "accel/tile/simulate.h"
#include "flow/model_input.h"
#include "image/reader.h"
#include "image/synthetic.h"

namespace lichen {

Result<tile::Plan> KeepTensors(tile::Plan plan) {
  LICHEN_TRY(tile::Compiled compiled, tile::Compile(std::move(plan.net), plan.graph, plan.design,
                                                    plan.board, plan.picture, true));
  LICHEN_TRY_VOID(tile::Verify(compiled.plan));
  return std::move(compiled.plan);
}

bool BundleRun::IsEqual(const tile::Plan& plan, size_t index,
                        std::span<const uint8_t> after) const {
  const Tensor<int32_t> got = tile::ReadTensor(plan.tensors[plan.layers[index].output], after);
  const Tensor<int32_t>& expected = *outputs[index];
  return expected.shape() == got.shape() && std::ranges::equal(expected.span(), got.span());
}

Result<BundleRun> RunForBundle(const tile::Plan& plan, const std::string& image, uint64_t seed,
                               const Threads& threads) {
  Image picture;
  if (image.empty()) {
    picture = RenderTestPicture(plan.picture.h, plan.picture.w, seed + 1);
  } else {
    LICHEN_TRY(picture, ReadImage(image));
    if (picture.info.height != plan.picture.h || picture.info.width != plan.picture.w) {
      return Fail("{}: is {}x{}, the bundle is for {}x{}", image, picture.info.height,
                  picture.info.width, plan.picture.h, plan.picture.w);
    }
  }
  LICHEN_TRY(Tensor<int32_t> input, PictureInput(plan.net, picture));
  BundleRun bundle;
  LICHEN_TRY(bundle.run, RunModel(plan.net, std::move(input), {}, threads));
  const auto find = [&](size_t tensor) { return bundle.run.Find(plan.tensors[tensor].name); };
  const Tensor<int32_t>* first = find(0);
  if (!first) return Fail("the engine gives no tensor {}", plan.input().name);
  LICHEN_TRY(bundle.memory, tile::MakeMemory(plan, *first));
  for (const tile::PlannedLayer& layer : plan.layers) {
    bundle.outputs.push_back(find(layer.output));
    if (!bundle.outputs.back()) {
      return Fail("the engine gives no tensor {}", plan.tensors[layer.output].name);
    }
  }
  return bundle;
}

}  // namespace lichen
