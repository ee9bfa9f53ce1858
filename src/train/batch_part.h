// The part of a batch that one of several processes computes.
//
// Contract: noise and statistics are those of the whole batch, so that processes together compute
// what one would alone. A default part is the whole batch, of any size.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "train/process_group.h"
#include "train/torch.h"

namespace lichen {

class BatchPart {
 public:
  BatchPart() = default;
  // Parts follow each other by rank, of sizes that differ by at most 1. `group` must live as long.
  BatchPart(ProcessGroup& group, int64_t batch);

  int64_t first() const { return first_; }
  int64_t count() const { return count_; }

  // Uniform in [0, 1), for a tensor (pictures of the part, ...): float32, on the CPU.
  torch::Tensor Uniform(c10::IntArrayRef sizes, const at::Generator& generator) const;

  // Collective: the greatest of all parts; the mean over all pictures, from that over the part's.
  double Max(double own);
  torch::Tensor Mean(const torch::Tensor& own);

  // Whether all collective calls succeeded. After a failure they return what they are given.
  const Result<void>& status() const { return status_; }

 private:
  ProcessGroup* group_ = nullptr;  // none for the whole batch
  int64_t batch_ = 0;
  int64_t first_ = 0;
  int64_t count_ = 0;
  Result<void> status_;
};

}  // namespace lichen
