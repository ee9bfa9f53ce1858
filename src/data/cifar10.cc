#include "data/cifar10.h"

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/gzip.h"
#include "base/xz.h"
#include "image/jpeg_reader.h"

namespace lichen {
namespace {

constexpr int64_t kSide = 32;
constexpr int64_t kChannels = 3;
constexpr int64_t kPixels = kSide * kSide;
constexpr size_t kRecordBytes = 1 + kPixels * kChannels;
constexpr uint64_t kMaxBatchBytes = uint64_t{1} << 30;
constexpr int64_t kClasses = 10;
constexpr std::string_view kPackMagic = "CIFJPG1\n";
constexpr int64_t kPackTraining = 50000;
constexpr int64_t kPackTotal = 60000;
constexpr uint64_t kMaxPackBytes = uint64_t{256} << 20;

LabelledPictures Empty(std::string source) {
  return {.source = std::move(source),
          .height = kSide,
          .width = kSide,
          .channels = kChannels,
          .class_count = kClasses};
}

Result<void> CheckLabel(uint8_t label, int64_t picture) {
  if (label < kClasses) return {};
  return Fail("label {} of picture {} is not 0 to {}", label, picture, kClasses - 1);
}

Result<void> AddBatch(std::span<const uint8_t> bytes, LabelledPictures& pictures) {
  if (bytes.empty() || bytes.size() % kRecordBytes != 0) {
    return Fail("its {} bytes are no multiple of {}; get a whole copy of it", bytes.size(),
                kRecordBytes);
  }
  for (size_t i = 0; i < bytes.size() / kRecordBytes; ++i) {
    const auto record = bytes.subspan(i * kRecordBytes, kRecordBytes);
    LICHEN_TRY_VOID(CheckLabel(record[0], static_cast<int64_t>(i)));
    pictures.labels.push_back(record[0]);
    for (size_t p = 0; p < kPixels; ++p) {
      for (size_t c = 0; c < kChannels; ++c) {
        pictures.samples.push_back(record[1 + c * kPixels + p]);
      }
    }
  }
  return {};
}

Result<void> AddJpeg(std::span<const uint8_t> bytes, LabelledPictures& pictures) {
  if (!LooksLikeJpeg(bytes)) return Fail("is no JPEG");
  LICHEN_TRY(ByteSource source, ByteSource::FromBytes({bytes.begin(), bytes.end()}, "its JPEG"));
  LICHEN_TRY(const auto reader, OpenJpeg(std::move(source)));
  const ImageInfo& info = reader->info();
  if (info.height != kSide || info.width != kSide || info.channels != kChannels) {
    return Fail("is {}, not {}x{} RGB", Describe(info), kSide, kSide);
  }
  std::array<uint16_t, kSide * kChannels> row;
  for (int64_t y = 0; y < kSide; ++y) {
    LICHEN_TRY_VOID(reader->ReadRow(row));
    for (const uint16_t sample : row) pictures.samples.push_back(static_cast<uint8_t>(sample));
  }
  return {};
}

Result<void> Unpack(std::span<const uint8_t> bytes, Split split, LabelledPictures& pictures) {
  if (bytes.size() < kPackMagic.size() ||
      !std::equal(kPackMagic.begin(), kPackMagic.end(), bytes.begin())) {
    return Fail("does not begin with CIFJPG1");
  }
  size_t at = kPackMagic.size();
  for (int64_t i = 0; i < kPackTotal; ++i) {
    if (bytes.size() - at < 3) return Fail("is truncated: it ends before picture {}", i);
    const uint8_t label = bytes[at];
    const size_t length = bytes[at + 1] | static_cast<size_t>(bytes[at + 2]) << 8;
    at += 3;
    if (bytes.size() - at < length) return Fail("is truncated: it ends in picture {}", i);
    LICHEN_TRY_VOID(CheckLabel(label, i));
    if ((i < kPackTraining) == (split == Split::kTraining)) {
      LICHEN_TRY_VOID(
          InPlace(fmt::format("picture {}", i), AddJpeg(bytes.subspan(at, length), pictures)));
      pictures.labels.push_back(label);
    }
    at += length;
  }
  if (at != bytes.size()) return Fail("has {} bytes behind its last picture", bytes.size() - at);
  return {};
}

}  // namespace

Result<LabelledPictures> ReadCifar10(const std::filesystem::path& folder, Split split) {
  LabelledPictures pictures = Empty("CIFAR-10");
  std::vector<std::string> names = {"test_batch.bin"};
  if (split == Split::kTraining) {
    names.clear();
    for (int i = 1; i <= 5; ++i) names.push_back(fmt::format("data_batch_{}.bin", i));
  }
  for (const std::string& name : names) {
    const std::filesystem::path path = PlainOrGzip(folder / name);
    LICHEN_TRY(const std::vector<uint8_t> bytes, ReadPlainOrGzip(path, kMaxBatchBytes));
    LICHEN_TRY_VOID(InPlace(path.string(), AddBatch(bytes, pictures)));
  }
  return pictures;
}

Result<LabelledPictures> ReadPackedCifar10(const std::filesystem::path& path, Split split) {
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, kMaxPackBytes));
  if (IsXz(bytes)) {
    LICHEN_TRY(bytes, InPlace(path.string(), DecodeXz(bytes, kMaxPackBytes)));
  }
  LabelledPictures pictures = Empty("CIFAR-10, JPEG-degraded");
  LICHEN_TRY_VOID(InPlace(path.string(), Unpack(bytes, split, pictures)));
  return pictures;
}

}  // namespace lichen
