#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_file.h"
#include "net/import/safetensors.h"
#include "net/importer.h"

namespace lichen {
namespace {

void CheckFile(const Safetensors& file) {
  for (const auto& [name, entry] : file.entries()) {
    LICHEN_CHECK(file.Has(name) && entry.begin_bytes <= entry.end_bytes);
    const auto integers = file.GetIntegers(name);
    const auto floats = file.GetFloats(name);
    LICHEN_CHECK(!integers || !floats);
    if (integers) {
      LICHEN_CHECK(static_cast<int64_t>(integers->values.size()) == entry.Count());
    }
    if (floats) LICHEN_CHECK(static_cast<int64_t>(floats->size()) == entry.Count());
  }
}

}  // namespace

void FuzzSafetensors(std::span<const uint8_t> bytes) {
  if (const auto file = Safetensors::Parse({bytes.begin(), bytes.end()}, "input")) CheckFile(*file);
  const MemoryFile memory(bytes);
  if (const auto file = Safetensors::Read(memory.path(), uint64_t{1} << 20)) {
    CheckFile(*file);
    (void)Import("streamlic", memory.path());  // passes its own check, or says why not
    (void)Import("mixq", memory.path());
  }
}

}  // namespace lichen
