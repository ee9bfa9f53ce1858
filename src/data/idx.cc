#include "data/idx.h"

#include "base/gzip.h"

namespace lichen {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 30;
constexpr uint8_t kBytes = 8;  // the type of elements
constexpr int64_t kMaxSide = 1024;
constexpr int64_t kClasses = 10;

Result<IdxArray> ParseIdx(const std::vector<uint8_t>& bytes, size_t axes) {
  const size_t header = 4 + 4 * axes;
  if (bytes.size() < header) return Fail("has {} bytes, its header {}", bytes.size(), header);
  if (bytes[0] != 0 || bytes[1] != 0 || bytes[2] != kBytes || bytes[3] != axes) {
    return Fail("is no idx file of bytes with {} axes (it starts with {:02x} {:02x} {:02x} {:02x})",
                axes, bytes[0], bytes[1], bytes[2], bytes[3]);
  }
  IdxArray array;
  uint64_t count = 1;
  for (size_t i = 0; i < axes; ++i) {
    uint32_t length = 0;
    for (size_t b = 0; b < 4; ++b) length = length << 8 | bytes[4 + 4 * i + b];
    array.shape.push_back(length);
    // Once beyond the bound it stays there, so nothing overflows.
    if (count <= kMaxBytes) count *= length;
  }
  if (count != bytes.size() - header) {
    return Fail("its header promises {} elements, {} bytes follow; get a whole copy of it",
                fmt::join(array.shape, " x "), bytes.size() - header);
  }
  array.values.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
  return array;
}

}  // namespace

Result<IdxArray> ReadIdx(const std::filesystem::path& path, size_t axes) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadPlainOrGzip(path, kMaxBytes));
  return InPlace(path.string(), ParseIdx(bytes, axes));
}

Result<LabelledPictures> ReadMnist(const std::filesystem::path& folder, Split split) {
  const std::string prefix = split == Split::kTraining ? "train" : "t10k";
  const std::filesystem::path pictures_path = PlainOrGzip(folder / (prefix + "-images-idx3-ubyte"));
  const std::filesystem::path labels_path = PlainOrGzip(folder / (prefix + "-labels-idx1-ubyte"));
  LICHEN_TRY(IdxArray pictures, ReadIdx(pictures_path, 3));
  LICHEN_TRY(IdxArray labels, ReadIdx(labels_path, 1));
  if (pictures.shape[0] != labels.shape[0] || labels.shape[0] == 0) {
    return Fail("{}: has {} labels for {} pictures", labels_path.string(), labels.shape[0],
                pictures.shape[0]);
  }
  for (const size_t axis : {1, 2}) {
    if (pictures.shape[axis] < 1 || pictures.shape[axis] > kMaxSide) {
      return Fail("{}: pictures of {}x{} are not possible", pictures_path.string(),
                  pictures.shape[1], pictures.shape[2]);
    }
  }
  for (size_t i = 0; i < labels.values.size(); ++i) {
    if (labels.values[i] < kClasses) continue;
    return Fail("{}: label {} of picture {} is not 0 to {}", labels_path.string(), labels.values[i],
                i, kClasses - 1);
  }
  return LabelledPictures{.source = "MNIST",
                          .height = pictures.shape[1],
                          .width = pictures.shape[2],
                          .channels = 1,
                          .class_count = kClasses,
                          .samples = std::move(pictures.values),
                          .labels = std::move(labels.values)};
}

}  // namespace lichen
