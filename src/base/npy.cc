#include "base/npy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/check.h"
#include "base/files.h"

namespace lichen {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeaderBytes = uint64_t{1} << 20;
constexpr int64_t kMaxCount = int64_t{1} << 33;

// The text after `'key':` in the header dictionary.
std::string_view Field(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return {};
  const size_t colon = header.find(':', at);
  if (colon == std::string_view::npos) return {};
  std::string_view rest = header.substr(colon + 1);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  return rest;
}

template <class Stored, class Held>
std::vector<Held> Widen(std::span<const uint8_t> bytes, int64_t count) {
  std::vector<Held> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    Stored value;
    std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<Held>(value);
  }
  return values;
}

template <class Stored, class Held>
void AppendNarrow(const std::vector<Held>& values, std::vector<uint8_t>& bytes) {
  const size_t start = bytes.size();
  bytes.resize(start + values.size() * sizeof(Stored));
  for (size_t i = 0; i < values.size(); ++i) {
    const Stored value = static_cast<Stored>(values[i]);
    std::memcpy(bytes.data() + start + i * sizeof(Stored), &value, sizeof(Stored));
  }
}

}  // namespace

int64_t NpyArray::Count() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

Result<NpyArray> ParseNpy(std::span<const uint8_t> file, std::string_view place) {
  if (file.size() < 12 || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    return Fail("{}: is not a .npy file (its first bytes are wrong)", place);
  }
  uint64_t header_at = 10;
  uint64_t header_bytes = file[8] | uint64_t{file[9]} << 8;
  if (file[6] >= 2) {
    header_bytes |= uint64_t{file[10]} << 16 | uint64_t{file[11]} << 24;
    header_at = 12;
  }
  if (file.size() < header_at + header_bytes) {
    return Fail("{}: the .npy header is truncated at byte {}", place, file.size());
  }
  if (header_bytes > kMaxHeaderBytes) {
    return Fail("{}: the .npy header has {} bytes, at most {} are allowed", place, header_bytes,
                kMaxHeaderBytes);
  }
  const std::string_view header(reinterpret_cast<const char*>(file.data() + header_at),
                                header_bytes);
  if (!Field(header, "fortran_order").starts_with("False")) {
    return Fail("{}: is in Fortran order; save it with numpy.ascontiguousarray", place);
  }
  NpyArray array;
  std::string_view shape = Field(header, "shape");
  if (!shape.starts_with("(")) return Fail("{}: the .npy header has no shape", place);
  shape = shape.substr(1, shape.find(')') == std::string_view::npos ? 0 : shape.find(')') - 1);
  int64_t count = 1;
  while (!shape.empty()) {
    int64_t extent = 0;
    const auto [end, error] = std::from_chars(shape.data(), shape.data() + shape.size(), extent);
    if (error != std::errc() || extent < 0 || extent > kMaxCount) {
      return Fail("{}: the .npy header has a wrong shape", place);
    }
    array.shape.push_back(extent);
    if (extent != 0 && count > kMaxCount / extent) return Fail("{}: the shape is too large", place);
    count *= extent;
    shape.remove_prefix(static_cast<size_t>(end - shape.data()));
    while (!shape.empty() && (shape.front() == ',' || shape.front() == ' ')) shape.remove_prefix(1);
  }
  const std::string_view type = Field(header, "descr").substr(0, 5);
  const std::span<const uint8_t> data = file.subspan(header_at + header_bytes);
  const auto check = [&](size_t element_bytes) -> Result<void> {
    if (data.size() == static_cast<uint64_t>(count) * element_bytes) return {};
    return Fail("{}: {} bytes of data do not fit the shape of {} elements of type {}", place,
                data.size(), count, type);
  };
#define LICHEN_NPY_INTEGERS(code, Type)                 \
  if (type == code) {                                   \
    LICHEN_TRY_VOID(check(sizeof(Type)));               \
    array.integers = Widen<Type, int64_t>(data, count); \
    return array;                                       \
  }
  LICHEN_NPY_INTEGERS("'|b1'", uint8_t)
  LICHEN_NPY_INTEGERS("'|u1'", uint8_t)
  LICHEN_NPY_INTEGERS("'|i1'", int8_t)
  LICHEN_NPY_INTEGERS("'<u2'", uint16_t)
  LICHEN_NPY_INTEGERS("'<i2'", int16_t)
  LICHEN_NPY_INTEGERS("'<u4'", uint32_t)
  LICHEN_NPY_INTEGERS("'<i4'", int32_t)
  LICHEN_NPY_INTEGERS("'<i8'", int64_t)
#undef LICHEN_NPY_INTEGERS
  array.is_float = true;
  if (type == "'<f4'") {
    LICHEN_TRY_VOID(check(4));
    array.floats = Widen<float, float>(data, count);
    return array;
  }
  if (type == "'<f8'") {
    LICHEN_TRY_VOID(check(8));
    array.floats = Widen<double, float>(data, count);
    return array;
  }
  return Fail("{}: element type {} is not supported; use integers or float32", place, type);
}

Result<NpyArray> ReadNpy(const std::filesystem::path& path, uint64_t max_bytes) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, max_bytes));
  return ParseNpy(bytes, path.string());
}

Result<void> WriteNpy(const std::filesystem::path& path, const NpyArray& array) {
  LICHEN_CHECK(static_cast<size_t>(array.Count()) ==
               (array.is_float ? array.floats.size() : array.integers.size()));
  std::vector<uint8_t> data;
  const char* type = "<f4";
  if (array.is_float) {
    AppendNarrow<float>(array.floats, data);
  } else {
    const auto [low, high] = std::minmax_element(array.integers.begin(), array.integers.end());
    const int64_t min = array.integers.empty() ? 0 : *low;
    const int64_t max = array.integers.empty() ? 0 : *high;
    const auto fits = [&]<class T>(T) {
      return min >= int64_t{std::numeric_limits<T>::min()} &&
             max <= int64_t{std::numeric_limits<T>::max()};
    };
    if (fits(int8_t{})) {
      type = "|i1";
      AppendNarrow<int8_t>(array.integers, data);
    } else if (fits(uint8_t{})) {
      type = "|u1";
      AppendNarrow<uint8_t>(array.integers, data);
    } else if (fits(int16_t{})) {
      type = "<i2";
      AppendNarrow<int16_t>(array.integers, data);
    } else if (fits(uint16_t{})) {
      type = "<u2";
      AppendNarrow<uint16_t>(array.integers, data);
    } else if (fits(int32_t{})) {
      type = "<i4";
      AppendNarrow<int32_t>(array.integers, data);
    } else {
      type = "<i8";
      AppendNarrow<int64_t>(array.integers, data);
    }
  }
  std::string shape;
  for (int64_t extent : array.shape) shape += fmt::format("{}, ", extent);
  if (shape.ends_with(", ") && array.shape.size() > 1) shape.resize(shape.size() - 2);
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string prefix(kMagic);
  prefix += '\x01';
  prefix += '\0';
  prefix += static_cast<char>(header.size() & 255);
  prefix += static_cast<char>(header.size() >> 8);
  prefix += header;
  LICHEN_TRY(OutputFile file, OutputFile::Create(path));
  LICHEN_TRY_VOID(
      file.Write(std::span(reinterpret_cast<const uint8_t*>(prefix.data()), prefix.size())));
  LICHEN_TRY_VOID(file.Write(data));
  return file.Commit();
}

}  // namespace lichen
