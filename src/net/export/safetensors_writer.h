// Builds a .safetensors file in memory.
//
// Contract: tensors lie in the order in which they were added, without gaps; the header is padded
// with blanks so that the data begin at a multiple of 8 bytes. Equal calls give equal bytes.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace lichen {

class SafetensorsWriter {
 public:
  enum class Type { kU8, kI16, kI32 };

  // Values in C order. Where one does not fit the type, the tensor becomes I64.
  void AddIntegers(const std::string& name, Type type, const std::vector<int64_t>& shape,
                   std::span<const int64_t> values);
  // One float: F32, or F64 where F32 would round it.
  void AddFloat(const std::string& name, double value);

  // Call once, at the end.
  std::vector<uint8_t> Finish(const std::map<std::string, std::string>& metadata) &&;

 private:
  template <class Stored, class Value>
  void Add(const std::string& name, const char* dtype, const std::vector<int64_t>& shape,
           std::span<const Value> values);

  nlohmann::ordered_json header_ = nlohmann::ordered_json::object();
  std::vector<uint8_t> data_;
};

}  // namespace lichen
