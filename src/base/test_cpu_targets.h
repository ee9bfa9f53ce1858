// For tests of kernels that are compiled once per CPU target: runs them with each.
#pragma once

#include <gtest/gtest.h>

#define HWY_WANT_AVX3_DL
#include "hwy/highway.h"
#include "hwy/targets.h"

namespace lichen {

// Runs body once per compiled and supported CPU target, with dispatch forced to it.
template <class Body>
void ForEachCpuTarget(Body body) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace lichen
