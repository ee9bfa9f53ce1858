#include "train/crop.h"

#include <algorithm>
#include <cmath>

namespace lichen {
namespace {

// The pixels that one sample covers, along one axis.
struct Span {
  int64_t first = 0;
  std::vector<float> shares;  // sum to 1
};

std::vector<Span> Spans(double start, const CropPlace& place, int64_t side) {
  std::vector<Span> spans(static_cast<size_t>(place.side_px));
  for (size_t i = 0; i < spans.size(); ++i) {
    const double begin = start + static_cast<double>(i) * place.factor;
    const double end = std::min(begin + place.factor, static_cast<double>(side));
    Span& span = spans[i];
    span.first = std::min(static_cast<int64_t>(begin), side - 1);
    for (int64_t at = span.first; static_cast<double>(at) < end || at == span.first; ++at) {
      const double covered =
          std::min(end, static_cast<double>(at) + 1) - std::max(begin, static_cast<double>(at));
      span.shares.push_back(static_cast<float>(covered / (end - begin)));
    }
  }
  return spans;
}

}  // namespace

void CutCrop(const RgbPicture& picture, const CropPlace& place, std::span<uint8_t> out) {
  const int64_t side = place.side_px;
  const double reach = static_cast<double>(side) * place.factor;
  LICHEN_CHECK(place.factor >= 1 && place.y >= 0 && place.x >= 0);
  LICHEN_CHECK(place.y + reach <= static_cast<double>(picture.size.h) + 1e-6 &&
               place.x + reach <= static_cast<double>(picture.size.w) + 1e-6);
  LICHEN_CHECK(static_cast<int64_t>(out.size()) == side * side * 3);
  const std::vector<Span> rows = Spans(place.y, place, picture.size.h);
  const std::vector<Span> columns = Spans(place.x, place, picture.size.w);
  std::vector<float> line(static_cast<size_t>(picture.size.w * 3));
  const int64_t first = columns.front().first * 3;
  const int64_t last =
      (columns.back().first + static_cast<int64_t>(columns.back().shares.size())) * 3;
  for (int64_t y = 0; y < side; ++y) {
    const Span& row = rows[static_cast<size_t>(place.is_flipped_y ? side - 1 - y : y)];
    std::fill(line.begin() + first, line.begin() + last, 0.0F);
    for (size_t i = 0; i < row.shares.size(); ++i) {
      const uint8_t* source =
          picture.samples.data() + (row.first + static_cast<int64_t>(i)) * picture.size.w * 3;
      for (int64_t x = first; x < last; ++x) {
        line[static_cast<size_t>(x)] += row.shares[i] * static_cast<float>(source[x]);
      }
    }
    uint8_t* target = out.data() + y * side * 3;
    for (int64_t x = 0; x < side; ++x) {
      const Span& column = columns[static_cast<size_t>(place.is_flipped_x ? side - 1 - x : x)];
      for (int64_t c = 0; c < 3; ++c) {
        float sum = 0;
        for (size_t i = 0; i < column.shares.size(); ++i) {
          const int64_t from = (column.first + static_cast<int64_t>(i)) * 3 + c;
          sum += column.shares[i] * line[static_cast<size_t>(from)];
        }
        target[x * 3 + c] = static_cast<uint8_t>(std::clamp(std::lround(sum), 0L, 255L));
      }
    }
  }
}

}  // namespace lichen
