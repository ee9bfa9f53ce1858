#include "codec/container.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.h"

namespace lichen {
namespace {

constexpr uint8_t kMagic[4] = {0x89, 'L', 'I', 'C'};
constexpr uint8_t kVersion = 1;
constexpr uint8_t kHyperVersion = 2;
constexpr uint8_t kMetadataFlag = 0x80;  // beside the channels
constexpr uint64_t kIdentityAt = 20;
constexpr uint64_t kFixedBytes = 52;
constexpr uint64_t kMetadataSizesBytes = 12;
constexpr uint64_t kEntryBytes = 12;
constexpr uint64_t kEntrySizeBytes = 4;  // of alpha, and of hyper-latents
constexpr uint64_t kHashBytes = 8;
constexpr uint64_t kMaxMetadataBytes = uint64_t{1} << 26;

template <class T>
void Put(std::vector<uint8_t>& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

template <class T>
T Get(std::span<const uint8_t> bytes, uint64_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(T{bytes[at + i]} << (8 * i));
  return value;
}

struct MetadataSizes {
  uint64_t icc = 0;
  uint64_t icc_name = 0;
  uint64_t exif = 0;
  uint64_t Sum() const { return icc + icc_name + exif; }
};

// The fixed part; fills everything but segments and metadata. Whether there is metadata.
Result<bool> ParseFixed(const std::string& path, std::span<const uint8_t> bytes,
                        LicHeader& header) {
  if (std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return Fail("{}: is not a .lic file (byte 0: wrong magic)", path);
  }
  if (bytes[4] != kVersion && bytes[4] != kHyperVersion) {
    return Fail("{}: byte 4: version {} is not supported; this program reads versions {} and {}",
                path, bytes[4], kVersion, kHyperVersion);
  }
  header.has_hyper = bytes[4] == kHyperVersion;
  header.info.channels = bytes[5] & ~kMetadataFlag;
  header.info.bit_depth = bytes[6];
  header.downscale = bytes[7];
  header.info.width = Get<uint32_t>(bytes, 8);
  header.info.height = Get<uint32_t>(bytes, 12);
  header.latent_rows_per_segment = Get<uint32_t>(bytes, 16);
  if (auto checked = CheckImageInfo(header.info); !checked) {
    return Fail("{}: header, bytes 5 to 15: {}", path, checked.error().message);
  }
  if (header.downscale == 0) return Fail("{}: byte 7: downscale is 0", path);
  if (header.latent_rows_per_segment == 0 || header.latent_rows_per_segment > 65535) {
    return Fail("{}: byte 16: {} latent rows per segment, 1 to 65535 are allowed", path,
                header.latent_rows_per_segment);
  }
  std::copy_n(bytes.begin() + kIdentityAt, header.model_identity.size(),
              header.model_identity.begin());
  return (bytes[5] & kMetadataFlag) != 0;
}

Result<MetadataSizes> ReadMetadataSizes(const InputFile& file) {
  uint8_t bytes[kMetadataSizesBytes];
  if (file.size_bytes() < kFixedBytes + sizeof(bytes)) {
    return Fail("{}: the header is truncated: the file has {} bytes, {} are needed", file.path(),
                file.size_bytes(), kFixedBytes + sizeof(bytes));
  }
  LICHEN_TRY_VOID(file.ReadAt(kFixedBytes, bytes));
  const MetadataSizes sizes{Get<uint32_t>(bytes, 0), Get<uint32_t>(bytes, 4),
                            Get<uint32_t>(bytes, 8)};
  if (sizes.Sum() > kMaxMetadataBytes) {
    return Fail("{}: bytes {} to {}: {} bytes of metadata, at most {} are allowed", file.path(),
                kFixedBytes, kFixedBytes + sizeof(bytes) - 1, sizes.Sum(), kMaxMetadataBytes);
  }
  return sizes;
}

bool HasMetadata(const ImageInfo& info) { return info.metadata != Metadata{}; }

// Piece by piece: nothing of the header's size is allocated before it has proved whole.
Result<void> CheckHeaderHash(const InputFile& file, uint64_t hash_at) {
  std::unique_ptr<XXH64_state_t, decltype(&XXH64_freeState)> state(XXH64_createState(),
                                                                   &XXH64_freeState);
  LICHEN_CHECK(state != nullptr && XXH64_reset(state.get(), 0) == XXH_OK);
  std::vector<uint8_t> piece(std::min<uint64_t>(hash_at, 1 << 16));
  for (uint64_t at = 0; at < hash_at; at += piece.size()) {
    const std::span<uint8_t> bytes =
        std::span(piece).first(std::min<uint64_t>(piece.size(), hash_at - at));
    LICHEN_TRY_VOID(file.ReadAt(at, bytes));
    LICHEN_CHECK(XXH64_update(state.get(), bytes.data(), bytes.size()) == XXH_OK);
  }
  uint8_t stored[kHashBytes];
  LICHEN_TRY_VOID(file.ReadAt(hash_at, stored));
  if (XXH64_digest(state.get()) != Get<uint64_t>(stored, 0)) {
    return Fail("{}: the header (bytes 0 to {}) is damaged: its checksum is wrong", file.path(),
                hash_at + kHashBytes - 1);
  }
  return {};
}

uint64_t EntryBytes(const ImageInfo& info, bool has_hyper) {
  return kEntryBytes + (info.HasAlpha() ? kEntrySizeBytes : 0) + (has_hyper ? kEntrySizeBytes : 0);
}

uint64_t SegmentCount(const LicHeader& header) {
  const uint64_t rows = header.latent_rows_per_segment;
  return (static_cast<uint64_t>(header.LatentRows()) + rows - 1) / rows;
}

}  // namespace

uint64_t HashBytes(std::span<const uint8_t> bytes) { return XXH64(bytes.data(), bytes.size(), 0); }

uint64_t HeaderBytes(const ImageInfo& info, uint64_t segment_count, bool has_hyper) {
  const Metadata& m = info.metadata;
  return kFixedBytes + (HasMetadata(info) ? kMetadataSizesBytes : 0) +
         segment_count * EntryBytes(info, has_hyper) + m.icc.size() + m.icc_name.size() +
         m.exif.size() + kHashBytes;
}

std::vector<uint8_t> SerializeHeader(const LicHeader& header) {
  LICHEN_CHECK(header.segments.size() == SegmentCount(header));
  const Metadata& metadata = header.info.metadata;
  std::vector<uint8_t> out(kMagic, kMagic + 4);
  Put<uint8_t>(out, header.has_hyper ? kHyperVersion : kVersion);
  const int flag = HasMetadata(header.info) ? kMetadataFlag : 0;
  Put<uint8_t>(out, static_cast<uint8_t>(header.info.channels | flag));
  Put<uint8_t>(out, static_cast<uint8_t>(header.info.bit_depth));
  Put<uint8_t>(out, static_cast<uint8_t>(header.downscale));
  Put<uint32_t>(out, static_cast<uint32_t>(header.info.width));
  Put<uint32_t>(out, static_cast<uint32_t>(header.info.height));
  Put<uint32_t>(out, header.latent_rows_per_segment);
  out.insert(out.end(), header.model_identity.begin(), header.model_identity.end());
  if (flag) {
    Put<uint32_t>(out, static_cast<uint32_t>(metadata.icc.size()));
    Put<uint32_t>(out, static_cast<uint32_t>(metadata.icc_name.size()));
    Put<uint32_t>(out, static_cast<uint32_t>(metadata.exif.size()));
  }
  for (const SegmentEntry& segment : header.segments) {
    Put<uint32_t>(out, segment.latent_bytes);
    Put<uint64_t>(out, segment.hash);
    if (header.info.HasAlpha()) Put<uint32_t>(out, segment.alpha_bytes);
    if (header.has_hyper) Put<uint32_t>(out, segment.hyper_bytes);
  }
  out.insert(out.end(), metadata.icc.begin(), metadata.icc.end());
  out.insert(out.end(), metadata.icc_name.begin(), metadata.icc_name.end());
  out.insert(out.end(), metadata.exif.begin(), metadata.exif.end());
  Put<uint64_t>(out, HashBytes(out));
  return out;
}

Result<LicHeader> ReadHeader(const InputFile& file) {
  const std::string& path = file.path();
  const uint64_t file_bytes = file.size_bytes();
  uint8_t fixed[kFixedBytes] = {};
  const size_t available = static_cast<size_t>(std::min(file_bytes, kFixedBytes));
  LICHEN_TRY_VOID(file.ReadAt(0, std::span(fixed, available)));
  if (available >= sizeof(kMagic) && std::memcmp(fixed, kMagic, sizeof(kMagic)) != 0) {
    return Fail("{}: is not a .lic file (byte 0: wrong magic)", path);
  }
  if (file_bytes < kFixedBytes) {
    return Fail("{}: the header is truncated: the file has {} bytes, {} are needed", path,
                file_bytes, kFixedBytes);
  }
  LicHeader header;
  LICHEN_TRY(const bool has_metadata, ParseFixed(path, fixed, header));
  MetadataSizes sizes;
  if (has_metadata) {
    LICHEN_TRY(sizes, ReadMetadataSizes(file));
  }
  const uint64_t segment_count = SegmentCount(header);
  const uint64_t entry_bytes = EntryBytes(header.info, header.has_hyper);
  const uint64_t table_at = kFixedBytes + (has_metadata ? kMetadataSizesBytes : 0);
  header.size_bytes = table_at + segment_count * entry_bytes + sizes.Sum() + kHashBytes;
  if (header.size_bytes > file_bytes) {
    return Fail("{}: the header is truncated: with {} segments it has {} bytes, the file {}", path,
                segment_count, header.size_bytes, file_bytes);
  }
  LICHEN_TRY_VOID(CheckHeaderHash(file, header.size_bytes - kHashBytes));
  std::vector<uint8_t> bytes(header.size_bytes);
  LICHEN_TRY_VOID(file.ReadAt(0, bytes));
  uint64_t at = table_at;
  uint64_t offset = header.size_bytes;
  for (uint64_t i = 0; i < segment_count; ++i, at += entry_bytes) {
    const uint64_t hyper_at = at + kEntryBytes + (header.info.HasAlpha() ? kEntrySizeBytes : 0);
    const SegmentEntry entry{
        .latent_bytes = Get<uint32_t>(bytes, at),
        .alpha_bytes = header.info.HasAlpha() ? Get<uint32_t>(bytes, at + kEntryBytes) : 0,
        .hash = Get<uint64_t>(bytes, at + 4),
        .hyper_bytes = header.has_hyper ? Get<uint32_t>(bytes, hyper_at) : 0,
        .offset_bytes = offset};
    offset += entry.SizeBytes();
    header.segments.push_back(entry);
  }
  if (offset != file_bytes) {
    return Fail("{}: has {} bytes, its header asks for {}: it is {}", path, file_bytes, offset,
                file_bytes < offset ? "truncated" : "followed by something else");
  }
  const auto take = [&](uint64_t count) {
    const auto first = bytes.begin() + static_cast<int64_t>(at);
    at += count;
    return std::vector<uint8_t>(first, first + static_cast<int64_t>(count));
  };
  header.info.metadata.icc = take(sizes.icc);
  const std::vector<uint8_t> name = take(sizes.icc_name);
  header.info.metadata.icc_name.assign(name.begin(), name.end());
  header.info.metadata.exif = take(sizes.exif);
  return header;
}

}  // namespace lichen
