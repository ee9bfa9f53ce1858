// Small pictures with a class each, held whole: MNIST and CIFAR-10.
//
// READ ME FIRST: the packed CIFAR-10 is JPEG-degraded (about quality 75); `source` says so, and accuracies on it do
// not compare with published ones.
//
// Contract: files are not trusted: their sizes and labels are checked before anything is allocated for them, and an
// error names the file, what is wrong and where.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

enum class Split { kTraining, kTest };

struct LabelledPictures {
  std::string source;  // what it is, for people
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;  // 1 grey, 3 RGB
  int64_t class_count = 10;
  std::vector<uint8_t> samples;  // (picture, y, x, c)
  std::vector<uint8_t> labels;   // below class_count

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
  std::span<const uint8_t> Samples(int64_t picture) const {
    const auto size = static_cast<size_t>(height * width * channels);
    return std::span(samples).subspan(static_cast<size_t>(picture) * size, size);
  }
};

// What lies in the folder tells the format:
//   MNIST     {train,t10k}-{images-idx3,labels-idx1}-ubyte, each plain or .gz
//   CIFAR-10  data_batch_1.bin to data_batch_5.bin, test_batch.bin, each plain or .gz
//   CIFAR-10  cifar10_jpeg.pack.xz (see data/cifar10.h)
Result<LabelledPictures> ReadLabelledPictures(const std::filesystem::path& folder, Split split);

}  // namespace lichen
