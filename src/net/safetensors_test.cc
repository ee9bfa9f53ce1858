#include "net/import/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzma.h>

#include <algorithm>
#include <cstring>

#include "base/xz.h"

namespace lichen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<uint8_t> File(const std::string& header, const std::vector<uint8_t>& data) {
  std::vector<uint8_t> bytes(8 + header.size() + data.size());
  const uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  std::copy(header.begin(), header.end(), bytes.begin() + 8);
  std::copy(data.begin(), data.end(), bytes.end() - static_cast<long>(data.size()));
  return bytes;
}

const char* const kHeader =
    R"({"__metadata__":{"k":"v"},"a":{"dtype":"I16","shape":[2,1],"data_offsets":[0,4]}})";

std::vector<uint8_t> Compressed(const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> out(lzma_stream_buffer_bound(bytes.size()));
  size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr, bytes.data(), bytes.size(),
                                    out.data(), &size, out.size()),
            LZMA_OK);
  out.resize(size);
  return out;
}

TEST(Safetensors, ReadsValuesAndMetadata) {
  const auto file = Safetensors::Parse(File(kHeader, {0xFF, 0xFF, 2, 1}), "f");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->metadata().at("k"), "v");
  const auto values = file->GetIntegers("a");
  ASSERT_TRUE(values.has_value());
  EXPECT_THAT(values->values, ElementsAre(-1, 258));
  EXPECT_FALSE(file->GetFloats("a").has_value());
  EXPECT_THAT(file->GetIntegers("b").error().message, HasSubstr("f: tensor b is missing"));
  EXPECT_THAT(file->GetIntegers("a", {2}).error().message, HasSubstr("is 2x1, expected 2"));
}

TEST(Safetensors, RejectsHostileHeaders) {
  const char* const headers[] = {
      "",
      "[]",
      "{",
      R"({"a":1})",
      R"({"a":{}})",
      R"({"a":{"dtype":"I16","shape":[2],"data_offsets":[0,6]}})",
      R"({"a":{"dtype":"I16","shape":[3],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"I16","shape":[2],"data_offsets":[4,0]}})",
      R"({"a":{"dtype":"I16","shape":[2],"data_offsets":[-4,0]}})",
      R"({"a":{"dtype":"I16","shape":[-2],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"I16","shape":[4294967296,4294967296],"data_offsets":[0,0]}})",
      R"({"a":{"dtype":"I16","shape":[9223372036854775808,2],"data_offsets":[0,0]}})",
      R"({"a":{"dtype":"F8","shape":[4],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"I16","shape":[2],"data_offsets":[0,4,4]}})",
      R"({"a":{"dtype":"I16","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,4]}})",
      R"({"__metadata__":{"k":1}})",
      R"({"__metadata__":[]})",
  };
  for (const char* header : headers) {
    EXPECT_FALSE(Safetensors::Parse(File(header, {1, 2, 3, 4}), "f").has_value()) << header;
  }
}

TEST(Safetensors, RejectsEveryTruncation) {
  const auto bytes = File(kHeader, {1, 2, 3, 4});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Safetensors::Parse({bytes.begin(), bytes.begin() + static_cast<long>(size)}, "f")
                     .has_value());
  }
}

TEST(Xz, GivesBackWhatWasCompressed) {
  std::vector<uint8_t> bytes(300000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i >> 5);
  const auto packed = Compressed(bytes);
  ASSERT_TRUE(IsXz(packed));
  const auto unpacked = DecodeXz(packed, bytes.size());
  ASSERT_TRUE(unpacked.has_value()) << unpacked.error().message;
  EXPECT_EQ(*unpacked, bytes);
  EXPECT_THAT(DecodeXz(packed, bytes.size() - 1).error().message, HasSubstr("more than 299999"));
}

TEST(Xz, RejectsTruncatedAndAlteredData) {
  const auto packed = Compressed(std::vector<uint8_t>(5000, 7));
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_FALSE(DecodeXz(std::span(packed).first(size), 10000).has_value()) << size;
  }
  auto altered = packed;
  for (size_t i = 0; i < packed.size(); ++i) {
    altered[i] ^= 0x40;
    EXPECT_FALSE(DecodeXz(altered, 10000).has_value()) << i;
    altered[i] ^= 0x40;
  }
}

}  // namespace
}  // namespace lichen
