// Writes networks in the formats of other projects: the way back of net/importer.h.
//
// Contract: what is written gives the same graphs, tables and identity when it is imported again;
// this is tried on the very bytes before any of them reaches a file. A network that a format cannot
// carry is an error that names the first thing in the way. Output appears whole or not at all.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "base/result.h"
#include "net/model.h"

namespace lichen {

struct ExportFormat {
  std::string_view name;         // as in `lichen export --format <name>`, and as the ImportSource
  std::string_view path;         // what is written
  std::string_view description;  // one line
  Result<void> (*write)(const Model& model, const std::filesystem::path& output);
};

std::span<const ExportFormat> ExportFormats();

// Unknown formats are usage errors that list the known ones.
Result<void> Export(std::string_view format, const Model& model,
                    const std::filesystem::path& output);

}  // namespace lichen
