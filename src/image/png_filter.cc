#include "image/png_filter.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace lichen {
namespace {

// Branch-free, so that compilers vectorise it.
inline uint8_t PaethPrediction(int left, int up, int up_left) {
  const int to_left = std::abs(up - up_left);
  const int to_up = std::abs(left - up_left);
  const int to_up_left = std::abs(left + up - 2 * up_left);
  const int up_or_corner = to_up <= to_up_left ? up : up_left;
  const bool takes_left = (to_left <= to_up) & (to_left <= to_up_left);
  return static_cast<uint8_t>(takes_left ? left : up_or_corner);
}

}  // namespace

void FilterPngRow(PngFilter filter, std::span<const uint8_t> row, std::span<const uint8_t> previous,
                  size_t pixel_bytes, std::span<uint8_t> out) {
  LICHEN_DCHECK(row.size() == previous.size() && row.size() == out.size());
  const size_t count = row.size();
  const size_t head = std::min(pixel_bytes, count);
  const uint8_t* __restrict r = row.data();
  const uint8_t* __restrict p = previous.data();
  uint8_t* __restrict o = out.data();
  switch (filter) {
    case PngFilter::kNone:
      std::copy_n(r, count, o);
      break;
    case PngFilter::kSub:
      std::copy_n(r, head, o);
      for (size_t i = head; i < count; ++i) o[i] = static_cast<uint8_t>(r[i] - r[i - pixel_bytes]);
      break;
    case PngFilter::kUp:
      for (size_t i = 0; i < count; ++i) o[i] = static_cast<uint8_t>(r[i] - p[i]);
      break;
    case PngFilter::kPaeth:
      for (size_t i = 0; i < head; ++i) o[i] = static_cast<uint8_t>(r[i] - p[i]);
      for (size_t i = head; i < count; ++i) {
        const uint8_t prediction = PaethPrediction(r[i - pixel_bytes], p[i], p[i - pixel_bytes]);
        o[i] = static_cast<uint8_t>(r[i] - prediction);
      }
      break;
  }
}

uint64_t PngFilterCost(std::span<const uint8_t> filtered) {
  uint64_t cost = 0;
  while (!filtered.empty()) {  // in pieces, for a narrow inner sum
    const auto piece = filtered.first(std::min<size_t>(filtered.size(), 1 << 16));
    uint32_t sum = 0;
    for (const uint8_t byte : piece) {
      sum += static_cast<uint32_t>(std::min<int>(byte, 256 - byte));
    }
    cost += sum;
    filtered = filtered.subspan(piece.size());
  }
  return cost;
}

}  // namespace lichen
