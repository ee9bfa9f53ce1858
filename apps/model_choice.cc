#include "apps/model_choice.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "flow/model_input.h"
#include "net/identity.h"
#include "net/model_file.h"

namespace lichen {

namespace fs = std::filesystem;

namespace {

constexpr const char* kIndexName = "index.toml";
constexpr const char* kModelName = "default.lichen";

std::vector<fs::path> ModelFolders() {
  if (const char* given = std::getenv("LICHEN_MODELS"); given && *given) return {given};
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path folder = program.parent_path();
    folders = {folder / "../models", folder / "../share/lichen/models", folder / "models"};
  }
  folders.emplace_back(LICHEN_MODEL_DIR);
  return folders;
}

}  // namespace

Result<std::vector<ModelEntry>> DefaultModels::Family(const std::string& name) const {
  std::vector<ModelEntry> family = index.Family(name);
  if (!family.empty()) return family;
  return FailUsage("no family '{}' in {}; there are: {}", name, (folder / kIndexName).string(),
                   fmt::join(index.FamilyNames(), ", "));
}

Result<DefaultModels> FindDefaultModels() {
  const std::vector<fs::path> folders = ModelFolders();
  for (const fs::path& folder : folders) {
    const fs::path index = (folder / kIndexName).lexically_normal();
    std::error_code error;
    if (fs::exists(index, error)) {
      DefaultModels models{.folder = index.parent_path()};
      LICHEN_TRY(models.index, LoadModelIndex(index));
      return models;
    }
    if (fs::exists(folder / kModelName, error)) {
      const ModelEntry only{.name = "default", .file = kModelName, .family = "default"};
      return DefaultModels{.folder = index.parent_path(),
                           .index = {.default_model = only.name, .models = {only}}};
    }
  }
  return Fail(
      "no default model {}: name a model with --model, or its folder in the environment "
      "variable LICHEN_MODELS",
      (folders.front() / kModelName).lexically_normal().string());
}

Result<fs::path> DefaultModel() {
  LICHEN_TRY(const DefaultModels models, FindDefaultModels());
  return models.folder / models.index.Find(models.index.default_model)->file;
}

Result<fs::path> ChooseModel(const std::string& given) {
  if (given.empty()) return DefaultModel();
  return fs::path(given);
}

Result<IntNet> LoadIntNet(const fs::path& path, const Threads& threads) {
  LICHEN_TRY(Model model, LoadModel(path, threads));
  if (auto* net = std::get_if<IntNet>(&model)) return std::move(*net);
  return Fail("{}: is a float network; make an integer one with `lichen quantize`", path.string());
}

Result<LoadedCodec> LoadCodec(const std::string& given, const Threads& threads) {
  LICHEN_TRY(const fs::path path, ChooseModel(given));
  LICHEN_TRY(IntNet net, LoadIntNet(path, threads));
  LICHEN_TRY(Codec codec, InPlace(path.string(), Codec::Create(std::move(net))));
  return LoadedCodec{path, std::move(codec)};
}

Result<LoadedCodec> LoadCodecFor(const std::string& given, const Sha256Digest& identity,
                                 const std::string& bitstream, const Threads& threads) {
  if (!given.empty()) return LoadCodec(given, threads);
  LICHEN_TRY(const DefaultModels models, FindDefaultModels());
  std::vector<ModelEntry> entries = models.index.models;
  const std::string wanted = ToHex(identity);
  // The one that the index says it is first, then those of which it says nothing, then the rest.
  std::ranges::stable_sort(entries, {}, [&](const ModelEntry& entry) {
    return entry.identity == wanted ? 0 : entry.identity.empty() ? 1 : 2;
  });
  std::optional<Error> broken;  // a damaged model matters only where no other fits
  for (const ModelEntry& entry : entries) {
    const fs::path path = models.folder / entry.file;
    Result<IntNet> net = LoadIntNet(path, threads);
    if (!net) {
      if (!broken) broken = net.error();
      continue;
    }
    const bool is_named = entry.identity == wanted;  // the index may err
    if (!is_named && ModelIdentity(*net) != identity) continue;
    LICHEN_TRY(Codec codec, InPlace(path.string(), Codec::Create(std::move(*net))));
    if (is_named) codec.Prepare(false, threads);
    if (codec.identity() != identity) continue;
    return LoadedCodec{path, std::move(codec)};
  }
  return Fail(
      "{}: was encoded with the model of identity {}, which is none of the {} in {}{}: give its "
      "model with --model",
      bitstream, wanted, entries.size(), models.folder.string(),
      broken ? fmt::format(" ({})", broken->message) : std::string());
}

Result<Size2> PictureSize(const std::string& given, const IntNet& net, const fs::path& model) {
  if (!given.empty()) return InPlace("--size", ParseSize(given));
  const auto stated = net.metadata.find("input_size");
  if (stated != net.metadata.end()) return InPlace(model.string(), ParseSize(stated->second));
  return FailUsage("--size HEIGHTxWIDTH is required: {} does not state the size of its pictures",
                   model.string());
}

}  // namespace lichen
