#include "image/byte_source.h"

#include <algorithm>
#include <cstring>

namespace lichen {

Result<ByteSource> ByteSource::Open(const std::filesystem::path& path, size_t buffer_bytes) {
  LICHEN_TRY(InputFile file, InputFile::Open(path));
  if (file.size_bytes() == 0) {
    return Fail("{}: is empty; name a PNG, JPEG, PPM, PGM or PAM file", path.string());
  }
  ByteSource source;
  source.path_ = file.path();
  source.size_bytes_ = file.size_bytes();
  source.file_ = std::move(file);
  source.buffer_.resize(std::min<uint64_t>(buffer_bytes, source.size_bytes()));
  return source;
}

Result<ByteSource> ByteSource::FromBytes(std::vector<uint8_t> bytes, std::string name) {
  if (bytes.empty()) return Fail("{}: is empty", name);
  ByteSource source;
  source.path_ = std::move(name);
  source.size_bytes_ = source.buffer_filled_bytes_ = bytes.size();
  source.buffer_ = std::move(bytes);
  return source;
}

Result<std::span<const uint8_t>> ByteSource::Buffered() {
  if (position_bytes_ >= size_bytes()) {
    return Fail("{}: is truncated: more is needed after its last byte, {}; get a whole copy of it",
                path(), size_bytes());
  }
  if (position_bytes_ < buffer_position_bytes_ ||
      position_bytes_ >= buffer_position_bytes_ + buffer_filled_bytes_) {
    const uint64_t count = std::min<uint64_t>(buffer_.size(), LeftBytes());
    buffer_filled_bytes_ = 0;
    LICHEN_TRY_VOID(file_->ReadAt(position_bytes_, std::span(buffer_).first(count)));
    buffer_position_bytes_ = position_bytes_;
    buffer_filled_bytes_ = count;
  }
  const uint64_t start = position_bytes_ - buffer_position_bytes_;
  return std::span<const uint8_t>(buffer_).subspan(start, buffer_filled_bytes_ - start);
}

Result<void> ByteSource::Read(std::span<uint8_t> bytes) {
  if (bytes.size() > LeftBytes()) {
    return Fail(
        "{}: is truncated: bytes {} to {} are needed, but it has {}; get a whole copy of it",
        path(), position_bytes_, position_bytes_ + bytes.size(), size_bytes());
  }
  while (!bytes.empty()) {
    if (file_ && bytes.size() >= buffer_.size()) {  // large pieces go straight to their place
      LICHEN_TRY_VOID(file_->ReadAt(position_bytes_, bytes));
      position_bytes_ += bytes.size();
      return {};
    }
    LICHEN_TRY(const auto buffered, Buffered());
    const size_t count = std::min(bytes.size(), buffered.size());
    std::memcpy(bytes.data(), buffered.data(), count);
    position_bytes_ += count;
    bytes = bytes.subspan(count);
  }
  return {};
}

Result<void> ByteSource::Seek(uint64_t position_bytes) {
  if (position_bytes > size_bytes()) {
    return Fail("{}: is truncated: it should reach byte {}, but ends at {}; get a whole copy of it",
                path(), position_bytes, size_bytes());
  }
  position_bytes_ = position_bytes;
  return {};
}

}  // namespace lichen
