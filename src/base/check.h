// Stops the program on a programmer's mistake, naming the place.
//
// LICHEN_CHECK is always on; LICHEN_DCHECK only in debug builds (for hot loops).
// Neither is for bad input: that is a Result (base/result.h).
#pragma once

namespace lichen::internal {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}  // namespace lichen::internal

#define LICHEN_CHECK(condition) \
  ((condition) ? (void)0 : ::lichen::internal::CheckFailed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define LICHEN_DCHECK(condition) ((void)0)
#else
#define LICHEN_DCHECK(condition) LICHEN_CHECK(condition)
#endif
