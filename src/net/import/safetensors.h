// Reads .safetensors files, also xz-compressed (.safetensors.xz; told by their first bytes).
//
// Contract: the file is not trusted: sizes, offsets, types and shapes are checked, and memory stays
// within max_bytes for the uncompressed file. Values come in the file's order (C order).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

class Safetensors {
 public:
  struct Entry {
    std::string dtype;  // BOOL U8 I8 I16 U16 I32 U32 I64 F32 F64 (others are refused)
    std::vector<int64_t> shape;
    uint64_t begin_bytes = 0;  // within the data
    uint64_t end_bytes = 0;
    int64_t Count() const;
  };
  struct Integers {
    std::vector<int64_t> shape;
    std::vector<int64_t> values;
  };

  static Result<Safetensors> Read(const std::filesystem::path& path,
                                  uint64_t max_bytes = uint64_t{1} << 30);
  // `place` opens every error message.
  static Result<Safetensors> Parse(std::vector<uint8_t> bytes, std::string place);

  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  const std::string& place() const { return place_; }
  bool Has(std::string_view name) const { return entries_.find(name) != entries_.end(); }

  // Error if the tensor is missing or of a float type.
  Result<Integers> GetIntegers(std::string_view name) const;
  // The same with an expected shape.
  Result<std::vector<int64_t>> GetIntegers(std::string_view name,
                                           const std::vector<int64_t>& shape) const;
  // Error if the tensor is missing or not F32 or F64.
  Result<std::vector<double>> GetFloats(std::string_view name) const;

 private:
  Result<const Entry*> Find(std::string_view name) const;
  std::span<const uint8_t> DataOf(const Entry& entry) const;

  std::string place_;
  std::vector<uint8_t> bytes_;
  size_t data_at_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace lichen
