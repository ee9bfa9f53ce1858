#include "image/png_writer.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "image/png_chunks.h"
#include "image/png_filter.h"

namespace lichen {
namespace {

constexpr size_t kIdatBytes = 1 << 16;
constexpr int kCompressionLevel = 1;
constexpr size_t kMaxChunkBytes = 0x7fffffff;

void PutBigEndian32(uint32_t value, uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

Result<void> WriteChunk(OutputFile& file, std::string_view type, std::span<const uint8_t> content) {
  if (content.size() > kMaxChunkBytes) {
    return Fail("{} bytes are too many for the PNG chunk {}; write .pam", content.size(), type);
  }
  std::array<uint8_t, 8> head{};
  std::array<uint8_t, 4> tail{};
  PutBigEndian32(static_cast<uint32_t>(content.size()), head.data());
  std::copy_n(type.data(), 4, head.data() + 4);
  uLong crc = crc32(0, head.data() + 4, 4);
  if (!content.empty()) crc = crc32_z(crc, content.data(), content.size());
  PutBigEndian32(static_cast<uint32_t>(crc), tail.data());
  LICHEN_TRY_VOID(file.Write(head));
  LICHEN_TRY_VOID(file.Write(content));
  return file.Write(tail);
}

// The name of a profile has 1 to 79 printable characters.
std::string ProfileName(const std::string& wanted) {
  std::string name;
  for (const char c : wanted.substr(0, 79)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 32 && byte <= 126) || byte >= 161) name += c;
  }
  return name.empty() ? "ICC profile" : name;
}

Result<void> WriteIccProfile(OutputFile& file, const Metadata& metadata) {
  const std::string name = ProfileName(metadata.icc_name);
  uLongf packed_bytes = compressBound(metadata.icc.size());
  std::vector<uint8_t> content(name.begin(), name.end());
  content.push_back(0);  // ends the name
  content.push_back(0);  // deflate
  const size_t head_bytes = content.size();
  content.resize(head_bytes + packed_bytes);
  if (compress2(content.data() + head_bytes, &packed_bytes, metadata.icc.data(),
                metadata.icc.size(), Z_BEST_COMPRESSION) != Z_OK) {
    return Fail("the ICC profile cannot be compressed");
  }
  content.resize(head_bytes + packed_bytes);
  return WriteChunk(file, "iCCP", content);
}

class PngWriter : public ImageWriter {
 public:
  PngWriter(const ImageInfo& info, std::string path, OutputFile file)
      : ImageWriter(info), path_(std::move(path)), file_(std::move(file)) {}
  ~PngWriter() override { deflateEnd(&deflate_); }

  Result<void> Start() {
    LICHEN_TRY_VOID(file_.Write(kPngSignature));
    static constexpr uint8_t kColorTypes[] = {0, 4, 2, 6};
    std::array<uint8_t, 13> header{};
    PutBigEndian32(static_cast<uint32_t>(info().width), header.data());
    PutBigEndian32(static_cast<uint32_t>(info().height), header.data() + 4);
    header[8] = static_cast<uint8_t>(info().bit_depth);
    header[9] = kColorTypes[info().channels - 1];
    LICHEN_TRY_VOID(WriteChunk(file_, "IHDR", header));
    const Metadata& metadata = info().metadata;
    if (!metadata.icc.empty()) LICHEN_TRY_VOID(WriteIccProfile(file_, metadata));
    if (!metadata.exif.empty()) LICHEN_TRY_VOID(WriteChunk(file_, "eXIf", metadata.exif));

    if (deflateInit2(&deflate_, kCompressionLevel, Z_DEFLATED, 15, 9, Z_FILTERED) != Z_OK) {
      return Fail("zlib cannot be started");
    }
    pixel_bytes_ = static_cast<size_t>(info().channels * info().bit_depth / 8);
    const size_t row_bytes = static_cast<size_t>(info().width) * pixel_bytes_;
    row_.resize(row_bytes);
    previous_.resize(row_bytes);
    for (auto& filtered : filtered_) filtered.resize(row_bytes + 1);
    idat_.resize(kIdatBytes);
    deflate_.next_out = idat_.data();
    deflate_.avail_out = static_cast<uInt>(idat_.size());
    return {};
  }

