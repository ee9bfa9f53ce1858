// A word for a POSIX shell's command line.
#pragma once

#include <string>
#include <string_view>

namespace lichen {

// In single quotes, so that the shell takes every byte as it is.
inline std::string ShellQuoted(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace lichen
