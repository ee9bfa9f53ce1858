// A recipe's TOML file, opened: what recipes of every kind of network have.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/toml_section.h"
#include "train/recipe.h"

namespace lichen {

inline constexpr int64_t kMaxSteps = int64_t{1} << 40;

struct RecipeFile {
  std::string file;            // for messages
  std::filesystem::path base;  // where relative paths start
  toml::table root;
  std::string model;
  std::filesystem::path output;

  // [name], or an empty table.
  const toml::table& Section(std::string_view name) const;
};

// Error unless the root has `model`, `output` (or an overriding one) and, beside them, only tables
// named in `sections` and keys named in `others`.
Result<RecipeFile> OpenRecipeFile(const std::filesystem::path& path,
                                  const std::filesystem::path& overriding_output,
                                  const std::vector<std::string>& sections,
                                  const std::vector<std::string>& others = {});

// What the recipe says as `model`, before anything else is looked at; or an empty text.
Result<std::string> ModelOfRecipe(const std::filesystem::path& path);

// Steps, batch, learning rates, seed and checkpoints: keys of the optimiser's run.
void ReadRunKeys(TomlSection& s, const std::filesystem::path& base, TrainingRecipe& t,
                 bool needs_start = true);

// Error if a value of `recorded` (a ToJson) at one of the JSON pointers differs from that of `now`.
Result<void> CheckSameValues(const std::string& recorded, const std::string& now,
                             const std::vector<std::string>& pointers);

}  // namespace lichen
