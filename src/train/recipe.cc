#include "train/recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/toml_section.h"
#include "train/recipe_file.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Result<void> ReadNetwork(const toml::table& table, const std::string& file, bool is_streamlic,
                         NetworkRecipe& n) {
  TomlSection s(table, file, "network");
  s.Read("width", n.width, 1, 1024);
  s.Read("latent_channels", n.latent_channels, 1, 1024);
  if (is_streamlic) {
    s.Read("hyper_channels", n.hyper_channels, 1, 1024);
    s.Read("bfloat16", n.bfloat16);
    if (n.latent_channels == 0) n.latent_channels = 4 * n.width;
    if (n.hyper_channels == 0) n.hyper_channels = 2 * n.width;
  } else {
    s.Read("rdft_kernels", n.rdft_kernels);
    s.Read("latent_bias", n.latent_bias);
    if (n.latent_channels == 0) n.latent_channels = n.width;
  }
  return s.Finish();
}

Result<void> ReadData(const toml::table& table, const std::string& file, const fs::path& base,
                      const fs::path& overriding, DataRecipe& d) {
  TomlSection s(table, file, "data");
  std::string folder;
  s.Read("folder", folder);
  s.Read("crop_px", d.crop_px, 16, 4096);
  s.Read("min_short_side_px", d.min_short_side_px, 16, kMaxSteps);
  s.Read("max_short_side_px", d.max_short_side_px, 16, kMaxSteps);
  s.Read("workers", d.workers, 1, 256);
  s.Read("cache_mib", d.cache_mib, 0, int64_t{1} << 24);
  if (d.crop_px % 16 != 0) s.Refuse(*s.Find("crop_px"), "crop_px", "must be a multiple of 16");
  for (const auto& [key, value, least] :
       {std::tuple{"min_short_side_px", d.min_short_side_px, d.crop_px},
        std::tuple{"max_short_side_px", d.max_short_side_px, d.min_short_side_px}}) {
    if (value >= least) continue;
    const toml::node* node = s.Find(key);
    s.Refuse(node ? *node : table, key, fmt::format("{} is below {}", value, least));
  }
  if (!overriding.empty()) {
    d.folder = overriding;
    std::error_code error;
    if (!fs::is_directory(d.folder, error)) {
      return Fail("--data {}: is no folder", d.folder.string());
    }
  } else if (folder.empty()) {
    s.Missing("folder");
  } else {
    d.folder = (base / folder).lexically_normal();
    std::error_code error;
    if (!fs::is_directory(d.folder, error)) {
      s.Refuse(*s.Find("folder"), "folder", fmt::format("{} is no folder", d.folder.string()));
    }
  }
  return s.Finish();
}

// Keys that [training] and a [[stage]] share; a stage's replace those of [training].
void ReadSchedule(TomlSection& s, const fs::path& base, TrainingRecipe& t) {
  s.Read("lambdas", t.lambdas, 1e-9, 1e6);
  s.Read("balanced", t.is_balanced);
  ReadRunKeys(s, base, t);
  s.Read("average_decay", t.average_decay, 0, 0.9999999);
  std::vector<double> sorted = t.lambdas;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    s.Refuse(*s.Find("lambdas"), "lambdas", "must differ from each other");
  }
}

Result<void> ReadTraining(const toml::table& table, const std::string& file, const fs::path& base,
                          TrainingRecipe& t) {
  TomlSection s(table, file, "training");
  ReadSchedule(s, base, t);
  if (t.lambdas.empty()) s.Missing("lambdas");
  return s.Finish();
}

// `earlier` are the stages before it; a stage begins with the weights of the one that it comes after.
Result<Recipe> ReadStage(const toml::table& table, const std::string& file, const fs::path& base,
                         const Recipe& common, const std::vector<Recipe>& earlier) {
  TomlSection s(table, file, "stage");
  Recipe stage = common;
  TrainingRecipe& t = stage.training;
  StageSwitches& w = stage.switches;
  std::string name, after;
  if (!earlier.empty()) after = earlier.back().stage;
  s.Read("after", after);
  if (!after.empty()) {
    const auto found = std::find_if(earlier.begin(), earlier.end(),
                                    [&](const Recipe& other) { return other.stage == after; });
    if (found == earlier.end()) {
      s.Refuse(*s.Find("after"), "after", fmt::format("there is no stage {} before", after));
    } else {
      t.start_from = found->output / "checkpoint.pt";
    }
  }
  s.Read("name", name);
  if (name.empty()) s.Missing("name");
  if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    s.Refuse(*s.Find("name"), "name", "must be of a-z, 0-9 and _: it names a folder");
  }
  ReadSchedule(s, base, t);
  s.Read("quantise", w.quantise);
  s.Read("mask", w.mask);
  s.Read("fixed_encoder", w.fixed_encoder);
  s.Read("rounded_synthesis", w.rounded_synthesis);
  s.Read("wide_share", w.wide_share, 0, 1);
  s.Read("hyper_warmup_steps", w.hyper_warmup_steps, 0, kMaxSteps);
  s.Read("hard_rounding", w.hard_rounding);
  s.Read("tables", w.tables);
  s.Read("table_init", w.table_init);
  s.Read("masks_after", w.masks_after, 0, 1);
  s.Read("group_weight", w.group_weight, 0, 1e6);
  s.Read("context_blocks", w.context_blocks, 1, 1 << 20);
  s.Read("row_blocks", w.row_blocks, 1, 1 << 20);
  s.Read("parameter_blocks", w.parameter_blocks, 1, 1 << 20);
  if (w.tables && !(w.quantise && w.hard_rounding)) {
    s.Refuse(*s.Find("tables"), "tables", "needs quantise = true and hard_rounding = true");
  }
  for (const Recipe& other : earlier) {
    if (other.stage == name) s.Refuse(*s.Find("name"), "name", "is that of an earlier stage");
  }
  LICHEN_TRY_VOID(s.Finish());
  stage.stage = name;
  stage.output = common.output / name;
  return stage;
}

