// A training recipe: what `lichen train` reads from a TOML file.
//
// Contract: ReadRecipe() gives only recipes whose values are in range and whose data folder exists.
// Errors name file, line and key; a key that is not listed here is an error. Relative paths of a
// recipe start at the recipe's folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

// [network]
struct NetworkRecipe {
  int64_t width = 128;          // channels of the inner layers
  int64_t latent_channels = 0;  // 0: as many as width, or 4 * width with streamlic
  bool rdft_kernels = true;     // learn kernels by their real discrete Fourier transform
  bool latent_bias = true;      // the last layer of the analysis has a bias
  int64_t hyper_channels = 0;   // streamlic: 0: 2 * width
  bool bfloat16 = false;        // streamlic: layers compute in bfloat16 until they are quantised
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
  bool is_balanced = false;  // weigh a picture's loss by lambda^-1/2, so that low rates count too
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
  std::vector<std::string> fresh;    // but not those of parameters whose names begin so
};

// Of a stage: what it does beside lowering the loss. Only streamlic has them.
struct StageSwitches {
  bool quantise = false;           // train through the integer arithmetic
  bool mask = false;               // make block-sparse masks, then recover
  bool fixed_encoder = false;      // analysis and hyper-analysis stay as they are
  bool rounded_synthesis = false;  // the synthesis sees rounded latents where others see noise
  // Of the probability under a wider Gaussian: latents have longer tails than one Gaussian, and what
  // codes them in the end are tables. See GaussianBits().
  double wide_share = 0;
  // Until half of these, hyper-latents are free, then their cost rises, so that they are tried.
  int64_t hyper_warmup_steps = 0;
  bool hard_rounding = false;  // latents are rounded, row by row as the decoder sees them
  bool tables = false;         // train probability tables and nothing else
  bool table_init = true;      // they begin as the distributions that they replace
  double masks_after = 0.3;    // share of the steps before masks are made
  double group_weight = 1e-4;  // of the blocks' norms in the loss until then
  // Blocks of 12x12 channels that stay, per group of 12 output channels.
  int64_t context_blocks = 27;    // context_prediction.1
  int64_t row_blocks = 9;         // context_prediction.3
  int64_t parameter_blocks = 12;  // entropy_parameters.2
};

struct Recipe {
  std::string model;             // bls2017 or streamlic
  std::filesystem::path output;  // folder of checkpoint, log and exported networks
  NetworkRecipe network;
  DataRecipe data;
  TrainingRecipe training;
  std::string stage;  // its name, where the recipe has stages
  StageSwitches switches;
};

// From the command line, in place of the recipe's; relative to the working folder.
struct RecipeOverrides {
  std::filesystem::path data_folder;
  std::filesystem::path output;
  std::optional<int64_t> seed;  // at least 0, of every stage
};

// The stages of the recipe, in their order; one without a name where it has none.
Result<std::vector<Recipe>> ReadRecipe(const std::filesystem::path& path,
                                       const RecipeOverrides& overrides);

// One JSON object with every value, on one line.
std::string ToJson(const Recipe& recipe);

// Error if a run of `recorded` (a ToJson) cannot go on as `recipe`: it may train for longer, at
// other learning rates or from a moved folder, but not another network on other crops.
Result<void> CheckSameRun(const std::string& recorded, const Recipe& recipe);

}  // namespace lichen
