// The saved inputs of the fuzzers, without libFuzzer: seeds, and what once went wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "fuzz/fuzz.h"

namespace lichen {
namespace {

class FuzzCorpus : public testing::TestWithParam<FuzzTarget> {};

TEST_P(FuzzCorpus, RunsEverySavedInput) {
  const std::filesystem::path folder =
      std::filesystem::path(LICHEN_SOURCE_DIR) / "fuzz/saved" / GetParam().name;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  ASSERT_FALSE(paths.empty()) << folder;
  for (const auto& path : paths) {
    const auto bytes = ReadFile(path);
    ASSERT_TRUE(bytes) << bytes.error().message;
    RecordProperty("last_input", path.filename().string());
    GetParam().run(*bytes);  // stops the program where a promise is broken
  }
}

// Every input cut short and with bytes changed, as a fuzzer's first steps are.
TEST_P(FuzzCorpus, TakesDamagedInputs) {
  GetParam().run({});
  for (size_t count = 1; count < 200; count += 13) {
    std::vector<uint8_t> bytes(count);
    for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * count * 37);
    GetParam().run(bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus, testing::ValuesIn(kFuzzTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lichen
