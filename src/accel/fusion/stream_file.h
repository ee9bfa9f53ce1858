// A stream and, beside it in STREAM.json, the job that it was compiled for.
//
// Contract: STREAM holds the instruction text alone, as the original's compiler writes it; what a run needs besides lies in
// STREAM.json: mode, shapes, padding, array, buffers, operand widths, and the SHA-256 of the text. Both are untrusted.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accel/fusion/window_job.h"
#include "base/result.h"

namespace lichen::fusion {

std::filesystem::path JobPath(const std::filesystem::path& stream);

struct StreamFile {
  std::vector<uint8_t> bytes;
  std::optional<WindowJob> job;  // nothing where there is no STREAM.json
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

// Error: a file that cannot be read, or a STREAM.json that is damaged or belongs to another text.
Result<StreamFile> LoadStream(const std::filesystem::path& path);

// `sha256` is the text's, in hexadecimal.
Result<void> SaveStream(const std::filesystem::path& path, const WindowJob& job,
                        std::string_view text, const std::string& sha256);

}  // namespace lichen::fusion
