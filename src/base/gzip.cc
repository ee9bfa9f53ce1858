#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>

namespace lichen {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // + 16: a gzip header, and its CRC is checked
constexpr int kDeflateWindowBits = -15;   // below 0: no header

struct Ender {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

Result<std::vector<uint8_t>> Inflate(std::span<const uint8_t> bytes, int window_bits,
                                     std::string_view kind, uint64_t max_bytes) {
  if (bytes.size() > std::numeric_limits<uInt>::max()) return Fail("its {} data is too long", kind);
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) return Fail("zlib cannot be started");
  const std::unique_ptr<z_stream, Ender> ender(&stream);
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::vector<uint8_t> out;
  while (true) {
    // Grows with the data that really came, up to one byte beyond the bound.
    const uint64_t room = std::min<uint64_t>(
        {std::max<uint64_t>(out.size(), 1 << 16), max_bytes + 1 - out.size(), uint64_t{1} << 30});
    const size_t done = out.size();
    out.resize(done + room);
    stream.next_out = out.data() + done;
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() > max_bytes)
      return Fail("its {} data gives more than {} bytes", kind, max_bytes);
    if (status == Z_STREAM_END && stream.avail_in == 0) return out;
    if (status == Z_STREAM_END) {
      return Fail("has {} bytes after the end of its {} data", stream.avail_in, kind);
    }
    if (status == Z_BUF_ERROR || (status == Z_OK && stream.avail_out > 0)) {
      return Fail("its {} data is truncated at byte {}", kind, bytes.size());
    }
    if (status != Z_OK) {
      return Fail("its {} data is damaged near byte {}", kind, bytes.size() - stream.avail_in);
    }
  }
}

}  // namespace

bool IsGzip(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

Result<std::vector<uint8_t>> DecodeGzip(std::span<const uint8_t> bytes, uint64_t max_bytes) {
  return Inflate(bytes, kGzipWindowBits, "gzip", max_bytes);
}

Result<std::vector<uint8_t>> DecodeDeflate(std::span<const uint8_t> bytes, uint64_t max_bytes) {
  return Inflate(bytes, kDeflateWindowBits, "deflate", max_bytes);
}

}  // namespace lichen
