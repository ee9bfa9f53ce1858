#include "apps/bundle_tools.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "accel/common/plan_container.h"
#include "base/files.h"
#include "base/shell_quote.h"

namespace lichen {

namespace fs = std::filesystem;

namespace {

Result<void> Write(const fs::path& folder, const accel::BundleFile& file) {
  return WriteFile(folder / file.path, std::span<const uint8_t>(file.bytes));
}

Result<void> WriteNewFolder(const fs::path& folder, const std::vector<accel::BundleFile>& files) {
  std::error_code error;
  const fs::path whole = fs::absolute(folder.has_filename() ? folder : folder.parent_path(), error);
  const fs::path partial =
      whole.parent_path() / fmt::format(".{}.{}", whole.filename().string(), ::getpid());
  const auto write = [&]() -> Result<void> {
    for (const accel::BundleFile& file : files) LICHEN_TRY_VOID(Write(partial, file));
    fs::rename(partial, whole, error);
    if (error) return Fail("{}: cannot be written: {}", folder.string(), error.message());
    return {};
  };
  const Result<void> written = write();
  if (!written) fs::remove_all(partial, error);
  return written;
}

}  // namespace

Result<void> RunShell(const std::string& line, const fs::path& log, std::string_view what) {
  constexpr size_t kShown = 1500;
  const int status =
      std::system(fmt::format("{{ {}; }} >{} 2>&1", line, ShellQuoted(log.string())).c_str());
  if (status == 0) return {};
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(log, uint64_t{1} << 26));
  const std::string text(bytes.begin(), bytes.end());
  return Fail("{} failed; the end of {}:\n{}", what, log.string(),
              text.substr(text.size() - std::min(text.size(), kShown)));
}

Result<std::vector<std::string>> CheckManifest(const fs::path& folder, bool is_edited) {
  const fs::path path = folder / accel::kManifestName;
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, 1 << 22));
  const auto manifest = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_object()) {
    return Fail("{}: is damaged; emit the bundle again, into a new folder", path.string());
  }
  std::vector<std::string> names;
  for (const auto& [name, hash] : manifest["files"].items()) {
    const fs::path relative(name);
    if (relative.is_absolute() || name.find("..") != name.npos) {
      return Fail("{}: names a file outside of the bundle", path.string());
    }
    names.push_back(name);
    if (is_edited) continue;
    LICHEN_TRY(const std::vector<uint8_t> content, ReadFile(folder / relative));
    if (!hash.is_string() || accel::HashOf(content) != hash.get<std::string>()) {
      return Fail("{}: was edited; emit the bundle again, or verify it as it is with --edited",
                  (folder / relative).string());
    }
  }
  return names;
}

Result<void> WriteBundle(const fs::path& folder, std::vector<accel::BundleFile>& files) {
  files.push_back(accel::MakeManifest(files));
  std::error_code error;
  if (!fs::exists(folder, error) || fs::is_empty(folder, error)) {
    return WriteNewFolder(folder, files);
  }
  const Result<std::vector<std::string>> old = CheckManifest(folder, /*is_edited=*/true);
  if (!old) {
    return Fail("{}: is there already and holds no bundle; name a new folder", folder.string());
  }
  std::set<std::string> names;
  for (const accel::BundleFile& file : files) {
    names.insert(file.path);
    // A file that is as it was keeps its time, so that nothing is built again for its sake.
    const auto before = ReadFile(folder / file.path);
    if (!before || *before != file.bytes) LICHEN_TRY_VOID(Write(folder, file));
  }
  for (const std::string& name : *old) {
    if (!names.contains(name)) fs::remove(folder / name, error);
  }
  return {};
}

Result<nlohmann::ordered_json> WritePlanBundle(const std::string& plan, const std::string& folder,
                                               std::vector<accel::BundleFile> files,
                                               const CommonOptions& common) {
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(plan));
  files.push_back({accel::kPlanName, std::move(bytes)});
  LICHEN_TRY_VOID(WriteBundle(folder, files));
  uint64_t total = 0;
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const accel::BundleFile& file : files) {
    total += file.bytes.size();
    names.push_back(file.path);
  }
  PrintText(common, "{}: {} files, {} bytes\n", folder, files.size(), total);
  return nlohmann::ordered_json{{"output", folder}, {"files", names}, {"bytes", total}};
}

Result<void> BuildWithVerilator(const fs::path& folder, const std::string& top,
                                const std::vector<std::string>& parameters,
                                const std::vector<std::string>& sources,
                                const std::string& compiler_flags) {
  if (std::system("command -v verilator >/dev/null 2>&1") != 0) {
    return Fail("verilator is not installed (Debian: apt-get install verilator)");
  }
  const std::string line = fmt::format(
      "cd {} && verilator --cc --exe --build -j 2 --assert -O3 -Wno-fatal --top-module {} --prefix "
      "V{} -Mdir build -o verify {} -MAKEFLAGS OPT_FAST=-O2 -CFLAGS '-std=c++20 -O2 {}' {}",
      ShellQuoted(folder.string()), top, top, fmt::join(parameters, " "), compiler_flags,
      fmt::join(sources, " "));
  std::error_code error;
  fs::create_directories(folder / "build", error);
  return RunShell(line, folder / "build/verilator.log", "building the RTL with Verilator");
}

}  // namespace lichen
