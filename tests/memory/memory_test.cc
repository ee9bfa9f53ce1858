// Resident memory of the program: it grows with a picture's width, not with its height.
//
// LICHEN_LARGE=1 in the environment (./dev memory) takes the sizes of the project's promise:
// 16384x8192 within 160 MiB, and 4096x2048 and 4096x32768 within 10 % of each other.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/test_path.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

// Runs the program; its peak of resident memory in MiB, or a negative number if it failed.
double PeakMib(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  std::vector<std::string> all = arguments;
  all.insert(all.begin(), LICHEN_PROGRAM);
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stdout)) _exit(126);
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  struct rusage usage {};
  if (wait4(child, &status, 0, &usage) != child || status != 0) return -1;
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// The middle of three runs: which threads happen to work at the same moment moves a single peak by
// some 3 MiB.
double MedianPeakMib(const std::vector<std::string>& arguments) {
  std::array<double, 3> peaks;
  for (double& peak : peaks) {
    peak = PeakMib(arguments);
    if (peak < 0) return peak;
  }
  std::sort(peaks.begin(), peaks.end());
  return peaks[1];
}

bool Large() { return std::getenv("LICHEN_LARGE") != nullptr; }

class Memory : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer's own memory hides the program's";
#endif
    folder_ = TestPath("memory");
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Peaks of encode and decode of a picture of that size, in the given format.
  std::pair<double, double> Peaks(int64_t width, int64_t height, const std::string& format) {
    const std::string picture = folder_ / ("in." + format);
    const std::string coded = folder_ / "x.lic";
    const std::string out = folder_ / ("out." + format);
    EXPECT_GE(PeakMib({"render", picture, "--size", fmt::format("{}x{}", height, width)}), 0);
    const std::string model = LICHEN_SOURCE_DIR "/models/default.lichen";
    const double encode =
        MedianPeakMib({"encode", picture, coded, "--model", model, "--threads", "2"});
    const double decode = MedianPeakMib({"decode", coded, out, "--model", model, "--threads", "2"});
    EXPECT_GE(encode, 0);
    EXPECT_GE(decode, 0);
    std::fflush(stdout);
    fmt::print("{}x{} {}: encode {:.1f} MiB, decode {:.1f} MiB\n", width, height, format, encode,
               decode);
    return {encode, decode};
  }
  fs::path folder_;
};

TEST_F(Memory, DoesNotGrowWithTheHeight) {
  const int64_t width = Large() ? 4096 : 1024;
  const int64_t low = Large() ? 2048 : 512;
  // 3 MiB of chance are more than a tenth of a small picture's peak. Held whole, the higher of the
  // two would cost 24 MiB of pixels or 8 MiB of latents: more than a quarter.
  const double tolerance = Large() ? 0.1 : 0.25;
  for (const char* format : {"png", "ppm"}) {
    const auto [encode_low, decode_low] = Peaks(width, low, format);
    const auto [encode_high, decode_high] = Peaks(width, low * 16, format);
    EXPECT_NEAR(encode_high / encode_low, 1, tolerance);
    EXPECT_NEAR(decode_high / decode_low, 1, tolerance);
  }
}

TEST_F(Memory, LargePicturesStayWithinTheLimit) {
  const int64_t width = 16384;
  const int64_t height = Large() ? 8192 : 256;
  for (const char* format : {"png", "ppm"}) {
    const auto [encode, decode] = Peaks(width, height, format);
    EXPECT_LE(encode, 160);
    EXPECT_LE(decode, 160);
  }
}

}  // namespace
}  // namespace lichen
