// `lichen export --format mixq-hls` and `lichen verify` of its folders.
#pragma once

#include <filesystem>
#include <string>

#include "apps/command.h"

namespace lichen {

inline constexpr const char* kMixqFormat = "mixq-hls";

struct MixqExportOptions {
  std::string model;
  std::string output;
  std::string simd_pe;
  std::string size;   // "": the model's input_size
  std::string image;  // "": a rendered picture
};

Result<Exit> ExportMixq(const MixqExportOptions& o, const CommonOptions& common);

bool IsMixqExport(const std::filesystem::path& folder);

// Builds the C simulation, runs it on the folder's picture or on `image`, and compares every layer with the engine.
Result<Exit> VerifyMixq(const std::filesystem::path& folder, const std::string& image,
                        bool is_edited, const CommonOptions& common);

}  // namespace lichen
