#include "accel/common/plan_container.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/hash.h"
#include "net/model_file.h"

namespace lichen::accel {
namespace {

// Magic, u32 version, u32 bytes of the description (JSON), the description, the network as a
// .lichen file.
constexpr char kMagic[8] = {'\x89', 'L', 'P', 'L', 'A', 'N', '\r', '\n'};
constexpr uint32_t kVersion = 1;
constexpr size_t kHeadBytes = 16;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 31;
constexpr int64_t kMaxSide = 1 << 24;

void PutU32(std::vector<uint8_t>& out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

Result<PlanFile> ParseDescription(std::span<const uint8_t> bytes) {
  const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  PlanFile file;
  const auto text = [&](const char* key, std::string& value) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_string()) return false;
    value = json[key];
    return true;
  };
  const auto number = [&](const char* key, int64_t& value) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number_integer()) return false;
    value = json[key];
    return value >= 1 && value <= kMaxSide;
  };
  if (!text("family", file.family) || !text("design", file.design) || !text("board", file.board) ||
      !text("graph", file.graph) || !text("constants", file.constants_hash) ||
      !number("height_px", file.height_px) || !number("width_px", file.width_px)) {
    return Fail("its description is damaged; compile it again");
  }
  return file;
}

// The description and the network of a file.
using Parts = std::pair<std::span<const uint8_t>, std::span<const uint8_t>>;
Result<Parts> Split(std::span<const uint8_t> bytes) {
  if (bytes.size() < kHeadBytes || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return Fail("is no plan; make one with `lichen compile`");
  }
  uint32_t version;
  uint32_t text_bytes;
  std::memcpy(&version, &bytes[8], 4);
  std::memcpy(&text_bytes, &bytes[12], 4);
  if (version != kVersion) return Fail("version {} is not {}", version, kVersion);
  if (text_bytes > bytes.size() - kHeadBytes) return Fail("is truncated");
  const auto rest = bytes.subspan(kHeadBytes);
  return Parts{rest.first(text_bytes), rest.subspan(text_bytes)};
}

}  // namespace

std::string HashOf(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return ToHex(hash.Finish());
}

Result<void> WritePlanFile(const std::filesystem::path& path, const PlanFile& file) {
  const nlohmann::json json = {{"family", file.family},
                               {"design", file.design},
                               {"board", file.board},
                               {"graph", file.graph},
                               {"height_px", file.height_px},
                               {"width_px", file.width_px},
                               {"constants", file.constants_hash}};
  const std::string text = json.dump();
  LICHEN_TRY(const std::vector<uint8_t> model, SerializeModel(file.net));
  std::vector<uint8_t> bytes(kMagic, kMagic + sizeof(kMagic));
  PutU32(bytes, kVersion);
  PutU32(bytes, static_cast<uint32_t>(text.size()));
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), model.begin(), model.end());
  return WriteFile(path, std::span<const uint8_t>(bytes));
}

Result<std::string> PlanFamily(const std::filesystem::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, lichen::ReadFile(path, kMaxFileBytes));
  LICHEN_TRY(const auto parts, InPlace(path.string(), Split(bytes)));
  LICHEN_TRY(PlanFile file, InPlace(path.string(), ParseDescription(parts.first)));
  return std::move(file.family);
}

Result<PlanFile> ReadPlanFile(const std::filesystem::path& path) {
  const std::string place = path.string();
  LICHEN_TRY(const std::vector<uint8_t> bytes, lichen::ReadFile(path, kMaxFileBytes));
  LICHEN_TRY(const auto parts, InPlace(place, Split(bytes)));
  LICHEN_TRY(PlanFile file, InPlace(place, ParseDescription(parts.first)));
  LICHEN_TRY(Model model, InPlace(place, ParseModel(parts.second)));
  auto* net = std::get_if<IntNet>(&model);
  if (!net) return Fail("{}: holds a float network", place);
  file.net = std::move(*net);
  return file;
}

}  // namespace lichen::accel
