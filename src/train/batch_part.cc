#include "train/batch_part.h"

#include <algorithm>

namespace lichen {

BatchPart::BatchPart(ProcessGroup& group, int64_t batch)
    : group_(group.size() > 1 ? &group : nullptr),
      batch_(batch),
      first_(batch * group.rank() / group.size()),
      count_(batch * (group.rank() + 1) / group.size() - first_) {}

torch::Tensor BatchPart::Uniform(c10::IntArrayRef sizes, const at::Generator& generator) const {
  if (!group_) return torch::rand(sizes, generator, torch::kFloat32);
  std::vector<int64_t> whole = sizes.vec();
  whole[0] = batch_;
  return torch::rand(whole, generator, torch::kFloat32).narrow(0, first_, count_);
}

double BatchPart::Max(double own) {
  if (!group_ || !status_) return own;
  // By sums, which leave each value as it is.
  const torch::Tensor all = torch::zeros({group_->size()}, torch::kFloat64);
  all[group_->rank()] = own;
  status_ = group_->AllReduceSum({all});
  return status_ ? all.max().item<double>() : own;
}

torch::Tensor BatchPart::Mean(const torch::Tensor& own) {
  if (!group_ || !status_) return own;
  const torch::Tensor sum = own * (static_cast<double>(count_) / static_cast<double>(batch_));
  status_ = group_->AllReduceSum({sum});
  return status_ ? sum : own;
}

}  // namespace lichen
