#include "net/import/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/xz.h"

namespace lichen {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{4} << 20;
constexpr size_t kMaxRank = 8;
// Nothing deeper stands in a header; it would only cost memory.
constexpr int kMaxJsonDepth = 4;

int64_t BytesOf(std::string_view dtype) {
  if (dtype == "BOOL" || dtype == "U8" || dtype == "I8") return 1;
  if (dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I32" || dtype == "U32" || dtype == "F32") return 4;
  if (dtype == "I64" || dtype == "F64") return 8;
  return 0;
}

template <class Stored, class Held>
std::vector<Held> Widen(std::span<const uint8_t> bytes) {
  std::vector<Held> values(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < values.size(); ++i) {
    Stored value;
    std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<Held>(value);
  }
  return values;
}

std::string ToText(const std::vector<int64_t>& shape) {
  std::string text;
  for (int64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : "x", extent);
  return text.empty() ? "scalar" : text;
}

// The size of the header, which the first 8 bytes state.
Result<uint64_t> CheckHeaderBytes(std::span<const uint8_t> start, uint64_t file_bytes,
                                  const std::string& place) {
  if (file_bytes < 8) {
    return Fail("{}: is not a safetensors file, it has {} bytes", place, file_bytes);
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, start.data(), 8);
  if (header_bytes > file_bytes - 8 || header_bytes > kMaxHeaderBytes) {
    return Fail("{}: its header would have {} bytes: truncated, or not a safetensors file", place,
                header_bytes);
  }
  return header_bytes;
}

Result<Safetensors::Entry> ParseEntry(const nlohmann::json& json, uint64_t data_bytes) {
  const auto find = [&](const char* key) {
    const auto it = json.find(key);
    return it == json.end() ? nlohmann::json() : *it;
  };
  if (!json.is_object()) return Fail("its description is not an object");
  const nlohmann::json dtype = find("dtype");
  const nlohmann::json shape = find("shape");
  const nlohmann::json offsets = find("data_offsets");
  if (!dtype.is_string() || !shape.is_array() || !offsets.is_array() || offsets.size() != 2 ||
      !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) {
    return Fail("its dtype, shape or data_offsets is missing or of the wrong type");
  }
  Safetensors::Entry entry;
  entry.dtype = dtype.get<std::string>();
  entry.begin_bytes = offsets[0].get<uint64_t>();
  entry.end_bytes = offsets[1].get<uint64_t>();
  const int64_t element_bytes = BytesOf(entry.dtype);
  if (element_bytes == 0) return Fail("its dtype {} is not supported", entry.dtype);
  if (shape.size() > kMaxRank) return Fail("it has {} dimensions", shape.size());
  uint64_t count = 1;
  for (const nlohmann::json& extent : shape) {
    if (!extent.is_number_unsigned()) return Fail("its shape holds something else than sizes");
    const uint64_t value = extent.get<uint64_t>();
    if (value != 0 && count > data_bytes / value) return Fail("its shape exceeds the file");
    count *= value;
    entry.shape.push_back(static_cast<int64_t>(value));
  }
  if (entry.begin_bytes > entry.end_bytes || entry.end_bytes > data_bytes) {
    return Fail("its data_offsets [{}, {}] exceed the {} bytes of data", entry.begin_bytes,
                entry.end_bytes, data_bytes);
  }
  if (entry.end_bytes - entry.begin_bytes != count * static_cast<uint64_t>(element_bytes)) {
    return Fail("it has {} bytes, {} {} need {}", entry.end_bytes - entry.begin_bytes, count,
                entry.dtype, count * static_cast<uint64_t>(element_bytes));
  }
  return entry;
}

}  // namespace

int64_t Safetensors::Entry::Count() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

Result<Safetensors> Safetensors::Read(const std::filesystem::path& path, uint64_t max_bytes) {
  // A look at the first bytes, so that a large file of another kind is not read.
  LICHEN_TRY(const InputFile file, InputFile::Open(path));
  std::array<uint8_t, 8> start{};
  LICHEN_TRY_VOID(file.ReadAt(0, std::span(start).first(std::min<uint64_t>(8, file.size_bytes()))));
  if (!IsXz(start)) LICHEN_TRY_VOID(CheckHeaderBytes(start, file.size_bytes(), path.string()));
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, max_bytes));
  if (IsXz(bytes)) {
    LICHEN_TRY(bytes, InPlace(path.string(), DecodeXz(bytes, max_bytes)));
  }
  return Parse(std::move(bytes), path.string());
}

