#include "net/model_index.h"

#include <algorithm>
#include <optional>
#include <set>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "base/files.h"

namespace lichen {
namespace {

constexpr uint64_t kMaxIndexBytes = 1 << 20;

std::string LineOf(const std::string& place, const toml::node& node) {
  return fmt::format("{}: line {}", place, std::max(node.source().begin.line, 1U));
}

Result<void> CheckKeys(const toml::table& table, const std::string& place,
                       const std::vector<std::string_view>& known) {
  for (const auto& [key, node] : table) {
    if (std::ranges::find(known, key.str()) != known.end()) continue;
    return Fail("{}: line {}: unknown key '{}'; known are {}", place,
                std::max(key.source().begin.line, 1U), key.str(), fmt::join(known, ", "));
  }
  return {};
}

Result<std::string> ReadText(const toml::table& table, const std::string& place,
                             std::string_view key, bool is_required) {
  const toml::node* node = table.get(key);
  if (!node && !is_required) return std::string();
  if (!node) return Fail("{}: '{}' is missing", LineOf(place, table), key);
  const auto text = node->value_exact<std::string>();
  if (!text || text->empty()) {
    return Fail("{}: '{}' must be a text in quotes", LineOf(place, *node), key);
  }
  return *text;
}

Result<double> ReadNumber(const toml::table& table, const std::string& place, std::string_view key,
                          double max, bool is_required) {
  const toml::node* node = table.get(key);
  if (!node && !is_required) return 0;
  if (!node) return Fail("{}: '{}' is missing", LineOf(place, table), key);
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value || !(*value > 0 && *value <= max)) {
    return Fail("{}: '{}' must be a number above 0, {} at most", LineOf(place, *node), key, max);
  }
  return *value;
}

Result<ModelEntry> ReadEntry(const toml::table& table, const std::string& place) {
  LICHEN_TRY_VOID(
      CheckKeys(table, place, {"name", "file", "family", "bpp", "psnr_db", "quality", "identity"}));
  ModelEntry entry;
  LICHEN_TRY(entry.name, ReadText(table, place, "name", true));
  LICHEN_TRY(entry.file, ReadText(table, place, "file", true));
  LICHEN_TRY(entry.family, ReadText(table, place, "family", true));
  LICHEN_TRY(entry.bpp, ReadNumber(table, place, "bpp", 1000, true));
  LICHEN_TRY(entry.psnr_db, ReadNumber(table, place, "psnr_db", 1000, false));
  LICHEN_TRY(const double quality, ReadNumber(table, place, "quality", 100, false));
  entry.quality = static_cast<int>(quality);
  if (quality != entry.quality) {
    return Fail("{}: 'quality' must be a whole number", LineOf(place, *table.get("quality")));
  }
  LICHEN_TRY(entry.identity, ReadText(table, place, "identity", false));
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!entry.identity.empty() &&
      (entry.identity.size() != 64 || !std::ranges::all_of(entry.identity, is_hex))) {
    return Fail("{}: 'identity' must be 64 digits 0-9a-f", LineOf(place, *table.get("identity")));
  }
  const std::filesystem::path file(entry.file);
  if (file.filename() != file || entry.file == "." || entry.file == "..") {
    return Fail("{}: 'file' must be a name without folders", LineOf(place, *table.get("file")));
  }
  return entry;
}

// Within a family all models state a quality or none, and it rises with the rate.
Result<void> CheckQualities(const ModelIndex& index, const std::string& place) {
  for (const std::string& name : index.FamilyNames()) {
    const std::vector<ModelEntry> family = index.Family(name);
    for (size_t i = 1; i < family.size(); ++i) {
      const ModelEntry& lower = family[i - 1];
      const ModelEntry& upper = family[i];
      if ((lower.quality == 0) != (upper.quality == 0)) {
        return Fail("{}: family {}: either all models state a quality or none", place, name);
      }
      if (upper.quality != 0 && lower.quality >= upper.quality) {
        return Fail("{}: family {}: model {} has a higher bpp than {}, but no higher quality",
                    place, name, upper.name, lower.name);
      }
    }
  }
  return {};
}

}  // namespace

const ModelEntry* ModelIndex::Find(std::string_view name) const {
  for (const ModelEntry& entry : models) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::vector<ModelEntry> ModelIndex::Family(std::string_view name) const {
  std::string_view wanted = name;
  if (const ModelEntry* entry = Find(default_model); wanted.empty() && entry) {
    wanted = entry->family;
  }
  std::vector<ModelEntry> family;
  for (const ModelEntry& entry : models) {
    if (entry.family == wanted) family.push_back(entry);
  }
  std::ranges::stable_sort(family, {}, &ModelEntry::bpp);
  return family;
}

std::vector<std::string> ModelIndex::FamilyNames() const {
  std::set<std::string> names;
  for (const ModelEntry& entry : models) names.insert(entry.family);
  return {names.begin(), names.end()};
}

Result<ModelIndex> ParseModelIndex(std::string_view text, const std::string& place) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Fail("{}: line {}: {}", place, std::max(parsed.error().source().begin.line, 1U),
                parsed.error().description());
  }
  const toml::table& root = parsed.table();
  LICHEN_TRY_VOID(CheckKeys(root, place, {"default", "model"}));
  ModelIndex index;
  LICHEN_TRY(index.default_model, ReadText(root, place, "default", true));
  const toml::node* models = root.get("model");
  if (!models || !models->is_array_of_tables()) {
    return Fail("{}: holds no models: write a [[model]] for each", place);
  }
  std::set<std::string> names, files;
  for (const toml::node& node : *models->as_array()) {
    LICHEN_TRY(ModelEntry entry, ReadEntry(*node.as_table(), place));
    if (!names.insert(entry.name).second || !files.insert(entry.file).second) {
      return Fail("{}: model {}: its name or file stands there twice", LineOf(place, node),
                  entry.name);
    }
    index.models.push_back(std::move(entry));
  }
  if (!index.Find(index.default_model)) {
    return Fail("{}: default = '{}' is none of the models", LineOf(place, *root.get("default")),
                index.default_model);
  }
  LICHEN_TRY_VOID(CheckQualities(index, place));
  return index;
}

Result<ModelIndex> LoadModelIndex(const std::filesystem::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, kMaxIndexBytes));
  return ParseModelIndex({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                         path.string());
}

size_t ModelForQuality(const std::vector<ModelEntry>& family, int quality) {
  const auto count = static_cast<int>(family.size());
  for (int i = 0; i < count; ++i) {
    const int given = family[static_cast<size_t>(i)].quality;
    const int upper = given != 0 ? given : 100 * (i + 1) / count;
    if (quality <= upper) return static_cast<size_t>(i);
  }
  return family.size() - 1;
}

}  // namespace lichen
