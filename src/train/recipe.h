// A training recipe: what `lichen train` reads from a TOML file.
//
// Contract: ReadRecipe() gives only recipes whose values are in range and whose data folder exists.
// Errors name file, line and key; a key that is not listed here is an error. Relative paths of a
// recipe start at the recipe's folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

// [network]
struct NetworkRecipe {
  int64_t width = 128;          // channels of the inner layers
  int64_t latent_channels = 0;  // 0: as many as width
  bool rdft_kernels = true;     // learn kernels by their real discrete Fourier transform
  bool latent_bias = true;      // the last layer of the analysis has a bias
};

// [data]
struct DataRecipe {
  std::filesystem::path folder;  // of pictures; sub-folders are not entered
  int64_t crop_px = 256;
  // Short sides to which larger pictures are scaled down, at random. Those in between are
  // scaled for every second crop, and those above for each.
  int64_t min_short_side_px = 512;
  int64_t max_short_side_px = 768;
  int64_t workers = 1;       // threads that make crops
  int64_t cache_mib = 2048;  // decoded pictures that are kept in memory
};

// [training]
struct TrainingRecipe {
  std::vector<double> lambdas;  // loss = bpp + lambda * MSE; several make one network of many rates
  int64_t batch = 16;
  int64_t steps = 200'000;
  double learning_rate = 1e-4;
  double final_learning_rate = 1e-6;  // cosine decay from the one to the other
  int64_t warmup_steps = 0;           // linear, from 0
  double max_gradient_norm = 1.0;
  double average_decay = 0.999;  // of the moving average of weights, which is what is exported
  int64_t seed = 1;
  int64_t log_steps = 100;
  int64_t checkpoint_steps = 1000;
  std::filesystem::path start_from;  // a checkpoint whose averaged weights are the first; or empty
};

struct Recipe {
  std::string model;             // bls2017
  std::filesystem::path output;  // folder of checkpoint, log and exported networks
  NetworkRecipe network;
  DataRecipe data;
  TrainingRecipe training;
};

// From the command line, in place of the recipe's; relative to the working folder.
struct RecipeOverrides {
  std::filesystem::path data_folder;
  std::filesystem::path output;
};

Result<Recipe> ReadRecipe(const std::filesystem::path& path, const RecipeOverrides& overrides);

// One JSON object with every value, on one line.
std::string ToJson(const Recipe& recipe);

// Error if a run of `recorded` (a ToJson) cannot go on as `recipe`: it may train for longer, at
// other learning rates or from a moved folder, but not another network on other crops.
Result<void> CheckSameRun(const std::string& recorded, const Recipe& recipe);

}  // namespace lichen