// Stages in the order of the file: what [training] says, changed by each.
Result<std::vector<Recipe>> ReadStages(const toml::node* node, const std::string& file,
                                       const fs::path& base, const Recipe& common) {
  const toml::array* array = node->as_array();
  if (!array || array->empty()) {
    return Fail("{}: line {}: stage: must be tables: [[stage]]", file, node->source().begin.line);
  }
  std::vector<Recipe> stages;
  for (const toml::node& element : *array) {
    if (!element.is_table()) {
      return Fail("{}: line {}: stage: must be tables: [[stage]]", file,
                  element.source().begin.line);
    }
    LICHEN_TRY(Recipe stage, ReadStage(*element.as_table(), file, base, common, stages));
    stages.push_back(std::move(stage));
  }
  return stages;
}

Json AsJson(const Recipe& r) {
  const NetworkRecipe& n = r.network;
  const DataRecipe& d = r.data;
  const TrainingRecipe& t = r.training;
  const StageSwitches& w = r.switches;
  return {{"model", r.model},
          {"output", r.output.string()},
          {"network",
           {{"width", n.width},
            {"latent_channels", n.latent_channels},
            {"rdft_kernels", n.rdft_kernels},
            {"latent_bias", n.latent_bias},
            {"hyper_channels", n.hyper_channels},
            {"bfloat16", n.bfloat16}}},
          {"data",
           {{"folder", d.folder.string()},
            {"crop_px", d.crop_px},
            {"min_short_side_px", d.min_short_side_px},
            {"max_short_side_px", d.max_short_side_px},
            {"workers", d.workers},
            {"cache_mib", d.cache_mib}}},
          {"training",
           {{"lambdas", t.lambdas},
            {"balanced", t.is_balanced},
            {"batch", t.batch},
            {"steps", t.steps},
            {"learning_rate", t.learning_rate},
            {"final_learning_rate", t.final_learning_rate},
            {"warmup_steps", t.warmup_steps},
            {"max_gradient_norm", t.max_gradient_norm},
            {"average_decay", t.average_decay},
            {"seed", t.seed},
            {"log_steps", t.log_steps},
            {"checkpoint_steps", t.checkpoint_steps},
            {"start_from", t.start_from.string()},
            {"fresh", t.fresh}}},
          {"stage",
           {{"name", r.stage},
            {"quantise", w.quantise},
            {"mask", w.mask},
            {"fixed_encoder", w.fixed_encoder},
            {"rounded_synthesis", w.rounded_synthesis},
            {"wide_share", w.wide_share},
            {"hyper_warmup_steps", w.hyper_warmup_steps},
            {"hard_rounding", w.hard_rounding},
            {"tables", w.tables},
            {"table_init", w.table_init},
            {"masks_after", w.masks_after},
            {"group_weight", w.group_weight},
            {"context_blocks", w.context_blocks},
            {"row_blocks", w.row_blocks},
            {"parameter_blocks", w.parameter_blocks}}}};
}

}  // namespace

Result<std::vector<Recipe>> ReadRecipe(const fs::path& path, const RecipeOverrides& overrides) {
  LICHEN_TRY(const RecipeFile open,
             OpenRecipeFile(path, overrides.output, {"network", "data", "training"}, {"stage"}));
  const std::string& file = open.file;
  const fs::path& base = open.base;
  const toml::table& network = open.Section("network");
  const toml::table& data = open.Section("data");
  const toml::table& training = open.Section("training");
  const toml::node* stage = open.root.get("stage");
  Recipe recipe;
  recipe.model = open.model;
  recipe.output = open.output;
  if (recipe.model != "bls2017" && recipe.model != "streamlic") {
    return Fail(
        "{}: line {}: model: known are bls2017, streamlic and the networks of docs/train.md", file,
        open.root.get("model")->source().begin.line);
  }
  LICHEN_TRY_VOID(ReadNetwork(network, file, recipe.model == "streamlic", recipe.network));
  LICHEN_TRY_VOID(ReadData(data, file, base, overrides.data_folder, recipe.data));
  LICHEN_TRY_VOID(ReadTraining(training, file, base, recipe.training));
  if (recipe.model == "streamlic" && recipe.data.crop_px % 64 != 0) {
    return Fail("{}: data.crop_px: must be a multiple of 64 for streamlic", file);
  }
  if (overrides.seed) recipe.training.seed = *overrides.seed;
  if (!stage) return std::vector<Recipe>{std::move(recipe)};
  if (recipe.model != "streamlic") {
    return Fail("{}: line {}: stage: only streamlic has stages", file, stage->source().begin.line);
  }
  return ReadStages(stage, file, base, recipe);
}

std::string ToJson(const Recipe& recipe) { return AsJson(recipe).dump(); }

Result<void> CheckSameRun(const std::string& recorded, const Recipe& recipe) {
  return CheckSameValues(
      recorded, ToJson(recipe),
      {"/model", "/network/width", "/network/latent_channels", "/network/rdft_kernels",
       "/network/latent_bias", "/network/hyper_channels", "/data/crop_px",
       "/data/min_short_side_px", "/data/max_short_side_px", "/training/lambdas",
       "/training/balanced", "/training/batch", "/training/seed", "/stage"});
}

}  // namespace lichen
