#include "base/npz.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/gzip.h"

namespace lichen {
namespace {

// Records of a .zip file (APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16): signature and bytes before the names.
constexpr uint32_t kLocalSignature = 0x04034B50;
constexpr uint32_t kCentralSignature = 0x02014B50;
constexpr uint32_t kEndSignature = 0x06054B50;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCentralBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kMaxCommentBytes = 65535;
constexpr uint32_t kZip64 = 0xFFFFFFFF;  // instead of a size or place: it stands elsewhere
constexpr uint32_t kEncrypted = 1;
constexpr uint32_t kStored = 0;
constexpr uint32_t kDeflated = 8;
constexpr std::string_view kSuffix = ".npy";

using Bytes = std::span<const uint8_t>;

uint32_t Get16(Bytes bytes, size_t at) { return bytes[at] | uint32_t{bytes[at + 1]} << 8; }
uint32_t Get32(Bytes bytes, size_t at) { return Get16(bytes, at) | Get16(bytes, at + 2) << 16; }

struct Member {
  std::string name;
  uint32_t flags = 0;
  uint32_t method = 0;
  uint32_t crc = 0;
  uint32_t packed_bytes = 0;
  uint32_t bytes = 0;
  uint32_t header_at = 0;
};

// Where the record stands that ends the archive; behind it comes nothing but its comment.
std::optional<size_t> FindEnd(Bytes file) {
  if (file.size() < kEndBytes) return {};
  for (size_t comment = 0; comment <= std::min(kMaxCommentBytes, file.size() - kEndBytes);
       ++comment) {
    const size_t at = file.size() - kEndBytes - comment;
    if (Get32(file, at) == kEndSignature && Get16(file, at + 20) == comment) return at;
  }
  return {};
}

Result<std::vector<Member>> ReadDirectory(Bytes file) {
  const std::optional<size_t> end = FindEnd(file);
  if (!end)
    return Fail("is no .npz file, or is truncated: the end of its .zip directory is missing");
  const uint32_t count = Get16(file, *end + 10);
  size_t at = Get32(file, *end + 16);
  if (count == 0xFFFF || at == kZip64)
    return Fail("is a zip64 archive; save fewer or smaller arrays");
  std::vector<Member> members;
  for (uint32_t i = 0; i < count; ++i) {
    if (at > *end || *end - at < kCentralBytes || Get32(file, at) != kCentralSignature) {
      return Fail("its .zip directory is damaged at byte {}", at);
    }
    const Bytes record = file.subspan(at, *end - at);
    const size_t name_bytes = Get16(record, 28);
    const size_t more_bytes = size_t{Get16(record, 30)} + Get16(record, 32);
    if (record.size() - kCentralBytes < name_bytes + more_bytes) {
      return Fail("its .zip directory is damaged at byte {}", at);
    }
    const auto name = reinterpret_cast<const char*>(record.data() + kCentralBytes);
    members.push_back({.name = std::string(name, name_bytes),
                       .flags = Get16(record, 8),
                       .method = Get16(record, 10),
                       .crc = Get32(record, 16),
                       .packed_bytes = Get32(record, 20),
                       .bytes = Get32(record, 24),
                       .header_at = Get32(record, 42)});
    at += kCentralBytes + name_bytes + more_bytes;
  }
  return members;
}

// The member's bytes as they stand in the archive.
Result<Bytes> FindData(Bytes file, const Member& member) {
  if (member.header_at == kZip64 || member.bytes == kZip64 || member.packed_bytes == kZip64) {
    return Fail("its size stands in a zip64 record; save smaller arrays");
  }
  if ((member.flags & kEncrypted) != 0) return Fail("is encrypted");
  const size_t at = member.header_at;
  if (at > file.size() || file.size() - at < kLocalBytes || Get32(file, at) != kLocalSignature) {
    return Fail("its header at byte {} is damaged", at);
  }
  const size_t data_at = at + kLocalBytes + Get16(file, at + 26) + Get16(file, at + 28);
  if (data_at > file.size() || file.size() - data_at < member.packed_bytes) {
    return Fail("its {} bytes reach beyond the file", member.packed_bytes);
  }
  return file.subspan(data_at, member.packed_bytes);
}

Result<NpyArray> ReadMember(Bytes file, const Member& member, std::string_view place) {
  LICHEN_TRY(Bytes data, InPlace(place, FindData(file, member)));
  std::vector<uint8_t> inflated;
  if (member.method == kDeflated) {
    LICHEN_TRY(inflated, InPlace(place, DecodeDeflate(data, member.bytes)));
    data = inflated;
  } else if (member.method != kStored) {
    return Fail("{}: its compression method {} is not supported; use numpy.savez", place,
                member.method);
  }
  if (data.size() != member.bytes) {
    return Fail("{}: has {} bytes, not the {} of its header", place, data.size(), member.bytes);
  }
  if (crc32_z(0, data.data(), data.size()) != member.crc) {
    return Fail("{}: is damaged: its checksum is wrong", place);
  }
  return ParseNpy(data, place);
}

}  // namespace

Result<std::map<std::string, NpyArray>> ReadNpz(const std::filesystem::path& path,
                                                uint64_t max_bytes) {
  LICHEN_TRY(const std::vector<uint8_t> file, ReadFile(path, max_bytes));
  LICHEN_TRY(const std::vector<Member> members, InPlace(path.string(), ReadDirectory(file)));
  std::map<std::string, NpyArray> arrays;
  uint64_t total_bytes = 0;
  for (const Member& member : members) {
    if (!member.name.ends_with(kSuffix)) {
      return Fail("{}: its member '{}' is no .npy array", path.string(), member.name);
    }
    const std::string place = fmt::format("{}: {}", path.string(), member.name);
    total_bytes += member.bytes;
    if (total_bytes > max_bytes) {
      return Fail("{}: the arrays up to here have {} bytes, more than the {} allowed", place,
                  total_bytes, max_bytes);
    }
    LICHEN_TRY(NpyArray array, ReadMember(file, member, place));
    const std::string name = member.name.substr(0, member.name.size() - kSuffix.size());
    if (!arrays.emplace(name, std::move(array)).second) {
      return Fail("{}: stands there twice", place);
    }
  }
  return arrays;
}

}  // namespace lichen
