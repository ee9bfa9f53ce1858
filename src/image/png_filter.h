// The row filters of PNG that the writer uses.
//
// Contract: out = row - prediction, modulo 256; previous is the row above (zeros above the first);
// pixel_bytes is the distance to the sample on the left. All spans are equally long. Allocates
// nothing.
#pragma once

#include <cstdint>
#include <span>

namespace lichen {

enum class PngFilter : uint8_t { kNone = 0, kSub = 1, kUp = 2, kPaeth = 4 };

void FilterPngRow(PngFilter filter, std::span<const uint8_t> row, std::span<const uint8_t> previous,
                  size_t pixel_bytes, std::span<uint8_t> out);

// Sum of the absolute values of the bytes taken as signed: what filters are chosen by.
uint64_t PngFilterCost(std::span<const uint8_t> filtered);

}  // namespace lichen
