// Between tensors and the kernels of this folder, which know nothing of libtorch.
#pragma once

#include <torch/torch.h>

namespace lichen {

// Whether the kernels take its elements.
inline bool HasCpuKernel(const torch::Tensor& y) {
  return y.is_cpu() && (y.scalar_type() == torch::kFloat32 || y.scalar_type() == torch::kBFloat16);
}

// Calls f with a value of the type that kernels take the tensor's elements as.
template <typename F>
void OfType(const torch::Tensor& t, F&& f) {
  if (t.scalar_type() == torch::kBFloat16) {
    f(uint16_t{});
  } else {
    f(float{});
  }
}

template <typename T>
T* Data(const torch::Tensor& t) {
  return static_cast<T*>(t.data_ptr());
}

inline torch::Tensor ChannelsLast(const torch::Tensor& t) {
  return t.contiguous(torch::MemoryFormat::ChannelsLast);
}

// Runs f(part) for all parts.
template <typename F>
void ForParts(int64_t count, F&& f) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) f(part);
  });
}

}  // namespace lichen
