// Inside the engine: the rows of a tensor that are still needed, with zero columns at both sides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/element_type.h"
#include "base/tensor.h"

namespace lichen {

class RowRing {
 public:
  RowRing() = default;
  RowRing(ElementType type, int64_t width, int64_t channels, int64_t pad_left, int64_t pad_right,
          int64_t slack_bytes, int64_t capacity)
      : type_(type), width_(width), channels_(channels), capacity_(capacity) {
    const int64_t pixel_bytes = channels * SizeBytes(type);
    const auto align = [](int64_t bytes) {
      return (bytes + static_cast<int64_t>(kAlignBytes) - 1) / static_cast<int64_t>(kAlignBytes) *
             static_cast<int64_t>(kAlignBytes);
    };
    first_bytes_ = align(pad_left * pixel_bytes);
    row_bytes_ = first_bytes_ + align((width + pad_right) * pixel_bytes + slack_bytes);
    data_ = AlignedArray<uint8_t>(static_cast<size_t>(row_bytes_ * capacity));
    zeros_ = AlignedArray<uint8_t>(static_cast<size_t>(row_bytes_));
  }
  ElementType type() const { return type_; }
  int64_t width() const { return width_; }
  int64_t channels() const { return channels_; }
  int64_t bytes() const { return row_bytes_ * (capacity_ + 1); }
  // The first pixel of row y.
  uint8_t* Row(int64_t y) { return data_.data() + y % capacity_ * row_bytes_ + first_bytes_; }
  // The same, or zeros for a row outside [0, height).
  const uint8_t* RowOrZeros(int64_t y, int64_t height) {
    return y >= 0 && y < height ? Row(y) : zeros_.data() + first_bytes_;
  }
  void Load(int64_t y, std::span<int32_t> out) {
    const uint8_t* row = Row(y);
    switch (type_) {
      case ElementType::kU8:
        std::copy_n(row, out.size(), out.begin());
        return;
      case ElementType::kI8:
        std::copy_n(reinterpret_cast<const int8_t*>(row), out.size(), out.begin());
        return;
      case ElementType::kI16:
        std::copy_n(reinterpret_cast<const int16_t*>(row), out.size(), out.begin());
        return;
      case ElementType::kI32:
        std::copy_n(reinterpret_cast<const int32_t*>(row), out.size(), out.begin());
        return;
    }
  }
  // Values must fit the type.
  void Store(int64_t y, std::span<const int32_t> in) {
    switch (type_) {
      case ElementType::kU8:
        return StoreAs<uint8_t>(y, in);
      case ElementType::kI8:
        return StoreAs<int8_t>(y, in);
      case ElementType::kI16:
        return StoreAs<int16_t>(y, in);
      case ElementType::kI32:
        return StoreAs<int32_t>(y, in);
    }
  }

 private:
  template <class T>
  void StoreAs(int64_t y, std::span<const int32_t> in) {
    T* row = reinterpret_cast<T*>(Row(y));
    std::transform(in.begin(), in.end(), row, [](int32_t v) { return static_cast<T>(v); });
  }

  ElementType type_ = ElementType::kI16;
  int64_t width_ = 0;
  int64_t channels_ = 0;
  int64_t capacity_ = 0;
  int64_t first_bytes_ = 0;
  int64_t row_bytes_ = 0;
  AlignedArray<uint8_t> data_;
  AlignedArray<uint8_t> zeros_;
};

}  // namespace lichen
