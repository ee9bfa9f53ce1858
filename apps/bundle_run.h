// What a bundle's hardware has to equal: its network on the CPU engine, and the memory that both begin with.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "accel/tile/plan.h"
#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "engine/run_model.h"

namespace lichen {

// The plan again, with all layers' outputs in memory at the end.
Result<tile::Plan> KeepTensors(tile::Plan plan);

struct BundleRun {
  ModelRun<int32_t> run;
  std::vector<uint8_t> memory;                  // constants and input
  std::vector<const Tensor<int32_t>*> outputs;  // of the plan's layers; in `run`

  // Whether memory after a run holds the output of layer `index`.
  bool IsEqual(const tile::Plan& plan, size_t index, std::span<const uint8_t> after) const;
};

// `image`: a file of the plan's size, or empty for a picture rendered from `seed`.
Result<BundleRun> RunForBundle(const tile::Plan& plan, const std::string& image, uint64_t seed,
                               const Threads& threads);

}  // namespace lichen
