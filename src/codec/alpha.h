// Lossless coding of the alpha channel of a segment: prediction, then deflate.
//
// Contract: a chunk decodes alone. Prediction: the median of left, above and left + above - upper
// left (LOCO-I, Weinberger 1996), modulo 2^bits; outside the chunk samples are 0 (above) or the
// sample above (left). 16-bit residuals are stored as all high bytes of a row, then all low bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace lichen {

class AlphaEncoder {
 public:
  AlphaEncoder(int64_t width, int bit_depth);
  ~AlphaEncoder();
  void AddRow(std::span<const uint16_t> alpha);
  // The finished chunk; starts the next one.
  std::vector<uint8_t> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Decodes a chunk row by row. Errors for anything AlphaEncoder does not write.
class AlphaDecoder {
 public:
  // Keeps a copy of the bytes.
  AlphaDecoder(std::span<const uint8_t> bytes, int64_t width, int64_t rows, int bit_depth);
  ~AlphaDecoder();
  // The next row; after the last one checks that the chunk ends there.
  Result<void> ReadRow(std::span<uint16_t> alpha);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lichen
