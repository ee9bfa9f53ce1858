// What commands do with an emitted bundle: check it, build it, run it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "accel/common/bundle.h"
#include "base/result.h"

namespace lichen {

// Runs a shell line; its output goes to `log`. Error: the line fails; its end is in the message.
Result<void> RunShell(const std::string& line, const std::filesystem::path& log,
                      std::string_view what);

// Every file must be as it was emitted, unless `is_edited`.
Result<void> CheckManifest(const std::filesystem::path& folder, bool is_edited);

// Writes the files and their manifest; gives the sum of their sizes.
Result<uint64_t> WriteBundle(const std::filesystem::path& folder,
                             std::vector<accel::BundleFile>& files);

// Builds `folder`/build/verify of these sources. Error: Verilator is missing or refuses.
Result<void> BuildWithVerilator(const std::filesystem::path& folder, const std::string& top,
                                const std::vector<std::string>& parameters,
                                const std::vector<std::string>& sources);

}  // namespace lichen
