// Dense arrays of numbers with an NHWC shape: owners (Tensor) and views (TensorView).
//
// Contract: a shape is written (n, h, w, c); elements lie contiguously in that order (c fastest).
// Owners are move-only, 64-byte aligned, zero-initialised; copies are explicit (Clone).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "base/check.h"
#include "base/huge_pages.h"

namespace lichen {

struct Size2 {
  int64_t h = 0;
  int64_t w = 0;
  bool operator==(const Size2&) const = default;
};

struct Shape {
  int64_t n = 1;
  int64_t h = 0;
  int64_t w = 0;
  int64_t c = 0;
  int64_t Count() const { return n * h * w * c; }
  bool operator==(const Shape&) const = default;
};

inline constexpr size_t kAlignBytes = 64;

// A zero-initialised, 64-byte aligned, move-only array.
template <class T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t count) : count_(count) {
    if (count == 0) return;
    const size_t bytes = (count * sizeof(T) + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
    data_.reset(static_cast<T*>(::operator new (bytes, std::align_val_t{kAlignBytes})));
    if (bytes >= kHugePageBytes) AdviseHugePages(data_.get(), bytes);
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return count_; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + count_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + count_; }
  std::span<T> span() { return {data(), count_}; }
  std::span<const T> span() const { return {data(), count_}; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{kAlignBytes}); }
  };
  std::unique_ptr<T, Free> data_;
  size_t count_ = 0;
};

template <class T>
struct TensorView {
  T* data = nullptr;
  Shape shape;
  int64_t Offset(int64_t n, int64_t y, int64_t x, int64_t c) const {
    LICHEN_DCHECK(n >= 0 && n < shape.n && y >= 0 && y < shape.h && x >= 0 && x < shape.w &&
                  c >= 0 && c < shape.c);
    return ((n * shape.h + y) * shape.w + x) * shape.c + c;
  }
  T& operator()(int64_t n, int64_t y, int64_t x, int64_t c) const {
    return data[Offset(n, y, x, c)];
  }
  T* Row(int64_t n, int64_t y) const { return data + (n * shape.h + y) * shape.w * shape.c; }
  operator TensorView<const T>() const { return {data, shape}; }
};

template <class T>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape) : shape_(shape), data_(static_cast<size_t>(shape.Count())) {}
  const Shape& shape() const { return shape_; }
  T* data() { return data_.data(); }
  const T* data() const { return data_.data(); }
  std::span<T> span() { return data_.span(); }
  std::span<const T> span() const { return data_.span(); }
  TensorView<T> view() { return {data(), shape_}; }
  TensorView<const T> view() const { return {data(), shape_}; }
  T& operator()(int64_t n, int64_t y, int64_t x, int64_t c) { return view()(n, y, x, c); }
  const T& operator()(int64_t n, int64_t y, int64_t x, int64_t c) const {
    return view()(n, y, x, c);
  }
  Tensor Clone() const {
    Tensor copy(shape_);
    std::copy(span().begin(), span().end(), copy.span().begin());
    return copy;
  }

 private:
  Shape shape_;
  AlignedArray<T> data_;
};

}  // namespace lichen
