// What the tests of this room share: a scratch folder, damaged copies of a file, random pictures.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "image/image.h"
#include "image/reader.h"

namespace lichen {

// A folder of the running test, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    // In memory where it is large enough, as each written picture waits for its disk.
    std::error_code error;
    const auto space = std::filesystem::space("/dev/shm", error);
    const bool fits = !error && space.available > uint64_t{512} << 20;
    path_ = (fits ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) /
            fmt::format("lichen_image_{}_{}_{}", test->test_suite_name(), test->name(),
                        std::random_device()());
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  bool IsEmpty() const { return std::filesystem::is_empty(path_); }

 private:
  std::filesystem::path path_;
};

inline Image RandomPicture(ImageInfo info, uint64_t seed) {
  std::mt19937_64 random(seed);
  Image image = MakeImage(std::move(info));
  for (uint16_t& s : image.samples) s = static_cast<uint16_t>(random() & image.info.MaxSample());
  return image;
}

// Without the sync to disk of WriteFile(), which thousands of small files would wait for.
inline void PutFile(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<int64_t>(bytes.size()));
  ASSERT_TRUE(file.good());
}

// Why the file cannot be read; "" if it can.
inline std::string WhyUnreadable(const std::filesystem::path& path) {
  const auto image = ReadImage(path, int64_t{1} << 27);
  return image ? "" : image.error().message;
}

// Every proper prefix must be an error that names the file and says how to mend it.
inline void ExpectEveryTruncationFails(const std::vector<uint8_t>& whole,
                                       const std::filesystem::path& path) {
  for (size_t count = 0; count < whole.size(); ++count) {
    PutFile(path, std::span(whole).first(count));
    const std::string why = WhyUnreadable(path);
    ASSERT_NE(why, "") << "a picture of " << count << " bytes of " << whole.size();
    ASSERT_NE(why.find(path.string()), std::string::npos) << why;
    ASSERT_TRUE(why.find("get a") != std::string::npos ||
                why.find("convert") != std::string::npos || why.find("name a") != std::string::npos)
        << why;
  }
}

// Reads the file with each bit flipped, one at a time; returns how many of these were errors.
inline size_t CountFlipsFound(std::vector<uint8_t> bytes, const std::filesystem::path& path) {
  size_t found = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= static_cast<uint8_t>(1 << bit);
      PutFile(path, bytes);
      found += WhyUnreadable(path) != "";
      bytes[i] ^= static_cast<uint8_t>(1 << bit);
    }
  }
  return found;
}

inline std::filesystem::path SharedFolder() {
  return std::filesystem::path(LICHEN_SOURCE_DIR) / "../shared";
}

}  // namespace lichen
