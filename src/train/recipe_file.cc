#include "train/recipe_file.h"

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Result<toml::table> ParseToml(const fs::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, uint64_t{1} << 20));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Fail("{}: line {}: {}", path.string(), parsed.error().source().begin.line,
                parsed.error().description());
  }
  return std::move(parsed).table();
}

}  // namespace

const toml::table& RecipeFile::Section(std::string_view name) const {
  static const toml::table empty;
  const toml::node* node = root.get(name);
  return node && node->is_table() ? *node->as_table() : empty;
}

Result<RecipeFile> OpenRecipeFile(const fs::path& path, const fs::path& overriding_output,
                                  const std::vector<std::string>& sections,
                                  const std::vector<std::string>& others) {
  RecipeFile recipe = {.file = path.string(), .base = path.parent_path()};
  LICHEN_TRY(recipe.root, ParseToml(path));
  TomlSection s(recipe.root, recipe.file, "");
  s.Read("model", recipe.model);
  std::string output;
  s.Read("output", output);
  for (const std::string& key : sections) {
    const toml::node* node = s.Find(key);
    if (node && !node->is_table()) s.Refuse(*node, key, "must be a table: [section]");
  }
  for (const std::string& key : others) s.Find(key);
  if (recipe.model.empty()) s.Missing("model");
  if (!overriding_output.empty()) {
    recipe.output = overriding_output;
  } else if (output.empty()) {
    s.Missing("output");
  } else {
    recipe.output = (recipe.base / output).lexically_normal();
  }
  LICHEN_TRY_VOID(s.Finish());
  return recipe;
}

Result<std::string> ModelOfRecipe(const fs::path& path) {
  LICHEN_TRY(const toml::table root, ParseToml(path));
  return root["model"].value_or(std::string());
}

void ReadRunKeys(TomlSection& s, const fs::path& base, TrainingRecipe& t, bool needs_start) {
  std::string start_from;
  s.Read("batch", t.batch, 1, 4096);
  s.Read("steps", t.steps, 1, kMaxSteps);
  s.Read("learning_rate", t.learning_rate, 0, 10);
  s.Read("final_learning_rate", t.final_learning_rate, 0, 10);
  s.Read("warmup_steps", t.warmup_steps, 0, kMaxSteps);
  s.Read("max_gradient_norm", t.max_gradient_norm, 1e-9, 1e9);
  s.Read("seed", t.seed, 0, INT64_MAX);
  s.Read("log_steps", t.log_steps, 1, kMaxSteps);
  s.Read("checkpoint_steps", t.checkpoint_steps, 1, kMaxSteps);
  s.Read("start_from", start_from);
  s.Read("fresh", t.fresh);
  if (!start_from.empty()) {
    t.start_from = (base / start_from).lexically_normal();
    std::error_code error;
    if (needs_start && !fs::is_regular_file(t.start_from, error)) {
      s.Refuse(
          *s.Find("start_from"), "start_from",
          fmt::format("{} is no file; run the recipe that writes it first", t.start_from.string()));
    }
  }
}

Result<void> CheckSameValues(const std::string& recorded, const std::string& current,
                             const std::vector<std::string>& pointers) {
  const Json then = Json::parse(recorded, nullptr, false);
  if (!then.is_object()) return Fail("holds no recipe");
  const Json now = Json::parse(current);
  for (const std::string& pointer : pointers) {
    const Json::json_pointer at(pointer);
    const Json before = then.contains(at) ? then.at(at) : Json();
    if (before == now.at(at)) continue;
    return Fail("was made with {} = {}, the recipe says {}", pointer.substr(1), before.dump(),
                now.at(at).dump());
  }
  return {};
}

}  // namespace lichen