Result<Safetensors> Safetensors::Parse(std::vector<uint8_t> bytes, std::string place) {
  LICHEN_TRY(const uint64_t header_bytes, CheckHeaderBytes(bytes, bytes.size(), place));
  const char* text = reinterpret_cast<const char*>(bytes.data()) + 8;
  const auto is_shallow = [](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    return depth <= kMaxJsonDepth;
  };
  const auto json = nlohmann::json::parse(text, text + header_bytes, is_shallow, false);
  if (json.is_discarded() || !json.is_object()) {
    return Fail("{}: its header (bytes 8 to {}) is not a JSON object", place, 8 + header_bytes);
  }
  Safetensors file;
  file.data_at_ = 8 + header_bytes;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) return Fail("{}: __metadata__ is not an object", place);
      for (const auto& [key, text_value] : value.items()) {
        if (!text_value.is_string()) return Fail("{}: metadata '{}' is not text", place, key);
        file.metadata_.emplace(key, text_value.get<std::string>());
      }
      continue;
    }
    LICHEN_TRY(Entry entry, InPlace(fmt::format("{}: tensor {}", place, name),
                                    ParseEntry(value, bytes.size() - file.data_at_)));
    file.entries_.emplace(name, std::move(entry));
  }
  file.place_ = std::move(place);
  file.bytes_ = std::move(bytes);
  return file;
}

Result<const Safetensors::Entry*> Safetensors::Find(std::string_view name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return Fail("{}: tensor {} is missing", place_, name);
  return &it->second;
}

std::span<const uint8_t> Safetensors::DataOf(const Entry& entry) const {
  return std::span(bytes_).subspan(data_at_ + entry.begin_bytes,
                                   entry.end_bytes - entry.begin_bytes);
}

Result<Safetensors::Integers> Safetensors::GetIntegers(std::string_view name) const {
  LICHEN_TRY(const Entry* entry, Find(name));
  const auto data = DataOf(*entry);
  const std::string& type = entry->dtype;
  Integers integers{.shape = entry->shape};
  if (type == "U8" || type == "BOOL") {
    integers.values = Widen<uint8_t, int64_t>(data);
  } else if (type == "I8") {
    integers.values = Widen<int8_t, int64_t>(data);
  } else if (type == "I16") {
    integers.values = Widen<int16_t, int64_t>(data);
  } else if (type == "U16") {
    integers.values = Widen<uint16_t, int64_t>(data);
  } else if (type == "I32") {
    integers.values = Widen<int32_t, int64_t>(data);
  } else if (type == "U32") {
    integers.values = Widen<uint32_t, int64_t>(data);
  } else if (type == "I64") {
    integers.values = Widen<int64_t, int64_t>(data);
  } else {
    return Fail("{}: tensor {} holds {}, not integers", place_, name, type);
  }
  return integers;
}

Result<std::vector<int64_t>> Safetensors::GetIntegers(std::string_view name,
                                                      const std::vector<int64_t>& shape) const {
  LICHEN_TRY(Integers integers, GetIntegers(name));
  if (integers.shape != shape) {
    return Fail("{}: tensor {} is {}, expected {}", place_, name, ToText(integers.shape),
                ToText(shape));
  }
  return std::move(integers.values);
}

Result<std::vector<double>> Safetensors::GetFloats(std::string_view name) const {
  LICHEN_TRY(const Entry* entry, Find(name));
  if (entry->dtype == "F32") return Widen<float, double>(DataOf(*entry));
  if (entry->dtype == "F64") return Widen<double, double>(DataOf(*entry));
  return Fail("{}: tensor {} holds {}, not floats", place_, name, entry->dtype);
}

}  // namespace lichen
