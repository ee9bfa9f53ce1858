#include <algorithm>
#include <vector>

#include "base/check.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_file.h"
#include "image/reader.h"

namespace lichen {
namespace {

constexpr int64_t kMaxSamples = int64_t{1} << 22;

}  // namespace

void FuzzImage(std::span<const uint8_t> bytes) {
  const MemoryFile file(bytes);
  auto opened = OpenImage(file.path());
  if (!opened) return;
  ImageReader& reader = **opened;
  const ImageInfo& info = reader.info();
  LICHEN_CHECK(CheckImageInfo(info).has_value());
  if (info.RowSamples() > kMaxSamples / info.height) return;
  std::vector<uint16_t> row(static_cast<size_t>(info.RowSamples()));
  while (reader.next_row() < info.height) {
    if (const auto read = reader.ReadRow(row); !read) {
      LICHEN_CHECK(!read.error().message.empty());
      LICHEN_CHECK(!reader.ReadRow(row).has_value());
      return;
    }
    LICHEN_CHECK(*std::max_element(row.begin(), row.end()) <= info.MaxSample());
  }
}

}  // namespace lichen
