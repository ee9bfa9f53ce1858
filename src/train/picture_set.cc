#include "train/picture_set.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "base/hash.h"
#include "image/reader.h"
#include "train/random.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

// Very large pictures are kept scaled down by an integer, still no smaller than any crop asks for.
int64_t StoredFactor(Size2 size, int64_t max_short_side_px) {
  return std::max<int64_t>(1, std::min(size.h, size.w) / max_short_side_px);
}

Size2 StoredSize(Size2 size, int64_t max_short_side_px) {
  const int64_t factor = StoredFactor(size, max_short_side_px);
  return {size.h / factor, size.w / factor};
}

// Colour sample c of a pixel as 8 bit RGB.
uint32_t Rgb8(const ImageInfo& info, const uint16_t* pixel, int c) {
  const uint32_t sample = pixel[info.ColourChannels() == 1 ? 0 : c];
  return info.bit_depth == 8 ? sample : (sample * 255U + 32767U) / 65535U;
}

}  // namespace

Result<RgbPicture> ReadRgbPicture(const fs::path& path, int64_t max_short_side_px) {
  LICHEN_TRY(const std::unique_ptr<ImageReader> reader, OpenImage(path));
  const ImageInfo& info = reader->info();
  const int64_t factor = StoredFactor({info.height, info.width}, max_short_side_px);
  RgbPicture picture;
  picture.size = StoredSize({info.height, info.width}, max_short_side_px);
  const int64_t row_samples = picture.size.w * 3;
  picture.samples.resize(static_cast<size_t>(picture.size.h * row_samples));
  std::vector<uint16_t> row(static_cast<size_t>(info.RowSamples()));
  std::vector<uint32_t> sums(static_cast<size_t>(row_samples));
  const auto area = static_cast<uint32_t>(factor * factor);
  for (int64_t y = 0; y < info.height; ++y) {  // to the end, which checks the whole file
    LICHEN_TRY_VOID(reader->ReadRow(row));
    if (y / factor >= picture.size.h) continue;
    if (y % factor == 0) std::fill(sums.begin(), sums.end(), 0);
    for (int64_t x = 0; x < picture.size.w * factor; ++x) {
      const uint16_t* pixel = row.data() + x * info.channels;
      for (int c = 0; c < 3; ++c) {
        sums[static_cast<size_t>(x / factor * 3 + c)] += Rgb8(info, pixel, c);
      }
    }
    if (y % factor != factor - 1) continue;
    uint8_t* out = picture.samples.data() + y / factor * row_samples;
    for (size_t i = 0; i < sums.size(); ++i) {
      out[i] = static_cast<uint8_t>((sums[i] + area / 2) / area);
    }
  }
  return picture;
}

