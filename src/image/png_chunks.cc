#include "image/png_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>
#include <vector>

namespace lichen {
namespace {

constexpr size_t kMaxIccBytes = size_t{64} << 20;  // uncompressed

uint32_t BigEndian32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

struct ChunkHeader {
  uint64_t position_bytes = 0;
  uint32_t length_bytes = 0;  // of the content
  std::array<uint8_t, 4> type{};
  std::string_view Name() const { return {reinterpret_cast<const char*>(type.data()), 4}; }
  bool IsCritical() const { return (type[0] & 0x20) == 0; }
  uint64_t EndBytes() const { return position_bytes + 12 + length_bytes; }
};

Result<ChunkHeader> ReadChunkHeader(ByteSource& source) {
  ChunkHeader chunk{.position_bytes = source.position_bytes()};
  std::array<uint8_t, 8> bytes{};
  LICHEN_TRY_VOID(source.Read(bytes));
  chunk.length_bytes = BigEndian32(bytes.data());
  std::copy_n(bytes.data() + 4, 4, chunk.type.begin());
  const bool is_letters = std::all_of(chunk.type.begin(), chunk.type.end(), [](uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  });
  if (!is_letters || chunk.length_bytes > 0x7fffffffu) {
    return Fail(
        "{}: byte {}: no PNG chunk starts here; the file is damaged, get a whole copy of it",
        source.path(), chunk.position_bytes);
  }
  return chunk;
}

// Reads the content of the chunk whose header has just been read, and compares its checksum.
// The content is kept if the caller gives a place for it.
Result<void> ReadChunk(ByteSource& source, const ChunkHeader& chunk,
                       std::vector<uint8_t>* content = nullptr) {
  uLong crc = crc32(0, chunk.type.data(), 4);
  uint64_t left_bytes = chunk.length_bytes;
  while (left_bytes > 0) {
    LICHEN_TRY(auto piece, source.Buffered());
    piece = piece.first(std::min<uint64_t>(piece.size(), left_bytes));
    crc = crc32_z(crc, piece.data(), piece.size());
    if (content) content->insert(content->end(), piece.begin(), piece.end());
    left_bytes -= piece.size();
    LICHEN_TRY_VOID(source.Skip(piece.size()));
  }
  std::array<uint8_t, 4> stored{};
  LICHEN_TRY_VOID(source.Read(stored));
  if (crc != BigEndian32(stored.data())) {
    return Fail(
        "{}: byte {}: the checksum of chunk {} is wrong; the file is damaged, get a whole "
        "copy of it",
        source.path(), chunk.position_bytes, chunk.Name());
  }
  return {};
}

Result<PngLayout> ParseHeader(std::span<const uint8_t> ihdr) {
  if (ihdr.size() != 13) return Fail("chunk IHDR has {} bytes instead of 13", ihdr.size());
  PngLayout layout;
  layout.width = BigEndian32(ihdr.data());
  layout.height = BigEndian32(ihdr.data() + 4);
  layout.bit_depth = ihdr[8];
  layout.color_type = ihdr[9];
  layout.interlaced = ihdr[12] != 0;
  const int depth = layout.bit_depth;
  const bool depth_ok = depth == 8 || (depth == 16 && layout.color_type != 3) ||
                        ((depth == 1 || depth == 2 || depth == 4) &&
                         (layout.color_type == 0 || layout.color_type == 3));
  const bool type_ok = layout.color_type <= 6 && layout.color_type != 1 && layout.color_type != 5;
  if (!depth_ok || !type_ok) {
    return Fail("colour type {} with {} bits is not possible in a PNG", layout.color_type, depth);
  }
  if (ihdr[10] != 0 || ihdr[11] != 0 || ihdr[12] > 1) {
    return Fail("unknown compression, filter or interlace method in IHDR");
  }
  return layout;
}

Result<void> ParseIccProfile(std::span<const uint8_t> content, Metadata* metadata) {
  const auto name_end = std::find(content.begin(), content.end(), uint8_t{0});
  const size_t name_bytes = static_cast<size_t>(name_end - content.begin());
  if (name_bytes > 79 || content.size() < name_bytes + 2 || content[name_bytes + 1] != 0) {
    return Fail("chunk iCCP is malformed");
  }
  metadata->icc_name.assign(content.begin(), name_end);
  z_stream stream{};
  stream.next_in = const_cast<uint8_t*>(content.data() + name_bytes + 2);
  stream.avail_in = static_cast<uInt>(content.size() - name_bytes - 2);
  if (inflateInit(&stream) != Z_OK) return Fail("zlib cannot be started");
  std::array<uint8_t, 4096> piece;
  int status = Z_OK;
  while (status == Z_OK && metadata->icc.size() <= kMaxIccBytes) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    status = inflate(&stream, Z_NO_FLUSH);
    metadata->icc.insert(metadata->icc.end(), piece.data(), stream.next_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) return Fail("the ICC profile in chunk iCCP is damaged or too large");
  return {};
}

// Deflate turns at most 258 bytes into 2 bits: a larger picture cannot be in there.
Result<void> CheckPlausible(const PngLayout& layout) {
  static constexpr int kSamples[] = {1, 0, 3, 1, 2, 0, 4};
  const uint64_t bits = static_cast<uint64_t>(layout.height * layout.width) *
                        static_cast<uint64_t>(kSamples[layout.color_type] * layout.bit_depth);
  if (bits / 8 > layout.idat_bytes * 1032) {
    return Fail(
        "{}x{} pixels cannot be in {} bytes of compressed data; the file is truncated or its "
        "header damaged, get a whole copy of it",
        layout.width, layout.height, layout.idat_bytes);
  }
  return {};
}

}  // namespace

Result<PngLayout> ScanPng(ByteSource& source) {
  const std::string& path = source.path();
  std::array<uint8_t, 8> signature{};
  LICHEN_TRY_VOID(source.Read(signature));
  if (signature != kPngSignature) return Fail("{}: has no PNG signature; convert it to PNG", path);

  std::optional<PngLayout> layout;
  bool has_icc = false;
  bool has_exif = false;
  while (true) {
    LICHEN_TRY(const ChunkHeader chunk, ReadChunkHeader(source));
    const std::string_view name = chunk.Name();
    if (chunk.EndBytes() > source.size_bytes()) {
      return Fail(
          "{}: is truncated: chunk {} at byte {} should end at byte {}, but the file has {}; "
          "get a whole copy of it",
          path, name, chunk.position_bytes, chunk.EndBytes(), source.size_bytes());
    }
    if (!layout && name != "IHDR") {
      return Fail("{}: byte 8: the first chunk is {} instead of IHDR; convert it to PNG", path,
                  name);
    }
    const std::string place = fmt::format("{}: byte {}", path, chunk.position_bytes);
    if (name == "IHDR" && !layout) {
      std::vector<uint8_t> content;
      LICHEN_TRY_VOID(ReadChunk(source, chunk, &content));
      LICHEN_TRY(layout, InPlace(place, ParseHeader(content)));
    } else if (name == "IDAT") {
      layout->idat_bytes += chunk.length_bytes;
    } else if (name == "iCCP" && !has_icc) {
      has_icc = true;
      std::vector<uint8_t> content;
      LICHEN_TRY_VOID(ReadChunk(source, chunk, &content));
      LICHEN_TRY_VOID(InPlace(place, ParseIccProfile(content, &layout->metadata)));
    } else if (name == "eXIf" && !has_exif) {
      has_exif = true;
      LICHEN_TRY_VOID(ReadChunk(source, chunk, &layout->metadata.exif));
    } else {
      if (name == "tRNS") layout->has_transparency = true;
      LICHEN_TRY_VOID(ReadChunk(source, chunk));
      if (name == "IEND") break;
    }
    LICHEN_TRY_VOID(source.Seek(chunk.EndBytes()));
  }
  LICHEN_TRY_VOID(InPlace(path, CheckPlausible(*layout)));
  return std::move(*layout);
}

Result<bool> PngCriticalStream::Read(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    if (piece_left_bytes_ == 0) {
      const uint64_t position_bytes = source_.position_bytes();
      if (source_.LeftBytes() == 0) return false;
      LICHEN_TRY(const ChunkHeader chunk, ReadChunkHeader(source_));
      if (chunk.IsCritical() || chunk.Name() == "tRNS") {
        LICHEN_TRY_VOID(source_.Seek(position_bytes));
        piece_left_bytes_ = 12 + uint64_t{chunk.length_bytes};
      } else {
        LICHEN_TRY_VOID(source_.Seek(chunk.EndBytes()));
        continue;
      }
    }
    const size_t count = std::min<uint64_t>(bytes.size(), piece_left_bytes_);
    LICHEN_TRY_VOID(source_.Read(bytes.first(count)));
    piece_left_bytes_ -= count;
    bytes = bytes.subspan(count);
  }
  return true;
}

}  // namespace lichen
