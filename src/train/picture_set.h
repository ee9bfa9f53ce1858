// The photographs of a folder, from which training takes random crops.
//
// Contract: which crop a key gives depends on the folder's readable pictures, the options and the
// key alone, so that a run can be resumed, and repeated with other threads. Files that are no
// picture, are damaged or are too small are skipped and listed with the reason. Crop() may be
// called from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "train/crop.h"

namespace lichen {

struct PictureSetOptions {
  int64_t crop_px = 256;
  int64_t min_short_side_px = 512;  // as in the recipe
  int64_t max_short_side_px = 768;
  int64_t cache_bytes = int64_t{2} << 30;
};

// Regular files of a folder, sorted; sub-folders are not entered.
Result<std::vector<std::filesystem::path>> FilesOfFolder(const std::filesystem::path& folder);

// Scaled down by a whole number where the short side is at least twice as long as max_short_side_px.
Result<RgbPicture> ReadRgbPicture(const std::filesystem::path& path, int64_t max_short_side_px);

struct SkippedPicture {
  std::string name;
  std::string reason;
};

class PictureSet {
 public:
  // Error if the folder cannot be read or holds no usable picture.
  static Result<PictureSet> Open(const std::filesystem::path& folder,
                                 const PictureSetOptions& options, const Threads& threads);

  // A random crop of a random picture, 8 bit RGB. A picture that turns out damaged only here (being
  // too large for the cache) is replaced by the next. Error if none is left.
  Result<void> Crop(uint64_t key, std::span<uint8_t> out) const;

  int64_t picture_count() const { return static_cast<int64_t>(entries_.size()); }
  // Of the pictures' file names and sizes, in hexadecimal.
  std::string Fingerprint() const;
  std::vector<SkippedPicture> Skipped() const;

 private:
  struct Entry {
    std::filesystem::path path;
    std::optional<RgbPicture> picture;  // where it is cached
  };
  struct Skips {
    std::mutex mutex;
    std::vector<SkippedPicture> list;
  };

  explicit PictureSet(const PictureSetOptions& options) : options_(options) {}
  void Skip(const std::filesystem::path& path, std::string reason) const;
  CropPlace Place(Size2 size, uint64_t key) const;

  PictureSetOptions options_;
  std::vector<Entry> entries_;
  std::unique_ptr<Skips> skips_ = std::make_unique<Skips>();
};

}  // namespace lichen
