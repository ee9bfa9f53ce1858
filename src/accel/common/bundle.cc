#include "accel/common/bundle.h"

#include <nlohmann/json.hpp>

#include "accel/common/plan_container.h"

namespace lichen::accel {

BundleFile TextFile(std::string path, std::string_view text) {
  return {std::move(path), {text.begin(), text.end()}};
}

BundleFile MakeManifest(const std::vector<BundleFile>& files) {
  nlohmann::ordered_json hashes;
  for (const BundleFile& file : files) hashes[file.path] = HashOf(file.bytes);
  return TextFile(kManifestName, nlohmann::ordered_json{{"files", hashes}}.dump(2) + "\n");
}

}  // namespace lichen::accel
