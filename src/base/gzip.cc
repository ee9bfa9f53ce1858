#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>
#include <system_error>

#include "base/files.h"

namespace lichen {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // + 16: a gzip header, and its CRC is checked

struct Ender {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

}  // namespace

bool IsGzip(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

Result<std::vector<uint8_t>> DecodeGzip(std::span<const uint8_t> bytes, uint64_t max_bytes) {
  if (bytes.size() > std::numeric_limits<uInt>::max()) return Fail("its gzip data is too long");
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindowBits) != Z_OK) return Fail("zlib cannot be started");
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
    if (out.size() > max_bytes) return Fail("its gzip data gives more than {} bytes", max_bytes);
    if (status == Z_STREAM_END && stream.avail_in == 0) return out;
    if (status == Z_STREAM_END) {
      return Fail("has {} bytes after the end of its gzip data", stream.avail_in);
    }
    if (status == Z_BUF_ERROR || (status == Z_OK && stream.avail_out > 0)) {
      return Fail("its gzip data is truncated at byte {}", bytes.size());
    }
    if (status != Z_OK) {
      return Fail("its gzip data is damaged near byte {}", bytes.size() - stream.avail_in);
    }
  }
}

std::filesystem::path PlainOrGzip(const std::filesystem::path& plain) {
  std::error_code error;
  if (std::filesystem::exists(plain, error)) return plain;
  std::filesystem::path packed = plain;
  packed += ".gz";
  return std::filesystem::exists(packed, error) ? packed : plain;
}

Result<std::vector<uint8_t>> ReadPlainOrGzip(const std::filesystem::path& path,
                                             uint64_t max_bytes) {
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, max_bytes));
  if (!IsGzip(bytes)) return bytes;
  return InPlace(path.string(), DecodeGzip(bytes, max_bytes));
}

}  // namespace lichen
