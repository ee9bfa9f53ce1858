// The models of a folder that a program may choose among: names, families, and how large and how
// good their files are (models/index.toml, docs/formats.md).
//
// Contract: the file is not trusted; errors name file and line. Files of models are named without
// folders. Nothing here opens them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

struct ModelEntry {
  std::string name;
  std::string file;      // in the index's folder
  std::string family;    // models that differ in rate alone
  double bpp = 0;        // means over the Kodak pictures
  double psnr_db = 0;    // 0: unknown
  int quality = 0;       // the highest --quality that means this model; 0: by its place
  std::string identity;  // 64 hexadecimal digits, or "": a hint that spares a search
};

struct ModelIndex {
  std::string default_model;  // a name
  std::vector<ModelEntry> models;

  const ModelEntry* Find(std::string_view name) const;
  // The models of a family by rising rate. The family of the default model where the name is empty.
  std::vector<ModelEntry> Family(std::string_view name = {}) const;
  std::vector<std::string> FamilyNames() const;  // each once, sorted
};

Result<ModelIndex> ParseModelIndex(std::string_view text, const std::string& place);
Result<ModelIndex> LoadModelIndex(const std::filesystem::path& path);

// The model of quality 1 to 100 in a family (by rising rate, not empty): the first whose `quality`
// is not below it, the last if none is. Where no quality is given, model i of n stands for the
// qualities up to 100 * (i + 1) / n.
size_t ModelForQuality(const std::vector<ModelEntry>& family, int quality);

}  // namespace lichen
