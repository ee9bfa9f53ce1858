// What libFuzzer calls: the body that LICHEN_FUZZ_TARGET names.
#include "base/check.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const lichen::FuzzTarget& target : lichen::kFuzzTargets) {
    if (target.name != LICHEN_FUZZ_TARGET) continue;
    target.run({data, size});
    return 0;
  }
  LICHEN_CHECK(false);
}
