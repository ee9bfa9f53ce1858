// What the processes of one training run tell each other beside gradients. All calls are collective.
#pragma once

#include <optional>

#include "base/result.h"
#include "train/checkpoint.h"
#include "train/picture_set.h"
#include "train/process_group.h"
#include "train/recipe.h"

namespace lichen {

// Error where a process has another recipe or other pictures than process 0. Folders and what only
// changes speed may differ.
Result<void> CheckSameEverywhere(ProcessGroup& group, const Recipe& recipe,
                                 const PictureSet& pictures);

// The state of process 0, which the other processes come without.
Result<TrainState> SpreadState(ProcessGroup& group, std::optional<TrainState> own,
                               const Recipe& recipe, const torch::Device& device);

// Gives all processes the values of process 0, from which other kinds of CPU may be off by
// roundings.
Result<void> Synchronise(ProcessGroup& group, const TrainState& state);

}  // namespace lichen
