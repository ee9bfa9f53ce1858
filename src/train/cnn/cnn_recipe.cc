#include "train/cnn/cnn_recipe.h"

#include <nlohmann/json.hpp>

#include "train/recipe_file.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMaxShiftPx = 64;

Result<void> ReadNetwork(const RecipeFile& open, const CnnOverrides& overrides, CnnRecipe& r) {
  TomlSection s(open.Section("network"), open.file, "network");
  s.Read("width_factor", r.width_factor, 1.0 / 64, 4);
  std::string quantiser = "hwgq", bitw, bita;
  s.Read("quantiser", quantiser);
  s.Read("bitw", bitw);
  s.Read("bita", bita);
  LICHEN_TRY_VOID(s.Finish());
  const auto place = [&](const std::string& given, const char* option, const char* key) {
    return given.empty() ? fmt::format("{}: network.{}", open.file, key) : std::string(option);
  };
  LICHEN_TRY(r.precision.quantiser,
             InPlace(open.file + ": network.quantiser", ParseQuantiser(quantiser)));
  LICHEN_TRY(const CnnDefinition net, FindCnn(r.model, r.width_factor));
  if (!overrides.weight_bits.empty()) bitw = overrides.weight_bits;
  if (!overrides.activation_bits.empty()) bita = overrides.activation_bits;
  r.is_search = overrides.is_search;
  if (r.is_search) return {};
  if (bitw.empty() != bita.empty()) {
    return Fail(
        "{}: network: bitw and bita belong together; without both the network is trained in float",
        open.file);
  }
  if (bitw.empty()) return {};
  LICHEN_TRY(r.precision.weight_bits, InPlace(place(overrides.weight_bits, "--bitw", "bitw"),
                                              ParseBits(bitw, net.layers.size())));
  LICHEN_TRY(r.precision.activation_bits,
             InPlace(place(overrides.activation_bits, "--bita", "bita"),
                     ParseBits(bita, net.layers.size())));
  return {};
}

Result<void> ReadData(const RecipeFile& open, const CnnOverrides& overrides, CnnTaskKind task,
                      CnnDataRecipe& d) {
  const fs::path& overriding = overrides.data_folder;
  TomlSection s(open.Section("data"), open.file, "data");
  std::string folder, boxes;
  s.Read("folder", folder);
  if (task == CnnTaskKind::kDetect) {
    s.Read("boxes", boxes);
    s.Read("training_scenes", d.training_scenes, 1, kMaxSteps);
    s.Read("test_scenes", d.test_scenes, 1, 1 << 20);
    if (!boxes.empty()) d.boxes = (open.base / boxes).lexically_normal();
  } else {
    s.Read("max_shift_px", d.max_shift_px, 0, kMaxShiftPx);
  }
  s.Read("flip", d.flip);
  if (!overriding.empty()) {
    d.folder = overriding;
  } else if (folder.empty()) {
    s.Missing("folder");
  } else {
    d.folder = (open.base / folder).lexically_normal();
  }
  LICHEN_TRY_VOID(s.Finish());
  std::error_code error;
  if (!overrides.needs_data || fs::is_directory(d.folder, error)) return {};
  return Fail("{}: data.folder: {} is no folder", overriding.empty() ? open.file : "--data",
              d.folder.string());
}

Result<void> ReadTraining(const RecipeFile& open, bool needs_start, CnnRecipe& r) {
  TomlSection s(open.Section("training"), open.file, "training");
  ReadRunKeys(s, open.base, r.training, needs_start);
  s.Read("weight_decay", r.weight_decay, 0, 1000);
  s.Read("bfloat16", r.bfloat16);
  return s.Finish();
}

Result<void> ReadSearch(const RecipeFile& open, SearchRecipe& search) {
  TomlSection s(open.Section("search"), open.file, "search");
  s.Read("strength", search.strength, 0, 1e6);
  s.Read("board", search.board);
  if (fs::path(search.board).extension() == ".toml") {
    search.board = (open.base / search.board).lexically_normal().string();
  }
  s.Read("choice_learning_rate", search.choice_learning_rate, 0, 10);
  return s.Finish();
}

}  // namespace

Result<CnnRecipe> ReadCnnRecipe(const fs::path& path, const CnnOverrides& overrides) {
  LICHEN_TRY(const RecipeFile open,
             OpenRecipeFile(path, overrides.output, {"network", "data", "training", "search"}));
  CnnRecipe r;
  r.model = open.model;
  r.output = overrides.is_search ? open.output / "search" : open.output;
  r.training.learning_rate = 2e-3;
  r.training.batch = 128;
  r.training.max_gradient_norm = 10;
  LICHEN_TRY_VOID(ReadNetwork(open, overrides, r));
  LICHEN_TRY(const CnnDefinition net, FindCnn(r.model));
  LICHEN_TRY_VOID(ReadData(open, overrides, net.task, r.data));
  LICHEN_TRY_VOID(ReadTraining(open, overrides.needs_start, r));
  if (overrides.seed) r.training.seed = *overrides.seed;
  LICHEN_TRY_VOID(ReadSearch(open, r.search));
  return r;
}

std::string ToJson(const CnnRecipe& r) {
  const TrainingRecipe& t = r.training;
  Json search;
  if (r.is_search) {
    search = {{"strength", r.search.strength},
              {"board", r.search.board},
              {"choice_learning_rate", r.search.choice_learning_rate}};
  }
  return Json{{"model", r.model},
              {"output", r.output.string()},
              {"network",
               {{"width_factor", r.width_factor},
                {"quantiser", NameOf(r.precision.quantiser)},
                {"bitw", BitString(r.precision.weight_bits)},
                {"bita", BitString(r.precision.activation_bits)}}},
              {"data",
               {{"folder", r.data.folder.string()},
                {"boxes", r.data.boxes.string()},
                {"training_scenes", r.data.training_scenes},
                {"test_scenes", r.data.test_scenes},
                {"max_shift_px", r.data.max_shift_px},
                {"flip", r.data.flip}}},
              {"training",
               {{"batch", t.batch},
                {"steps", t.steps},
                {"learning_rate", t.learning_rate},
                {"final_learning_rate", t.final_learning_rate},
                {"warmup_steps", t.warmup_steps},
                {"max_gradient_norm", t.max_gradient_norm},
                {"weight_decay", r.weight_decay},
                {"bfloat16", r.bfloat16},
                {"seed", t.seed},
                {"log_steps", t.log_steps},
                {"checkpoint_steps", t.checkpoint_steps},
                {"start_from", t.start_from.string()},
                {"fresh", t.fresh}}},
              {"search", search}}
      .dump();
}

Result<void> CheckSameRun(const std::string& recorded, const CnnRecipe& recipe) {
  return CheckSameValues(recorded, ToJson(recipe),
                         {"/model", "/network", "/data/max_shift_px", "/data/flip",
                          "/data/training_scenes", "/training/batch", "/training/seed", "/search"});
}

}  // namespace lichen
