#include "net/graph.h"

#include <array>

#include "base/check.h"

namespace lichen {

std::string_view Name(OpKind kind) {
  static constexpr std::array<std::string_view, kOpKindCount> kNames = {
      "Conv2d", "ConvTranspose2d", "DepthToSpace", "SpaceToDepth", "Gdn",     "Igdn",
      "Lagc",   "LeakyRelu",       "Add",          "Concat",       "MaxPool", "Linear",
      "Lut",    "Clamp",           "Requant"};
  const auto index = static_cast<size_t>(kind);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace lichen
