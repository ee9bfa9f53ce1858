// How the engine stores the integers of a tensor.
#pragma once

#include <cstdint>

#include "base/requantise.h"

namespace lichen {

enum class ElementType : uint8_t { kU8, kI8, kI16, kI32 };

constexpr int64_t SizeBytes(ElementType type) {
  return type == ElementType::kI32 ? 4 : type == ElementType::kI16 ? 2 : 1;
}

// The smallest type that holds every value of the range; ranges are within 32 bits.
constexpr ElementType SmallestType(ValueRange range) {
  if (range.min >= 0 && range.max <= 255) return ElementType::kU8;
  if (range.min >= -128 && range.max <= 127) return ElementType::kI8;
  if (range.min >= -32768 && range.max <= 32767) return ElementType::kI16;
  return ElementType::kI32;
}

}  // namespace lichen
