#include "net/export/safetensors_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace lichen {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

template <class Stored>
bool Fit(std::span<const int64_t> values) {
  return std::ranges::all_of(values, [](int64_t v) {
    return v >= std::numeric_limits<Stored>::min() && v <= std::numeric_limits<Stored>::max();
  });
}

}  // namespace

template <class Stored, class Value>
void SafetensorsWriter::Add(const std::string& name, const char* dtype,
                            const std::vector<int64_t>& shape, std::span<const Value> values) {
  const size_t begin = data_.size();
  data_.resize(begin + values.size() * sizeof(Stored));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto stored = static_cast<Stored>(values[i]);
    std::memcpy(data_.data() + begin + i * sizeof(Stored), &stored, sizeof(Stored));
  }
  header_[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
}

void SafetensorsWriter::AddIntegers(const std::string& name, Type type,
                                    const std::vector<int64_t>& shape,
                                    std::span<const int64_t> values) {
  if (type == Type::kU8 && Fit<uint8_t>(values)) {
    Add<uint8_t>(name, "U8", shape, values);
  } else if (type == Type::kI16 && Fit<int16_t>(values)) {
    Add<int16_t>(name, "I16", shape, values);
  } else if (type == Type::kI32 && Fit<int32_t>(values)) {
    Add<int32_t>(name, "I32", shape, values);
  } else {
    Add<int64_t>(name, "I64", shape, values);
  }
}

void SafetensorsWriter::AddFloat(const std::string& name, double value) {
  const std::span<const double> values(&value, 1);
  if (static_cast<double>(static_cast<float>(value)) == value) {
    Add<float>(name, "F32", {1}, values);
  } else {
    Add<double>(name, "F64", {1}, values);
  }
}

std::vector<uint8_t> SafetensorsWriter::Finish(
    const std::map<std::string, std::string>& metadata) && {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  for (auto& [name, entry] : header_.items()) json[name] = std::move(entry);
  std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t size = text.size();
  std::vector<uint8_t> bytes(sizeof(size) + text.size() + data_.size());
  std::memcpy(bytes.data(), &size, sizeof(size));
  std::ranges::copy(text, bytes.begin() + sizeof(size));
  std::ranges::copy(data_, bytes.end() - std::ssize(data_));
  return bytes;
}

}  // namespace lichen
