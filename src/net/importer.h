// Reads networks that other projects trained: one entry for all sources.
//
// Contract: the result is NHWC/OHWI whatever the source's order, and has passed CheckFloatNet() or
// CheckIntNet(). metadata["source"] names the source. Errors name the file.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/model.h"

namespace lichen {

using ImportOptions = std::map<std::string, std::string>;

struct ImportSource {
  std::string_view name;         // as in `lichen import <name>`
  std::string_view path;         // what the path has to be
  std::string_view description;  // one line
  std::string_view options;      // "key=meaning; ...", or empty
  Result<Model> (*import)(const std::filesystem::path& path, const ImportOptions& options);
};

std::span<const ImportSource> ImportSources();

// Unknown sources and options are usage errors that list the known ones.
Result<Model> Import(std::string_view source, const std::filesystem::path& path,
                     const ImportOptions& options = {});

}  // namespace lichen
