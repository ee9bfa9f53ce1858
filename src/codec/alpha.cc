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

struct AlphaDecoder::State {
  std::vector<uint8_t> bytes;
  int64_t width;
  int64_t rows;
  int bit_depth;
  int64_t next = 0;
  int status = Z_OK;
  z_stream stream{};
  std::vector<uint16_t> above;
  std::vector<uint8_t> residuals;
};

AlphaDecoder::AlphaDecoder(std::span<const uint8_t> bytes, int64_t width, int64_t rows,
                           int bit_depth)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.bytes.assign(bytes.begin(), bytes.end());
  s.width = width;
  s.rows = rows;
  s.bit_depth = bit_depth;
  s.above.resize(static_cast<size_t>(width));
  s.residuals.resize(static_cast<size_t>(RowBytes(width, bit_depth)));
  LICHEN_CHECK(inflateInit(&s.stream) == Z_OK);
  s.stream.next_in = s.bytes.data();
  s.stream.avail_in = static_cast<uInt>(s.bytes.size());
}

AlphaDecoder::~AlphaDecoder() { inflateEnd(&state_->stream); }

Result<void> AlphaDecoder::ReadRow(std::span<uint16_t> alpha) {
  State& s = *state_;
  LICHEN_CHECK(s.next < s.rows && static_cast<int64_t>(alpha.size()) == s.width);
  s.stream.next_out = s.residuals.data();
  s.stream.avail_out = static_cast<uInt>(s.residuals.size());
  while (s.stream.avail_out > 0 && s.status == Z_OK) s.status = inflate(&s.stream, Z_NO_FLUSH);
  if (s.stream.avail_out > 0) {
    return Fail("alpha ends at row {} of {}, byte {} of {}", s.next, s.rows, s.stream.total_in,
                s.bytes.size());
  }
  for (size_t x = 0; x < alpha.size(); ++x) {
    const uint32_t predicted = Predict(s.above, alpha, x);
    const uint32_t residual = s.bit_depth == 16
                                  ? uint32_t{s.residuals[x]} << 8 | s.residuals[alpha.size() + x]
                                  : s.residuals[x];
    const uint32_t sum = predicted + residual;
    alpha[x] = static_cast<uint16_t>(s.bit_depth == 16 ? sum & 0xFFFF : sum & 0xFF);
  }
  std::copy(alpha.begin(), alpha.end(), s.above.begin());
  if (++s.next < s.rows) return {};
  uint8_t extra = 0;
  s.stream.next_out = &extra;
  s.stream.avail_out = 1;
  if (s.status == Z_OK) s.status = inflate(&s.stream, Z_FINISH);
  if (s.status != Z_STREAM_END || s.stream.avail_out == 0 || s.stream.avail_in != 0) {
    return Fail("alpha does not end where it should, at byte {} of {}", s.stream.total_in,
                s.bytes.size());
  }
  return {};
}

}  // namespace lichen
