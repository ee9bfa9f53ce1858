// Records of the parameter buffer: 16 bytes each, little-endian (docs/tile.md).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/requantise.h"

namespace lichen::tile {

inline constexpr size_t kRecordBytes = 16;
using RecordBytes = std::array<uint8_t, kRecordBytes>;

// Of a channel.
struct ChannelRecord {
  int64_t bias = 0;
  int32_t multiplier = 0;
  uint8_t pre_shift = 0;
};

// Of all channels of a layer.
struct RequantConstants {
  int32_t min = 0;
  int32_t max = 0;
  uint8_t post_shift = 0;
};

namespace internal {

template <class T>
T Get(std::span<const uint8_t> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

template <class T>
void Put(RecordBytes& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

}  // namespace internal

inline RecordBytes ToBytes(const ChannelRecord& r) {
  RecordBytes bytes{};
  internal::Put(bytes, 0, r.bias);
  internal::Put(bytes, 8, r.multiplier);
  internal::Put(bytes, 12, r.pre_shift);
  return bytes;
}

inline RecordBytes ToBytes(const RequantConstants& c) {
  RecordBytes bytes{};
  internal::Put(bytes, 0, c.min);
  internal::Put(bytes, 4, c.max);
  internal::Put(bytes, 8, c.post_shift);
  return bytes;
}

inline ChannelRecord ReadRecord(std::span<const uint8_t> bytes) {
  return {internal::Get<int64_t>(bytes, 0), internal::Get<int32_t>(bytes, 8),
          internal::Get<uint8_t>(bytes, 12)};
}

inline RequantConstants ReadConstants(std::span<const uint8_t> bytes) {
  return {internal::Get<int32_t>(bytes, 0), internal::Get<int32_t>(bytes, 4),
          internal::Get<uint8_t>(bytes, 8)};
}

inline Requant MakeRequant(const ChannelRecord& r, const RequantConstants& c) {
  return {.multiplier = r.multiplier,
          .pre_shift = r.pre_shift,
          .bias = r.bias,
          .post_shift = c.post_shift,
          .min = c.min,
          .max = c.max};
}

}  // namespace lichen::tile
