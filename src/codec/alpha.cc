#include "codec/alpha.h"

#include <zlib.h>

#include <algorithm>

#include "base/check.h"

namespace lichen {
namespace {

uint16_t Predict(std::span<const uint16_t> above, std::span<const uint16_t> row, size_t x) {
  const int up = above[x];
  if (x == 0) return static_cast<uint16_t>(up);
  const int left = row[x - 1];
  const int upper_left = above[x - 1];
  if (upper_left >= std::max(left, up)) return static_cast<uint16_t>(std::min(left, up));
  if (upper_left <= std::min(left, up)) return static_cast<uint16_t>(std::max(left, up));
  return static_cast<uint16_t>(left + up - upper_left);
}

int64_t RowBytes(int64_t width, int bit_depth) { return width * (bit_depth / 8); }

}  // namespace

struct AlphaEncoder::State {
  int64_t width;
  int bit_depth;
  z_stream stream{};
  std::vector<uint16_t> above;
  std::vector<uint8_t> residuals;
  std::vector<uint8_t> out;

  void Deflate(std::span<const uint8_t> in, int flush) {
    uint8_t buffer[16384];
    stream.next_in = const_cast<uint8_t*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    do {
      stream.next_out = buffer;
      stream.avail_out = sizeof(buffer);
      LICHEN_CHECK(deflate(&stream, flush) != Z_STREAM_ERROR);
      out.insert(out.end(), buffer, buffer + (sizeof(buffer) - stream.avail_out));
    } while (stream.avail_out == 0);
  }
};

AlphaEncoder::AlphaEncoder(int64_t width, int bit_depth) : state_(std::make_unique<State>()) {
  state_->width = width;
  state_->bit_depth = bit_depth;
  state_->above.resize(static_cast<size_t>(width));
  state_->residuals.resize(static_cast<size_t>(RowBytes(width, bit_depth)));
  LICHEN_CHECK(deflateInit(&state_->stream, 6) == Z_OK);
}

AlphaEncoder::~AlphaEncoder() { deflateEnd(&state_->stream); }

void AlphaEncoder::AddRow(std::span<const uint16_t> alpha) {
  State& s = *state_;
  LICHEN_CHECK(static_cast<int64_t>(alpha.size()) == s.width);
  for (size_t x = 0; x < alpha.size(); ++x) {
    const uint32_t residual = static_cast<uint32_t>(alpha[x]) - Predict(s.above, alpha, x);
    if (s.bit_depth == 16) {
      s.residuals[x] = static_cast<uint8_t>(residual >> 8);
      s.residuals[alpha.size() + x] = static_cast<uint8_t>(residual);
    } else {
      s.residuals[x] = static_cast<uint8_t>(residual);
    }
  }
  std::copy(alpha.begin(), alpha.end(), s.above.begin());
  s.Deflate(s.residuals, Z_NO_FLUSH);
}

std::vector<uint8_t> AlphaEncoder::Finish() {
  State& s = *state_;
  s.Deflate({}, Z_FINISH);
  LICHEN_CHECK(deflateReset(&s.stream) == Z_OK);
  std::fill(s.above.begin(), s.above.end(), uint16_t{0});
  return std::exchange(s.out, {});
}

Result<std::vector<uint16_t>> DecodeAlpha(std::span<const uint8_t> bytes, int64_t width,
                                          int64_t rows, int bit_depth) {
  const int64_t row_bytes = RowBytes(width, bit_depth);
  std::vector<uint8_t> residuals(static_cast<size_t>(row_bytes));
  std::vector<uint16_t> alpha;
  std::vector<uint16_t> above(static_cast<size_t>(width));
  std::vector<uint16_t> row(static_cast<size_t>(width));
  z_stream stream{};
  LICHEN_CHECK(inflateInit(&stream) == Z_OK);
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } end{&stream};
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  int status = Z_OK;
  for (int64_t y = 0; y < rows; ++y) {
    stream.next_out = residuals.data();
    stream.avail_out = static_cast<uInt>(row_bytes);
    while (stream.avail_out > 0 && status == Z_OK) status = inflate(&stream, Z_NO_FLUSH);
    if (stream.avail_out > 0) {
      return Fail("alpha ends at row {} of {}, byte {} of {}", y, rows, stream.total_in,
                  bytes.size());
    }
    for (size_t x = 0; x < row.size(); ++x) {
      const uint32_t predicted = Predict(above, row, x);
      const uint32_t residual =
          bit_depth == 16 ? uint32_t{residuals[x]} << 8 | residuals[row.size() + x] : residuals[x];
      const uint32_t sum = predicted + residual;
      row[x] = static_cast<uint16_t>(bit_depth == 16 ? sum & 0xFFFF : sum & 0xFF);
    }
    alpha.insert(alpha.end(), row.begin(), row.end());
    std::swap(above, row);
  }
  uint8_t extra = 0;
  stream.next_out = &extra;
  stream.avail_out = 1;
  if (status == Z_OK) status = inflate(&stream, Z_FINISH);
  if (status != Z_STREAM_END || stream.avail_out == 0 || stream.avail_in != 0) {
    return Fail("alpha does not end where it should, at byte {} of {}", stream.total_in,
                bytes.size());
  }
  return alpha;
}

}  // namespace lichen
