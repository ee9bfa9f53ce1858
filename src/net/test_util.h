// Helpers of this room's tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "net/graph_builder.h"
#include "net/importer.h"
#include "net/shapes.h"

namespace lichen {

inline std::filesystem::path SharedPath(const std::string& name) {
  return std::filesystem::path(LICHEN_SOURCE_DIR) / ".." / "shared" / name;
}

#define LICHEN_SKIP_WITHOUT(path)                             \
  if (!std::filesystem::exists(path)) {                       \
    GTEST_SKIP() << path << " is absent; this test needs it"; \
  }

// The size of a tensor by name; fails the test if it is absent.
template <class GraphType>
Size2 SizeOf(const GraphType& graph, const std::vector<Size2>& sizes, std::string_view name) {
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    if (graph.tensors[i].name == name) return sizes[i];
  }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

// Index of a tensor by name, or -1.
template <class GraphType>
int FindTensor(const GraphType& graph, std::string_view name) {
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    if (graph.tensors[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace lichen
