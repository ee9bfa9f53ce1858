#include "base/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "base/files.h"
#include "base/test_path.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void Put16(std::vector<uint8_t>& bytes, uint32_t v) {
  bytes.push_back(static_cast<uint8_t>(v));
  bytes.push_back(static_cast<uint8_t>(v >> 8));
}
void Put32(std::vector<uint8_t>& bytes, uint32_t v) {
  Put16(bytes, v & 0xFFFF);
  Put16(bytes, v >> 16);
}
void Put(std::vector<uint8_t>& bytes, std::string_view text) {
  bytes.insert(bytes.end(), text.begin(), text.end());
}

struct Entry {
  std::string name;
  std::vector<uint8_t> data;
  uint32_t flags = 0;
  uint32_t method = 0;        // 8 packs the data
  uint32_t stated_bytes = 0;  // 0: the truth
};

std::vector<uint8_t> Deflate(const std::vector<uint8_t>& data) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::vector<uint8_t> packed(data.size() + 100);
  stream.next_in = const_cast<uint8_t*>(data.data());
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::vector<uint8_t> Zip(const std::vector<Entry>& entries, std::string_view comment = "") {
  std::vector<uint8_t> file, directory;
  for (const Entry& e : entries) {
    const std::vector<uint8_t> packed = e.method == 8 ? Deflate(e.data) : e.data;
    const auto bytes = e.stated_bytes ? e.stated_bytes : static_cast<uint32_t>(e.data.size());
    const auto crc = static_cast<uint32_t>(crc32_z(0, e.data.data(), e.data.size()));
    const auto at = static_cast<uint32_t>(file.size());
    const auto both = [&](std::vector<uint8_t>& out) {
      Put16(out, 20);
      Put16(out, e.flags);
      Put16(out, e.method);
      Put32(out, 0);
      Put32(out, crc);
      Put32(out, static_cast<uint32_t>(packed.size()));
      Put32(out, bytes);
      Put16(out, static_cast<uint32_t>(e.name.size()));
    };
    Put32(file, 0x04034B50);
    both(file);
    Put16(file, 4);  // bytes that only this header has, as numpy writes them
    Put(file, e.name);
    Put32(file, 0);
    file.insert(file.end(), packed.begin(), packed.end());
    Put32(directory, 0x02014B50);
    Put16(directory, 20);
    both(directory);
    for (int i = 0; i < 6; ++i) Put16(directory, 0);
    Put32(directory, at);
    Put(directory, e.name);
  }
  const auto directory_at = static_cast<uint32_t>(file.size());
  file.insert(file.end(), directory.begin(), directory.end());
  Put32(file, 0x06054B50);
  Put32(file, 0);
  Put16(file, static_cast<uint32_t>(entries.size()));
  Put16(file, static_cast<uint32_t>(entries.size()));
  Put32(file, static_cast<uint32_t>(directory.size()));
  Put32(file, directory_at);
  Put16(file, static_cast<uint32_t>(comment.size()));
  Put(file, comment);
  return file;
}

class Npz : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    EXPECT_TRUE(WriteNpy(folder_ / "a.npy", {.shape = {2, 3}, .integers = {0, 1, 2, 3, 4, 500}}));
    EXPECT_TRUE(WriteNpy(folder_ / "b.npy",
                         {.shape = {1000}, .is_float = true, .floats = std::vector<float>(1000)}));
    a_ = *ReadFile(folder_ / "a.npy");
    b_ = *ReadFile(folder_ / "b.npy");
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<std::map<std::string, NpyArray>> Read(std::span<const uint8_t> bytes,
                                               uint64_t max_bytes = 1 << 20) {
    std::ofstream(folder_ / "x.npz", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return ReadNpz(folder_ / "x.npz", max_bytes);
  }
  std::string ErrorOf(const std::vector<Entry>& entries, uint64_t max_bytes = 1 << 20) {
    const auto arrays = Read(Zip(entries), max_bytes);
    return arrays ? "" : arrays.error().message;
  }

  const fs::path folder_ = TestPath("npz");
  std::vector<uint8_t> a_, b_;
};

TEST_F(Npz, ReadsStoredAndDeflatedMembers) {
  const auto arrays =
      Read(Zip({{.name = "a.npy", .data = a_}, {.name = "b.npy", .data = b_, .method = 8}}, "PK"));
  ASSERT_TRUE(arrays) << arrays.error().message;
  ASSERT_EQ(arrays->size(), 2u);
  EXPECT_EQ(arrays->at("a").integers, (std::vector<int64_t>{0, 1, 2, 3, 4, 500}));
  EXPECT_EQ(arrays->at("a").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(arrays->at("b").floats.size(), 1000u);
}

TEST_F(Npz, RejectsTruncationAndAnyChangedByteOfTheData) {
  const std::vector<uint8_t> bytes =
      Zip({{.name = "a.npy", .data = a_, .method = 8}, {.name = "c.npy", .data = a_}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Read(std::span(bytes).first(size))) << size;
  }
  const size_t data_at = 30 + 5 + 4;
  for (size_t at = data_at; at < data_at + 60; ++at) {
    std::vector<uint8_t> damaged = bytes;
    damaged[at] ^= 0x10;
    EXPECT_FALSE(Read(damaged)) << at;
  }
}

TEST_F(Npz, NamesTheMemberThatItRefuses) {
  EXPECT_THAT(ErrorOf({{.name = "a.npy", .data = a_}, {.name = "readme", .data = a_}}),
              HasSubstr("x.npz: its member 'readme' is no .npy array"));
  EXPECT_THAT(ErrorOf({{.name = "a.npy", .data = a_, .flags = 1}}),
              HasSubstr("x.npz: a.npy: is encrypted"));
  EXPECT_THAT(ErrorOf({{.name = "a.npy", .data = a_, .method = 12}}),
              HasSubstr("a.npy: is damaged"));
  EXPECT_THAT(
      ErrorOf({{.name = "a.npy", .data = a_, .stated_bytes = 0xFFFFFFFF}}, uint64_t{1} << 33),
      HasSubstr("x.npz: is no .npz file, or the directory at its end is damaged"));
  EXPECT_THAT(ErrorOf({{.name = "a.npy", .data = a_}, {.name = "a.npy", .data = a_}}),
              HasSubstr("a.npy: stands there twice"));
  EXPECT_THAT(ErrorOf({{.name = "a.npy", .data = {1, 2, 3}}}),
              HasSubstr("x.npz: a.npy: is not a .npy file"));
  EXPECT_THAT(Read(a_).error().message, HasSubstr("x.npz: is no .npz file"));
}

TEST_F(Npz, BoundsWhatItUnpacks) {
  // 4 KB that pack to a few bytes, in a file that is small enough.
  EXPECT_THAT(ErrorOf({{.name = "b.npy", .data = b_, .method = 8}}, 1000),
              HasSubstr("b.npy: the arrays up to here have more than the 1000 bytes"));
  EXPECT_THAT(ErrorOf({{.name = "b.npy", .data = b_, .method = 8, .stated_bytes = 100}}, 1000),
              HasSubstr("b.npy: has more than the 100 bytes of its header"));
  EXPECT_THAT(ErrorOf({{.name = "b.npy", .data = b_, .method = 8, .stated_bytes = 5000}}),
              HasSubstr("b.npy: has 4128 bytes, not the 5000"));
}

}  // namespace
}  // namespace lichen
