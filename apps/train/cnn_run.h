// `lichen train` for classification and detection networks.
#pragma once

#include <atomic>

#include "apps/train/train_options.h"
#include "base/result.h"

namespace lichen {

struct ProgramOptions {
  bool json = false;
  int threads = 0;
  const std::atomic<bool>* stop = nullptr;
};

// Trains, and prints what came of it. True: stopped before its end.
Result<bool> RunCnn(const TrainArguments& o, const ProgramOptions& program);

}  // namespace lichen
