// Which model a command uses, and loading it.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "codec/codec.h"
#include "net/model.h"

namespace lichen {

// The default model, models/default.lichen: in the folder that the environment variable LICHEN_MODELS names, else beside
// the program (../models, ../share/lichen/models, models), else in the source tree that it was built from. Error: there is none.
Result<std::filesystem::path> DefaultModel();

// `given`, or the default model where it is empty.
Result<std::filesystem::path> ChooseModel(const std::string& given);

// Error: a float network.
Result<IntNet> LoadIntNet(const std::filesystem::path& path);

struct LoadedCodec {
  std::filesystem::path path;
  Codec codec;
};
// The codec of ChooseModel(given).
Result<LoadedCodec> LoadCodec(const std::string& given);

}  // namespace lichen
