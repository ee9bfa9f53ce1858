// Accuracy of a classification net on labelled pictures.
#pragma once

#include <functional>
#include <vector>

#include "accel/fusion/plan.h"
#include "base/result.h"
#include "base/threads.h"
#include "data/labelled_pictures.h"
#include "net/int_net.h"

namespace lichen {

struct ClassificationScore {
  std::vector<int64_t> classes;  // the net's, per picture: the first of the largest outputs
  int64_t correct_count = 0;
  double accuracy = 0;
  double seconds = 0;  // of the network
  int64_t different_count =
      0;  // pictures whose outputs a plan's simulation and the engine do not share
};

// The model needs metadata task = classify, and one output of 1x1 with a channel per class. With a `plan` of
// this net, the answers are those of its simulation (accel/fusion/simulate.h, fast).
Result<ClassificationScore> EvaluateClassification(
    const IntNet& net, const LabelledPictures& pictures, const Threads& threads,
    const std::function<void(int64_t, int64_t)>& progress, const fusion::Plan* plan = nullptr);

}  // namespace lichen
