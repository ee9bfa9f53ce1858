#include "quant/calibration.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "image/reader.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxFactor = 4;

Result<std::vector<fs::path>> FilesOf(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator it(folder, error);
  if (error) return Fail("{}: {}", folder.string(), error.message());
  std::vector<fs::path> files;
  for (; it != fs::directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error)) files.push_back(it->path());
    if (error) return Fail("{}: {}", folder.string(), error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Keeps `count` of the files, at even distances.
std::vector<fs::path> Thin(std::vector<fs::path> files, int64_t count) {
  const auto size = static_cast<int64_t>(files.size());
  if (size <= count) return files;
  std::vector<fs::path> kept;
  for (int64_t i = 0; i < count; ++i) kept.push_back(files[static_cast<size_t>(i * size / count)]);
  return kept;
}

// Colour sample c of a pixel as 8 bit RGB.
uint32_t Rgb8(const ImageInfo& info, const uint16_t* pixel, int c) {
  const uint32_t sample = pixel[info.ColourChannels() == 1 ? 0 : c];
  return info.bit_depth == 8 ? sample : (sample * 255U + 32767U) / 65535U;
}

}  // namespace

Result<Image> LoadCalibrationCrop(const fs::path& path, const CalibrationOptions& options) {
  LICHEN_TRY(const std::unique_ptr<ImageReader> reader, OpenImage(path));
  const ImageInfo& info = reader->info();
  const int64_t short_side = std::min(info.height, info.width);
  const int64_t factor = std::clamp<int64_t>(
      std::llround(static_cast<double>(short_side) / static_cast<double>(options.target_side_px)),
      1, kMaxFactor);
  const Size2 scaled = {std::max<int64_t>(1, info.height / factor),
                        std::max<int64_t>(1, info.width / factor)};
  const Size2 crop = {std::min(scaled.h, options.crop_px), std::min(scaled.w, options.crop_px)};
  const int64_t first_y = (scaled.h - crop.h) / 2 * factor;
  const int64_t first_x = (scaled.w - crop.w) / 2 * factor;

  Image image = MakeImage({.height = crop.h, .width = crop.w, .channels = 3, .bit_depth = 8});
  std::vector<uint16_t> row(static_cast<size_t>(info.RowSamples()));
  std::vector<uint32_t> sums(static_cast<size_t>(crop.w * 3));
  for (int64_t y = 0; y < first_y; ++y) LICHEN_TRY_VOID(reader->ReadRow(row));
  const auto area = static_cast<uint32_t>(factor * factor);
  for (int64_t y = 0; y < crop.h; ++y) {
    std::fill(sums.begin(), sums.end(), 0);
    for (int64_t dy = 0; dy < factor; ++dy) {
      LICHEN_TRY_VOID(reader->ReadRow(row));
      for (int64_t x = 0; x < crop.w * factor; ++x) {
        const uint16_t* pixel = row.data() + (first_x + x) * info.channels;
        for (int c = 0; c < 3; ++c) {
          sums[static_cast<size_t>(x / factor * 3 + c)] += Rgb8(info, pixel, c);
        }
      }
    }
    const std::span<uint16_t> out = image.Row(y);
    for (size_t i = 0; i < sums.size(); ++i) {
      out[i] = static_cast<uint16_t>((sums[i] + area / 2) / area);
    }
  }
  return image;
}

Result<Calibration> LoadCalibration(const fs::path& folder, const CalibrationOptions& options,
                                    const Threads& threads) {
  if (options.crop_px < 1 || options.max_pictures < 1 || options.target_side_px < 1) {
    return FailUsage("calibration crops, their number and their side must be at least 1");
  }
  LICHEN_TRY(std::vector<fs::path> files, FilesOf(folder));
  files = Thin(std::move(files), options.max_pictures);
  std::vector<Result<Image>> images(files.size(), Image{});
  threads.For(static_cast<int64_t>(files.size()), [&](int64_t i) {
    const auto index = static_cast<size_t>(i);
    images[index] = LoadCalibrationCrop(files[index], options);
  });
  Calibration calibration;
  for (size_t i = 0; i < files.size(); ++i) {
    std::string name = files[i].filename().string();
    if (images[i]) {
      calibration.pictures.push_back({std::move(name), std::move(*images[i])});
    } else {
      calibration.skipped.push_back({std::move(name), images[i].error().message});
    }
  }
  if (calibration.pictures.empty()) {
    return Fail("{}: holds no picture that can be read ({} files skipped)", folder.string(),
                calibration.skipped.size());
  }
  return calibration;
}

Tensor<float> FloatPicture(const Image& image, int64_t channels, int64_t size_multiple) {
  LICHEN_CHECK(channels == 1 || channels == 3);
  const auto padded = [size_multiple](int64_t side) {
    return (side + size_multiple - 1) / size_multiple * size_multiple;
  };
  const ImageInfo& info = image.info;
  const auto max_sample = static_cast<float>(info.MaxSample());
  Tensor<float> picture({1, padded(info.height), padded(info.width), channels});
  for (int64_t y = 0; y < picture.shape().h; ++y) {
    const std::span<const uint16_t> row = image.Row(std::min(y, info.height - 1));
    for (int64_t x = 0; x < picture.shape().w; ++x) {
      const uint16_t* pixel = row.data() + std::min(x, info.width - 1) * info.channels;
      const auto colour = [&](int c) {
        return static_cast<float>(pixel[info.ColourChannels() == 1 ? 0 : c]) / max_sample;
      };
      if (channels == 1) {
        picture(0, y, x, 0) = (colour(0) + 2 * colour(1) + colour(2)) / 4;
      } else {
        for (int c = 0; c < 3; ++c) picture(0, y, x, c) = colour(c);
      }
    }
  }
  return picture;
}

}  // namespace lichen
