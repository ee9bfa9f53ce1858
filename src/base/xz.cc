#include "base/xz.h"

#include <lzma.h>

#include <algorithm>
#include <array>
#include <memory>

namespace lichen {
namespace {

constexpr std::array<uint8_t, 6> kMagic = {0xFD, '7', 'z', 'X', 'Z', 0};
constexpr uint64_t kDecoderBytes = uint64_t{256} << 20;

struct Ender {
  void operator()(lzma_stream* stream) const { lzma_end(stream); }
};

}  // namespace

bool IsXz(std::span<const uint8_t> bytes) {
  return bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
}

Result<std::vector<uint8_t>> DecodeXz(std::span<const uint8_t> bytes, uint64_t max_bytes) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kDecoderBytes, LZMA_CONCATENATED) != LZMA_OK) {
    return Fail("the xz decoder does not start");
  }
  const std::unique_ptr<lzma_stream, Ender> ender(&stream);
  stream.next_in = bytes.data();
  stream.avail_in = bytes.size();
  std::vector<uint8_t> out;
  while (true) {
    // Grows with the data that really came, up to one byte beyond the bound.
    const uint64_t room =
        std::min<uint64_t>(std::max<uint64_t>(out.size(), 1 << 16), max_bytes + 1 - out.size());
    const size_t done = out.size();
    out.resize(done + room);
    stream.next_out = out.data() + done;
    stream.avail_out = room;
    const lzma_ret ret = lzma_code(&stream, LZMA_FINISH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() > max_bytes) return Fail("its xz data gives more than {} bytes", max_bytes);
    if (ret == LZMA_STREAM_END) return out;
    if (ret == LZMA_BUF_ERROR || (ret == LZMA_OK && stream.avail_out > 0)) {
      return Fail("its xz data is truncated at byte {}", bytes.size());
    }
    if (ret != LZMA_OK) {
      return Fail("its xz data is damaged near byte {}", bytes.size() - stream.avail_in);
    }
  }
}

}  // namespace lichen
