#include "train/recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "base/toml_section.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMaxSteps = int64_t{1} << 40;

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
  std::string start_from;
  s.Read("lambdas", t.lambdas, 1e-9, 1e6);
  s.Read("balanced", t.is_balanced);
  s.Read("batch", t.batch, 1, 4096);
  s.Read("steps", t.steps, 1, kMaxSteps);
  s.Read("learning_rate", t.learning_rate, 0, 10);
  s.Read("final_learning_rate", t.final_learning_rate, 0, 10);
  s.Read("warmup_steps", t.warmup_steps, 0, kMaxSteps);
  s.Read("max_gradient_norm", t.max_gradient_norm, 1e-9, 1e9);
  s.Read("average_decay", t.average_decay, 0, 0.9999999);
  s.Read("seed", t.seed, 0, INT64_MAX);
  s.Read("log_steps", t.log_steps, 1, kMaxSteps);
  s.Read("checkpoint_steps", t.checkpoint_steps, 1, kMaxSteps);
  s.Read("start_from", start_from);
  s.Read("fresh", t.fresh);
  std::vector<double> sorted = t.lambdas;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    s.Refuse(*s.Find("lambdas"), "lambdas", "must differ from each other");
  }
  if (!start_from.empty()) {
    t.start_from = (base / start_from).lexically_normal();
    std::error_code error;
    if (!fs::is_regular_file(t.start_from, error)) {
      s.Refuse(*s.Find("start_from"), "start_from",
               fmt::format("{} is no file", t.start_from.string()));
    }
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
  const std::string file = path.string();
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, uint64_t{1} << 20));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Fail("{}: line {}: {}", file, parsed.error().source().begin.line,
                parsed.error().description());
  }
  const toml::table& root = parsed.table();
  const fs::path base = path.parent_path();
  Recipe recipe;
  TomlSection s(root, file, "");
  s.Read("model", recipe.model);
  std::string output;
  s.Read("output", output);
  const toml::table empty;
  const auto table = [&](std::string_view key) -> const toml::table& {
    const toml::node* node = s.Find(key);
    if (node && !node->is_table()) s.Refuse(*node, key, "must be a table: [section]");
    return node && node->is_table() ? *node->as_table() : empty;
  };
  const toml::table& network = table("network");
  const toml::table& data = table("data");
  const toml::table& training = table("training");
  const toml::node* stage = s.Find("stage");
  if (recipe.model.empty()) {
    s.Missing("model");
  } else if (recipe.model != "bls2017" && recipe.model != "streamlic") {
    s.Refuse(*s.Find("model"), "model", "known are bls2017 and streamlic");
  }
  if (!overrides.output.empty()) {
    recipe.output = overrides.output;
  } else if (output.empty()) {
    s.Missing("output");
  } else {
    recipe.output = (base / output).lexically_normal();
  }
  LICHEN_TRY_VOID(s.Finish());
  LICHEN_TRY_VOID(ReadNetwork(network, file, recipe.model == "streamlic", recipe.network));
  LICHEN_TRY_VOID(ReadData(data, file, base, overrides.data_folder, recipe.data));
  LICHEN_TRY_VOID(ReadTraining(training, file, base, recipe.training));
  if (recipe.model == "streamlic" && recipe.data.crop_px % 64 != 0) {
    return Fail("{}: data.crop_px: must be a multiple of 64 for streamlic", file);
  }
  if (!stage) return std::vector<Recipe>{std::move(recipe)};
  if (recipe.model != "streamlic") {
    return Fail("{}: line {}: stage: only streamlic has stages", file, stage->source().begin.line);
  }
  return ReadStages(stage, file, base, recipe);
}

std::string ToJson(const Recipe& recipe) { return AsJson(recipe).dump(); }

Result<void> CheckSameRun(const std::string& recorded, const Recipe& recipe) {
  const Json then = Json::parse(recorded, nullptr, false);
  if (!then.is_object()) return Fail("holds no recipe");
  const Json now = AsJson(recipe);
  for (const char* pointer :
       {"/model", "/network/width", "/network/latent_channels", "/network/rdft_kernels",
        "/network/latent_bias", "/network/hyper_channels", "/data/crop_px",
        "/data/min_short_side_px", "/data/max_short_side_px", "/training/lambdas",
        "/training/balanced", "/training/batch", "/training/seed", "/stage"}) {
    const Json::json_pointer at(pointer);
    const Json before = then.contains(at) ? then.at(at) : Json();
    if (before == now.at(at)) continue;
    return Fail("was made with {} = {}, the recipe says {}", std::string(pointer).substr(1),
                before.dump(), now.at(at).dump());
  }
  return {};
}

}  // namespace lichen
