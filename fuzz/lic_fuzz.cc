#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "codec/codec.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_file.h"
#include "fuzz/test_codec.h"

namespace lichen {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 16;
// codec/container.h
constexpr size_t kFixedBytes = 64;
constexpr size_t kEntryBytes = 16;
constexpr size_t kHyperEntryBytes = 20;
constexpr size_t kHashBytes = 8;

uint64_t Get32(const std::vector<uint8_t>& bytes, size_t at) {
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

void Put(std::vector<uint8_t>& bytes, size_t at, const void* data, size_t count) {
  std::memcpy(bytes.data() + at, data, count);
}

const Codec& CodecOf(bool has_hyper) { return has_hyper ? FuzzContextCodec() : FuzzCodec(); }

// Makes the header fit the model and all sizes and checksums fit the bytes; empty if too short.
std::vector<uint8_t> Repair(std::span<const uint8_t> stream) {
  std::vector<uint8_t> bytes(stream.begin(), stream.end());
  if (bytes.size() < kFixedBytes) return {};
  const uint8_t version = bytes[4] == 2 ? 2 : 1;
  const bool has_hyper = version == 2;
  const Codec& codec = CodecOf(has_hyper);
  const uint8_t start[5] = {0x89, 'L', 'I', 'C', version};
  const uint8_t downscale = static_cast<uint8_t>(codec.downscale());
  Put(bytes, 0, start, sizeof(start));
  Put(bytes, 7, &downscale, 1);
  Put(bytes, 32, codec.identity().data(), 32);
  const size_t entry_bytes = has_hyper ? kHyperEntryBytes : kEntryBytes;
  const uint64_t rows = (Get32(bytes, 12) + downscale - 1) / downscale;
  const uint64_t per_segment = std::max<uint64_t>(Get32(bytes, 16), 1);
  const uint64_t segments = (rows + per_segment - 1) / per_segment;
  const uint64_t hash_at =
      kFixedBytes + segments * entry_bytes + Get32(bytes, 20) + Get32(bytes, 24) + Get32(bytes, 28);
  uint64_t at = hash_at + kHashBytes;
  if (at > bytes.size()) return {};
  for (uint64_t i = 0; i < segments; ++i) {
    const size_t entry = kFixedBytes + i * entry_bytes;
    const uint64_t left = bytes.size() - at;
    const uint32_t alpha = static_cast<uint32_t>(std::min(Get32(bytes, entry + 4), left));
    const uint32_t hyper =
        has_hyper ? static_cast<uint32_t>(std::min(Get32(bytes, entry + 16), left - alpha)) : 0;
    const uint64_t wanted = i + 1 == segments ? left : Get32(bytes, entry);
    const uint32_t latents = static_cast<uint32_t>(std::min(wanted, left - alpha - hyper));
    const uint64_t size = uint64_t{alpha} + hyper + latents;
    const uint64_t hash = HashBytes(std::span(bytes).subspan(at, size));
    Put(bytes, entry, &latents, 4);
    Put(bytes, entry + 4, &alpha, 4);
    Put(bytes, entry + 8, &hash, 8);
    if (has_hyper) Put(bytes, entry + 16, &hyper, 4);
    at += size;
  }
  const uint64_t hash = HashBytes(std::span(bytes).first(hash_at));
  Put(bytes, hash_at, &hash, kHashBytes);
  return bytes;
}

struct Decoded {
  bool is_whole = false;
  ImageInfo info;
  std::vector<uint16_t> samples;
};

Decoded Decode(const Codec& codec, const InputFile& file, std::optional<Crop> crop) {
  Decoded decoded;
  ImageSink sink;
  sink.begin = [&](const ImageInfo& info) -> Result<void> {
    LICHEN_CHECK(CheckImageInfo(info).has_value());
    decoded.info = info;
    return {};
  };
  sink.row = [&](int64_t, std::span<const uint16_t> samples) -> Result<void> {
    LICHEN_CHECK(static_cast<int64_t>(samples.size()) == decoded.info.RowSamples());
    decoded.samples.insert(decoded.samples.end(), samples.begin(), samples.end());
    return {};
  };
  const auto result = DecodeImage(codec, file, {.crop = crop}, sink, Threads(1));
  LICHEN_CHECK(result || !result.error().message.empty());
  decoded.is_whole = result.has_value();
  LICHEN_CHECK(!decoded.is_whole || static_cast<int64_t>(decoded.samples.size()) ==
                                        decoded.info.RowSamples() * decoded.info.height);
  return decoded;
}

void RunStream(std::span<const uint8_t> bytes) {
  const MemoryFile memory(bytes);
  const auto file = InputFile::Open(memory.path());
  LICHEN_CHECK(file.has_value());
  const auto header = ReadHeader(*file);
  if (!header) return;
  const std::vector<uint8_t> again = SerializeHeader(*header);
  LICHEN_CHECK(again.size() == header->size_bytes);
  LICHEN_CHECK(std::equal(again.begin(), again.end(), bytes.begin()));
  if (header->info.width > kMaxPixels / header->info.height) return;
  const Codec& codec = CodecOf(header->has_hyper);
  const Decoded whole = Decode(codec, *file, {});
  if (!whole.is_whole) return;
  const int64_t x = whole.info.width / 3;
  const int64_t y = whole.info.height / 2;
  const Crop crop{x, y, whole.info.width - x, (whole.info.height - y + 1) / 2};
  const Decoded part = Decode(codec, *file, crop);
  LICHEN_CHECK(part.is_whole);
  const int64_t channels = whole.info.channels;
  for (int64_t row = 0; row < crop.height; ++row) {
    const auto want = whole.samples.begin() + ((y + row) * whole.info.width + x) * channels;
    const auto got = part.samples.begin() + row * crop.width * channels;
    LICHEN_CHECK(std::equal(got, got + crop.width * channels, want));
  }
}

}  // namespace

void FuzzLic(std::span<const uint8_t> bytes) {
  RunStream(bytes);
  const std::vector<uint8_t> repaired = Repair(bytes);
  if (!repaired.empty()) RunStream(repaired);
}

}  // namespace lichen
