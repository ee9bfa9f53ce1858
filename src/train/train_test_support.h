// What the tests of this room share: scratch folders, pictures, tiny recipes.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "image/synthetic.h"
#include "image/writer.h"
#include "train/recipe.h"

namespace lichen {

// A folder of the running test, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("lichen_train_{}_{}_{}", test->test_suite_name(), test->name(),
                        std::random_device()());
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void PutText(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline Image Rendered(int64_t height, int64_t width, uint64_t seed) {
  const TestPicture picture(height, width, seed);
  Image image = MakeImage(picture.info());
  for (int64_t y = 0; y < height; ++y) picture.RenderRow(y, image.Row(y));
  return image;
}

// Writes rendered pictures 0.png, 1.png, ... into a new folder.
inline void PutPictures(const std::filesystem::path& folder, int count, int64_t height,
                        int64_t width) {
  std::filesystem::create_directories(folder);
  for (int i = 0; i < count; ++i) {
    const Image image = Rendered(height, width, static_cast<uint64_t>(i + 1));
    ASSERT_TRUE(WriteImage(folder / fmt::format("{}.png", i), image));
  }
}

// A network and crops so small that a step takes milliseconds.
inline Recipe TinyRecipe(const std::filesystem::path& data, const std::filesystem::path& output) {
  Recipe recipe;
  recipe.model = "bls2017";
  recipe.output = output;
  recipe.network = {.width = 6, .latent_channels = 8};
  recipe.data = {.folder = data, .crop_px = 32, .min_short_side_px = 48, .max_short_side_px = 64};
  recipe.training = {.lambdas = {0.05},
                     .batch = 2,
                     .steps = 12,
                     .learning_rate = 1e-3,
                     .warmup_steps = 3,
                     .average_decay = 0.9,
                     .log_steps = 1,
                     .checkpoint_steps = 5};
  return recipe;
}

// The lines of a log that tell of steps.
inline std::vector<nlohmann::json> StepsOfLog(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) {
    nlohmann::json json = nlohmann::json::parse(line);
    if (json.contains("loss")) lines.push_back(std::move(json));
  }
  return lines;
}

}  // namespace lichen