Result<std::vector<fs::path>> FilesOfFolder(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator it(folder, error);
  if (error) return Fail("{}: {}", folder.string(), error.message());
  std::vector<fs::path> files;
  while (it != fs::directory_iterator()) {
    if (it->is_regular_file(error)) files.push_back(it->path());
    it.increment(error);
    if (error) return Fail("{}: {}", folder.string(), error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<PictureSet> PictureSet::Open(const fs::path& folder, const PictureSetOptions& options,
                                    const Threads& threads) {
  LICHEN_TRY(const std::vector<fs::path> files, FilesOfFolder(folder));
  const auto count = static_cast<int64_t>(files.size());
  std::vector<Result<ImageInfo>> infos(files.size(), ImageInfo{});
  threads.For(count, [&](int64_t i) {
    infos[static_cast<size_t>(i)] = ReadImageInfo(files[static_cast<size_t>(i)]);
  });
  PictureSet set(options);
  int64_t free_bytes = options.cache_bytes;
  std::vector<bool> is_cached;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!infos[i]) {
      set.Skip(files[i], infos[i].error().message);
      continue;
    }
    const Size2 size = {infos[i]->height, infos[i]->width};
    if (std::min(size.h, size.w) < options.crop_px) {
      set.Skip(files[i], fmt::format("{} is smaller than a crop of {} pixels", Describe(*infos[i]),
                                     options.crop_px));
      continue;
    }
    const Size2 stored = StoredSize(size, options.max_short_side_px);
    const int64_t bytes = stored.h * stored.w * 3;
    is_cached.push_back(bytes <= free_bytes);
    if (is_cached.back()) free_bytes -= bytes;
    set.entries_.push_back({files[i], std::nullopt});
  }
  std::vector<Result<RgbPicture>> pictures(set.entries_.size(), RgbPicture{});
  threads.For(set.picture_count(), [&](int64_t i) {
    const auto index = static_cast<size_t>(i);
    if (!is_cached[index]) return;
    pictures[index] = ReadRgbPicture(set.entries_[index].path, options.max_short_side_px);
  });
  std::vector<Entry> readable;
  for (size_t i = 0; i < pictures.size(); ++i) {
    Entry& entry = set.entries_[i];
    if (!pictures[i]) {
      set.Skip(entry.path, pictures[i].error().message);
      continue;
    }
    if (is_cached[i]) entry.picture = std::move(*pictures[i]);
    readable.push_back(std::move(entry));
  }
  set.entries_ = std::move(readable);
  if (set.entries_.empty()) {
    return Fail("{}: holds no picture to train on ({} files skipped)", folder.string(),
                set.Skipped().size());
  }
  return set;
}

CropPlace PictureSet::Place(Size2 size, uint64_t key) const {
  KeyedRandom random({key, 1});
  CropPlace place{.side_px = options_.crop_px};
  const auto own = static_cast<double>(std::min(size.h, size.w));
  const auto low = static_cast<double>(options_.min_short_side_px);
  const auto high = static_cast<double>(options_.max_short_side_px);
  const bool is_scaled = own > high || (own > low && random.Next() % 2 == 0);
  if (is_scaled) {
    const double target = low * std::pow(std::min(own, high) / low, random.Uniform());
    place.factor = std::max(1.0, own / target);
  }
  const double side = static_cast<double>(options_.crop_px) * place.factor;
  const auto start = [&](int64_t extent) {
    const double space = static_cast<double>(extent) - side;
    if (is_scaled) return std::max(0.0, space) * random.Uniform();
    return static_cast<double>(random.Below(static_cast<int64_t>(space) + 1));
  };
  place.y = start(size.h);
  place.x = start(size.w);
  const uint64_t flips = random.Next();
  place.is_flipped_y = (flips & 1) != 0;
  place.is_flipped_x = (flips & 2) != 0;
  return place;
}

Result<void> PictureSet::Crop(uint64_t key, std::span<uint8_t> out) const {
  const int64_t first = KeyedRandom({key, 0}).Below(picture_count());
  for (int64_t i = 0; i < picture_count(); ++i) {
    const Entry& entry = entries_[static_cast<size_t>((first + i) % picture_count())];
    Result<RgbPicture> read = RgbPicture{};
    if (!entry.picture) {
      read = ReadRgbPicture(entry.path, options_.max_short_side_px);
      if (!read) {
        Skip(entry.path, read.error().message);
        continue;
      }
    }
    const RgbPicture& picture = entry.picture ? *entry.picture : *read;
    CutCrop(picture, Place(picture.size, key), out);
    return {};
  }
  return Fail("no picture of the training folder can be read any more");
}

void PictureSet::Skip(const fs::path& path, std::string reason) const {
  const std::lock_guard lock(skips_->mutex);
  const std::string name = path.filename().string();
  for (const SkippedPicture& skipped : skips_->list) {
    if (skipped.name == name) return;
  }
  skips_->list.push_back({name, std::move(reason)});
}

std::string PictureSet::Fingerprint() const {
  Sha256 hash;
  for (const Entry& entry : entries_) {
    std::error_code error;  // a file that has vanished has a size, too
    hash.Update(
        fmt::format("{} {}\n", entry.path.filename().string(), fs::file_size(entry.path, error)));
  }
  return ToHex(hash.Finish());
}

std::vector<SkippedPicture> PictureSet::Skipped() const {
  const std::lock_guard lock(skips_->mutex);
  return skips_->list;
}

}  // namespace lichen
