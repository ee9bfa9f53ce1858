#include "apps/verify_hls.h"

#include <cstdlib>

#include "accel/tile/emit_hls.h"
#include "apps/bundle_tools.h"
#include "base/files.h"
#include "base/shell_quote.h"

namespace lichen {
namespace fs = std::filesystem;

Result<std::vector<bool>> VerifyHls(const fs::path& folder, const tile::Plan& plan,
                                    const BundleRun& bundle) {
  if (std::system("command -v g++ >/dev/null 2>&1") != 0) {
    return Fail("g++ is not installed (Debian: apt-get install g++)");
  }
  const fs::path build = folder / "build";
  std::error_code error;
  fs::create_directories(build, error);
  LICHEN_TRY_VOID(RunShell(fmt::format("cd {} && {}", ShellQuoted(folder.string()),
                                       tile::HlsBuildCommand("build/hls_tb")),
                           build / "hls_build.log", "building the HLS engine with g++"));
  const fs::path in = build / "memory_in.bin";
  const fs::path out = build / "memory_out.bin";
  LICHEN_TRY_VOID(WriteFile(in, std::span<const uint8_t>(bundle.memory)));
  LICHEN_TRY_VOID(RunShell(fmt::format("{} {} {}", ShellQuoted((build / "hls_tb").string()),
                                       ShellQuoted(in.string()), ShellQuoted(out.string())),
                           build / "hls_run.log", "running the HLS engine"));
  LICHEN_TRY(const std::vector<uint8_t> after, ReadFile(out));
  if (after.size() != bundle.memory.size()) {
    return Fail("{}: has {} bytes, the memory has {}", out.string(), after.size(),
                bundle.memory.size());
  }
  std::vector<bool> equal;
  for (size_t i = 0; i < plan.layers.size(); ++i) equal.push_back(bundle.IsEqual(plan, i, after));
  return equal;
}

}  // namespace lichen
