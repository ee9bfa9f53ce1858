// Where the data beside the project lies, and what a test does without it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace lichen {

inline std::filesystem::path SharedData() {
  return std::filesystem::path(LICHEN_SOURCE_DIR) / ".." / "shared";
}

}  // namespace lichen

#define LICHEN_NEEDS_SHARED(path)                                        \
  if (!std::filesystem::exists(::lichen::SharedData() / (path))) {       \
    GTEST_SKIP() << "needs ../shared/" << (path) << ", which is absent"; \
  }
