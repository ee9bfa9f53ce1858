#include "data/labelled_pictures.h"

#include <system_error>

#include "base/gzip.h"
#include "data/cifar10.h"
#include "data/idx.h"

namespace lichen {

Result<LabelledPictures> ReadLabelledPictures(const std::filesystem::path& folder, Split split) {
  const auto has = [&](const char* name) {
    std::error_code error;
    return std::filesystem::is_regular_file(PlainOrGzip(folder / name), error);
  };
  for (const char* name : {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"}) {
    if (has(name)) return ReadMnist(folder, split);
  }
  for (const char* name : {"data_batch_1.bin", "test_batch.bin"}) {
    if (has(name)) return ReadCifar10(folder, split);
  }
  if (has(kCifar10Pack)) return ReadPackedCifar10(folder / kCifar10Pack, split);
  return Fail(
      "{}: holds no pictures with classes that are known: MNIST (train-images-idx3-ubyte[.gz], "
      "...), CIFAR-10 (data_batch_1.bin[.gz], ...) or {}",
      folder.string(), kCifar10Pack);
}

}  // namespace lichen
