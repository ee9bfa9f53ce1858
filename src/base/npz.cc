#include "base/npz.h"

#include <zip.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"

namespace lichen {
namespace {

constexpr std::string_view kSuffix = ".npy";

struct Closer {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
using Archive = std::unique_ptr<zip_t, Closer>;

// Reads from the bytes, which must outlive the archive.
Result<Archive> OpenArchive(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return Fail("is empty");  // to libzip a new archive
  zip_error_t error;
  zip_error_init(&error);
  const std::unique_ptr<zip_error_t, void (*)(zip_error_t*)> finish(&error, zip_error_fini);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) return Fail("cannot be read: {}", zip_error_strerror(&error));
  Archive archive(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (archive == nullptr) {
    zip_source_free(source);
    return Fail("is no .npz file, or the directory at its end is damaged");
  }
  return archive;
}

// libzip checks the checksum as the last byte is read.
Result<std::vector<uint8_t>> ReadMember(zip_t* archive, uint64_t index, uint64_t size) {
  const std::unique_ptr<zip_file_t, Closer> member(zip_fopen_index(archive, index, 0));
  if (member == nullptr) return Fail("cannot be read: {}", zip_strerror(archive));
  std::vector<uint8_t> bytes;
  uint64_t done = 0;
  while (done <= size) {
    // Grows with the data that really came, up to one byte more than there should be, to see the end.
    bytes.resize(std::min(std::max<uint64_t>(2 * done, 1 << 16), size + 1));
    const zip_int64_t now = zip_fread(member.get(), bytes.data() + done, bytes.size() - done);
    if (now < 0) return Fail("is damaged: {}", zip_file_strerror(member.get()));
    if (now == 0) break;
    done += static_cast<uint64_t>(now);
  }
  if (done > size) return Fail("has more than the {} bytes of its header", size);
  if (done < size) return Fail("has {} bytes, not the {} of its header", done, size);
  bytes.resize(size);
  return bytes;
}

}  // namespace

Result<std::map<std::string, NpyArray>> ReadNpz(const std::filesystem::path& path,
                                                uint64_t max_bytes) {
  LICHEN_TRY(const std::vector<uint8_t> file, ReadFile(path, max_bytes));
  LICHEN_TRY(const Archive archive, InPlace(path.string(), OpenArchive(file)));
  std::map<std::string, NpyArray> arrays;
  uint64_t total_bytes = 0;
  const auto count = static_cast<uint64_t>(zip_get_num_entries(archive.get(), 0));
  for (uint64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    if (zip_stat_index(archive.get(), i, 0, &stat) != 0) {
      return Fail("{}: its member {} is damaged: {}", path.string(), i,
                  zip_strerror(archive.get()));
    }
    const std::string_view member = stat.name;
    if (!member.ends_with(kSuffix)) {
      return Fail("{}: its member '{}' is no .npy array", path.string(), member);
    }
    const std::string place = fmt::format("{}: {}", path.string(), member);
    if (stat.encryption_method != ZIP_EM_NONE) {
      return Fail("{}: is encrypted; save it by numpy.savez", place);
    }
    if (stat.size > max_bytes - total_bytes) {
      return Fail("{}: the arrays up to here have more than the {} bytes allowed", place,
                  max_bytes);
    }
    total_bytes += stat.size;
    LICHEN_TRY(const std::vector<uint8_t> bytes,
               InPlace(place, ReadMember(archive.get(), i, stat.size)));
    LICHEN_TRY(NpyArray array, ParseNpy(bytes, place));
    const std::string name(member.substr(0, member.size() - kSuffix.size()));
    if (!arrays.emplace(name, std::move(array)).second) {
      return Fail("{}: stands there twice", place);
    }
  }
  return arrays;
}

}  // namespace lichen
