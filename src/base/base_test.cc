#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"
#include "base/requantise.h"
#include "base/test_path.h"
#include "base/threads.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

fs::path Scratch(const std::string& name) {
  const fs::path path = TestPath(name);
  fs::remove_all(path);
  return path;
}

TEST(OutputFile, LeavesNothingWithoutCommit) {
  const fs::path folder = Scratch("discard");
  {
    auto file = OutputFile::Create(folder / "a" / "out.bin");
    ASSERT_TRUE(file) << file.error().message;
    const uint8_t bytes[] = {1, 2, 3};
    ASSERT_TRUE(file->Write(bytes));
  }
  EXPECT_TRUE(fs::exists(folder / "a"));
  EXPECT_TRUE(fs::is_empty(folder / "a"));
}

TEST(OutputFile, ReplacesWholeFile) {
  const fs::path path = Scratch("replace") / "out.bin";
  ASSERT_TRUE(WriteFile(path, "a longer text"));
  ASSERT_TRUE(WriteFile(path, "short"));
  auto bytes = ReadFile(path);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), "short");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), {}), 1);
}

TEST(ReadFile, NamesDirectoryAndMissingFile) {
  auto directory = ReadFile(fs::temp_directory_path());
  ASSERT_FALSE(directory);
  EXPECT_THAT(directory.error().message, testing::HasSubstr("directory"));
  EXPECT_FALSE(ReadFile(Scratch("missing")));
}

TEST(Npy, RoundTripsIntegersAndFloats) {
  const fs::path path = Scratch("npy") / "x.npy";
  for (const int64_t max :
       std::initializer_list<int64_t>{100, 200, 30000, 60000, 2000000, 5000000000}) {
    const NpyArray array{.shape = {2, 3}, .integers = {0, 1, 2, 3, max, 7}};
    ASSERT_TRUE(WriteNpy(path, array));
    auto back = ReadNpy(path);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->shape, array.shape);
    EXPECT_EQ(back->integers, array.integers);
  }
  const NpyArray floats{.shape = {3}, .is_float = true, .floats = {0.5F, -1.F, 3e20F}};
  ASSERT_TRUE(WriteNpy(path, floats));
  auto back = ReadNpy(path);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->floats, floats.floats);
}

TEST(Npy, RejectsTruncationAtEveryByte) {
  const fs::path path = Scratch("npy_cut") / "x.npy";
  ASSERT_TRUE(WriteNpy(path, {.shape = {4}, .integers = {1, 2, 3, 4}}));
  auto bytes = ReadFile(path);
  ASSERT_TRUE(bytes);
  for (size_t size = 0; size < bytes->size(); ++size) {
    ASSERT_TRUE(WriteFile(path, std::span(*bytes).first(size)));
    EXPECT_FALSE(ReadNpy(path)) << size;
  }
}

TEST(Sha256, MatchesTheStandardsExample) {
  Sha256 hash;
  hash.Update("abc");
  EXPECT_EQ(ToHex(hash.Finish()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Background, RunsPiecesInOrderAndGivesTheirErrors) {
  for (const int count : {1, 2, 7}) {
    const Threads threads(count);
    std::vector<int> done;
    int64_t sum = 0;
    {
      Background background(threads);
      EXPECT_TRUE(background.Wait());
      for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(background.Start([&, i]() -> Result<void> {
          std::vector<int64_t> parts(20);
          threads.For(20, [&](int64_t part) { parts[static_cast<size_t>(part)] = part; });
          for (const int64_t part : parts) sum += part;
          done.push_back(i);
          return {};
        }));
        threads.For(10, [](int64_t) {});
      }
      EXPECT_TRUE(background.Wait());
      EXPECT_EQ(done.size(), 50);
      EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
      EXPECT_EQ(sum, 50 * 190);
      ASSERT_TRUE(background.Start([]() -> Result<void> { return Fail("no"); }));
      EXPECT_FALSE(background.Start([&]() -> Result<void> {
        done.push_back(-1);
        return {};
      }));
      EXPECT_TRUE(background.Wait());
      ASSERT_TRUE(background.Start([&]() -> Result<void> {
        done.push_back(50);
        return {};
      }));
    }
    EXPECT_EQ(done.size(), 51);  // it has waited
  }
}

TEST(Threads, CallsEachIndexOnce) {
  for (int count : {1, 2, 8}) {
    const Threads threads(count);
    std::vector<std::atomic<int>> calls(1000);
    threads.For(1000, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; });
    for (const auto& n : calls) EXPECT_EQ(n, 1);
  }
}

TEST(Requantise, RoundsHalfUpAndSaturates) {
  EXPECT_EQ(Requantise(5, {.post_shift = 1}), 3);
  EXPECT_EQ(Requantise(-5, {.post_shift = 1}), -2);
  EXPECT_EQ(Requantise(1000, {.multiplier = 3, .pre_shift = 1, .bias = 7, .max = 127}), 127);
  EXPECT_EQ(Requantise(-7, {.multiplier = 3, .pre_shift = 2, .bias = 1, .post_shift = 2}), -1);
}

}  // namespace
}  // namespace lichen
