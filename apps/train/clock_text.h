// Seconds for people.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace lichen {

// h:mm:ss
inline std::string ClockText(double seconds) {
  const auto s = static_cast<int64_t>(seconds);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace lichen
