// Files of a bundle: what `lichen emit` writes.
//
// Contract: identical plans give identical files, without dates or paths. The manifest holds the SHA-256
// of every other file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lichen::accel {

struct BundleFile {
  std::string path;  // within the bundle
  std::vector<uint8_t> bytes;
};

// A hand-written file that the program holds.
struct EmbeddedFile {
  std::string_view path;
  std::string_view text;
};

inline constexpr const char* kManifestName = "manifest.json";
inline constexpr const char* kPlanName = "plan.plan";

BundleFile TextFile(std::string path, std::string_view text);
BundleFile MakeManifest(const std::vector<BundleFile>& files);

}  // namespace lichen::accel
