// Which model a command uses, and loading it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "codec/codec.h"
#include "net/model.h"
#include "net/model_index.h"

namespace lichen {

// The models that come with the program: those that index.toml of the models' folder lists, or the one model
// default.lichen where there is no such file.
struct DefaultModels {
  std::filesystem::path folder;
  ModelIndex index;

  // The models of a family by rising rate, those of the default model where `name` is empty.
  // Error: there are none; names those that are.
  Result<std::vector<ModelEntry>> Family(const std::string& name) const;
};

// The folder is the one that the environment variable LICHEN_MODELS names, else the first of those beside the program
// (../models, ../share/lichen/models, models) and in the source tree that it was built from that holds
// index.toml or default.lichen. Error: none does.
Result<DefaultModels> FindDefaultModels();

// The index's default.
Result<std::filesystem::path> DefaultModel();

// `given`, or the default model where it is empty.
Result<std::filesystem::path> ChooseModel(const std::string& given);

// Error: a float network.
Result<IntNet> LoadIntNet(const std::filesystem::path& path, const Threads& threads = Threads(1));

// The size of a network's pictures: "HEIGHTxWIDTH" as given, else what the model states (metadata input_size).
// Error: neither, or no size.
Result<Size2> PictureSize(const std::string& given, const IntNet& net,
                          const std::filesystem::path& model);

struct LoadedCodec {
  std::filesystem::path path;
  Codec codec;
};
// The codec of ChooseModel(given).
Result<LoadedCodec> LoadCodec(const std::string& given, const Threads& threads);

// The codec for a bitstream of this identity: `given`, or that of the default models, of all
// families, which has it. Error: none has; names `bitstream`.
Result<LoadedCodec> LoadCodecFor(const std::string& given, const Sha256Digest& identity,
                                 const std::string& bitstream, const Threads& threads);

}  // namespace lichen