 private:
  Result<void> DoWriteRow(std::span<const uint16_t> samples) override {
    if (info().bit_depth == 16) {
      for (size_t i = 0; i < samples.size(); ++i) {
        row_[2 * i] = static_cast<uint8_t>(samples[i] >> 8);
        row_[2 * i + 1] = static_cast<uint8_t>(samples[i]);
      }
    } else {
      for (size_t i = 0; i < samples.size(); ++i) row_[i] = static_cast<uint8_t>(samples[i]);
    }
    static constexpr PngFilter kTried[] = {PngFilter::kSub, PngFilter::kUp, PngFilter::kPaeth};
    uint64_t best_cost = UINT64_MAX;
    const std::vector<uint8_t>* best = nullptr;
    for (size_t i = 0; i < std::size(kTried); ++i) {
      const std::span<uint8_t> residual = std::span(filtered_[i]).subspan(1);
      filtered_[i][0] = static_cast<uint8_t>(kTried[i]);
      FilterPngRow(kTried[i], row_, previous_, pixel_bytes_, residual);
      const uint64_t cost = PngFilterCost(residual);
      if (cost < best_cost) {
        best_cost = cost;
        best = &filtered_[i];
      }
    }
    std::swap(row_, previous_);
    return InPlace(path_, Deflate(*best, Z_NO_FLUSH));
  }

  Result<void> DoFinish() override {
    LICHEN_TRY_VOID(InPlace(path_, Deflate({}, Z_FINISH)));
    LICHEN_TRY_VOID(FlushIdat());
    LICHEN_TRY_VOID(WriteChunk(file_, "IEND", {}));
    return file_.Commit();
  }

  Result<void> Deflate(std::span<const uint8_t> bytes, int flush) {
    deflate_.next_in = const_cast<uint8_t*>(bytes.data());
    deflate_.avail_in = static_cast<uInt>(bytes.size());  // at most 2^24 * 8 + 1
    while (true) {
      const int status = deflate(&deflate_, flush);
      if (status == Z_STREAM_END) return {};
      if (status != Z_OK && status != Z_BUF_ERROR) return Fail("zlib failed with code {}", status);
      if (deflate_.avail_out != 0) {
        if (flush == Z_FINISH) return Fail("zlib did not finish");
        return {};
      }
      LICHEN_TRY_VOID(FlushIdat());
    }
  }

  Result<void> FlushIdat() {
    const size_t count = idat_.size() - deflate_.avail_out;
    if (count > 0) LICHEN_TRY_VOID(WriteChunk(file_, "IDAT", std::span(idat_).first(count)));
    deflate_.next_out = idat_.data();
    deflate_.avail_out = static_cast<uInt>(idat_.size());
    return {};
  }

  std::string path_;
  OutputFile file_;
  z_stream deflate_{};
  size_t pixel_bytes_ = 0;
  std::vector<uint8_t> row_;
  std::vector<uint8_t> previous_;
  std::array<std::vector<uint8_t>, 3> filtered_;  // each with its filter's number in front
  std::vector<uint8_t> idat_;
};

}  // namespace

Result<std::unique_ptr<ImageWriter>> CreatePngWriter(const std::filesystem::path& path,
                                                     const ImageInfo& info) {
  LICHEN_TRY(OutputFile file, OutputFile::Create(path));
  auto writer = std::make_unique<PngWriter>(info, path.string(), std::move(file));
  LICHEN_TRY_VOID(InPlace(path.string(), writer->Start()));
  return writer;
}

}  // namespace lichen
