// Made-up scenes as a folder of labelled pictures, for looking at them and for scoring any model on them.
//
// Contract: the folder holds images/00000.png and so on, lossless, and labels.csv as of ReadBoxesCsv(). Scene number n
// is the one that training or its test has as picture n; so a score on the folder is the score of the test.
// labels.csv is written last, over an older one; pictures that it does not name count for nothing.
#pragma once

#include <filesystem>
#include <functional>

#include "base/result.h"
#include "base/threads.h"
#include "train/cnn/cnn_recipe.h"
#include "train/cnn/scenes.h"

namespace lichen {

// The scenes of a detection recipe that names `boxes`.
Result<SceneSet> OpenScenes(const CnnRecipe& recipe, const Threads& threads);

// Scenes 0 to count - 1 of a split. Error if `count` is not 1 to 100000.
Result<void> WriteScenes(const SceneSet& scenes, Split split, int64_t count,
                         const std::filesystem::path& folder, const Threads& threads,
                         const std::function<void(int64_t done)>& progress = {});

}  // namespace lichen
