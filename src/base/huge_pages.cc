#include "base/huge_pages.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace lichen {
namespace {

constexpr int kDefaultTopPadBytes = 128 << 10;
constexpr size_t kGrowsHeapBytes = size_t{1} << 20;  // more than a small heap has left

}  // namespace

void AdviseHugePages(void* data, size_t bytes) {
#ifdef MADV_HUGEPAGE
  const auto first = reinterpret_cast<uintptr_t>(data);
  const uintptr_t begin = (first + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  const uintptr_t end = (first + bytes) / kHugePageBytes * kHugePageBytes;
  if (begin >= end) return;
  [[maybe_unused]] const int ignored =
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

void ReserveHeap(size_t bytes) {
#ifdef __GLIBC__
  mallopt(M_TOP_PAD, static_cast<int>(bytes));
  void* volatile block = std::malloc(kGrowsHeapBytes);  // or the compiler leaves it out
  std::free(block);
  mallopt(M_TOP_PAD, kDefaultTopPadBytes);
  const auto end = reinterpret_cast<uintptr_t>(::sbrk(0));
  AdviseHugePages(reinterpret_cast<void*>(end - bytes), bytes);
#endif
}

}  // namespace lichen
