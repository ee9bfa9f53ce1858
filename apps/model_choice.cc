#include "apps/model_choice.h"

#include <cstdlib>
#include <vector>

#include "net/model_file.h"

namespace lichen {

namespace fs = std::filesystem;

Result<fs::path> DefaultModel() {
  std::vector<fs::path> folders;
  if (const char* given = std::getenv("LICHEN_MODELS"); given && *given) {
    folders.emplace_back(given);
  } else {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) {
      const fs::path folder = program.parent_path();
      folders = {folder / "../models", folder / "../share/lichen/models", folder / "models"};
    }
    folders.emplace_back(LICHEN_MODEL_DIR);
  }
  for (const fs::path& folder : folders) {
    const fs::path path = (folder / "default.lichen").lexically_normal();
    std::error_code error;
    if (fs::exists(path, error)) return path;
  }
  return Fail(
      "no default model {}: name a model with --model, or its folder in the environment "
      "variable LICHEN_MODELS",
      (folders.front() / "default.lichen").lexically_normal().string());
}

Result<fs::path> ChooseModel(const std::string& given) {
  if (given.empty()) return DefaultModel();
  return fs::path(given);
}

Result<IntNet> LoadIntNet(const fs::path& path) {
  LICHEN_TRY(Model model, LoadModel(path));
  if (auto* net = std::get_if<IntNet>(&model)) return std::move(*net);
  return Fail("{}: is a float network; make an integer one with `lichen quantize`", path.string());
}

Result<LoadedCodec> LoadCodec(const std::string& given) {
  LICHEN_TRY(const fs::path path, ChooseModel(given));
  LICHEN_TRY(const IntNet net, LoadIntNet(path));
  LICHEN_TRY(Codec codec, InPlace(path.string(), Codec::Create(net)));
  return LoadedCodec{path, std::move(codec)};
}

}  // namespace lichen
