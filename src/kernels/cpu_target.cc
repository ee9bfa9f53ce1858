#include "kernels/cpu_target.h"

#include <algorithm>
#include <cctype>

#include "hwy/highway.h"

namespace lichen {
namespace {

constexpr int64_t kKnownTargets[] = {HWY_AVX3_DL, HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_SCALAR};

std::string NameOf(int64_t target) {
  std::string name = hwy::TargetName(target);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

int64_t g_chosen = 0;

// What the machine can run, whatever was chosen.
int64_t MachineTargets() {
  hwy::SetSupportedTargetsForTest(0);
  const int64_t targets = hwy::SupportedTargets() | HWY_SCALAR;
  if (g_chosen != 0) hwy::SetSupportedTargetsForTest(g_chosen);
  return targets;
}

}  // namespace

std::vector<std::string> SupportedCpuTargets() {
  const int64_t machine = MachineTargets();
  std::vector<std::string> names;
  for (int64_t target : kKnownTargets) {
    if (machine & target) names.push_back(NameOf(target));
  }
  return names;
}

Result<void> SetCpuTarget(const std::string& name) {
  if (name.empty()) {
    g_chosen = 0;
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return {};
  }
  const int64_t machine = MachineTargets();
  for (int64_t target : kKnownTargets) {
    if (NameOf(target) == name && (machine & target)) {
      g_chosen = target;
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(target);
      return {};
    }
  }
  return FailUsage("CPU target '{}' is not supported here; choose one of: {}", name,
                   fmt::join(SupportedCpuTargets(), ", "));
}

std::string ActiveCpuTarget() {
  return g_chosen != 0 ? NameOf(g_chosen) : SupportedCpuTargets().front();
}

}  // namespace lichen
