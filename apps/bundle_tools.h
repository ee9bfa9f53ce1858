// What commands do with an emitted bundle: check it, build it, run it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "accel/common/bundle.h"
#include "apps/command.h"
#include "base/result.h"

namespace lichen {

// Runs a shell line; its output goes to `log`. Error: the line fails; its end is in the message.
Result<void> RunShell(const std::string& line, const std::filesystem::path& log,
                      std::string_view what);

// The files of a bundle, by its manifest. Every one must be as it was emitted, unless `is_edited`.
Result<std::vector<std::string>> CheckManifest(const std::filesystem::path& folder, bool is_edited);

// Adds their manifest to the files and writes them. A new folder appears whole or not at all. In one that holds a
// bundle, files that changed are replaced and those of its old manifest alone removed; the manifest comes last, so that
// a bundle left in between does not pass for whole. Error: the folder holds something else.
Result<void> WriteBundle(const std::filesystem::path& folder,
                         std::vector<accel::BundleFile>& files);

// The same with the plan file, and says so; gives what JSON says of it.
Result<nlohmann::ordered_json> WritePlanBundle(const std::string& plan, const std::string& folder,
                                               std::vector<accel::BundleFile> files,
                                               const CommonOptions& common);

// Builds `folder`/build/verify of these sources. Error: Verilator is missing or refuses.
Result<void> BuildWithVerilator(const std::filesystem::path& folder, const std::string& top,
                                const std::vector<std::string>& parameters,
                                const std::vector<std::string>& sources,
                                const std::string& compiler_flags = "");

}  // namespace lichen
