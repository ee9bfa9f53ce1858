// Pictures that show the quantiser what values a network's tensors take.
//
// Contract: deterministic: the pictures of a folder in the order of their names, each scaled down
// by an integer (box filter) so that its short side comes near target_side_px (large photographs
// are soft and noisy at their native size), then cropped to its centre. 8 bit RGB without alpha.
// What is no readable picture is skipped and counted with its name and the reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "image/image.h"

namespace lichen {

struct CalibrationOptions {
  int64_t crop_px = 256;         // side of the crops
  int64_t max_pictures = 256;    // of larger folders, as many at even distances
  int64_t target_side_px = 600;  // short side to which pictures are downscaled
};

struct CalibrationPicture {
  std::string name;  // file name
  Image image;       // 8 bit RGB
};

struct SkippedFile {
  std::string name;
  std::string reason;
};

struct Calibration {
  std::vector<CalibrationPicture> pictures;
  std::vector<SkippedFile> skipped;
};

// Error if the folder cannot be read or holds no picture. Sub-folders are not entered.
Result<Calibration> LoadCalibration(const std::filesystem::path& folder,
                                    const CalibrationOptions& options, const Threads& threads);

// One picture as LoadCalibration() would give it.
Result<Image> LoadCalibrationCrop(const std::filesystem::path& path,
                                  const CalibrationOptions& options);

// Samples / 255, padded by repeating the last row and column to multiples of size_multiple. With
// channels 1 the picture becomes grey, (R + 2 G + B) / 4.
Tensor<float> FloatPicture(const Image& image, int64_t channels, int64_t size_multiple);

}  // namespace lichen
