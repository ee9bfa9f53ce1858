#include "base/check.h"
#include "base/npy.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_file.h"

namespace lichen {

void FuzzNpy(std::span<const uint8_t> bytes) {
  const MemoryFile file(bytes);
  const auto array = ReadNpy(file.path(), uint64_t{1} << 24);
  if (!array) return;
  const size_t count = static_cast<size_t>(array->Count());
  LICHEN_CHECK((array->is_float ? array->floats.size() : array->integers.size()) == count);
  LICHEN_CHECK((array->is_float ? array->integers.size() : array->floats.size()) == 0);
}

}  // namespace lichen
