// Vectors of 32-bit lanes from and to stored elements of any type.
//
// Contract: included once per target (Highway's foreach_target).

#if defined(LICHEN_KERNELS_ELEMENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LICHEN_KERNELS_ELEMENTS_INL_H_
#undef LICHEN_KERNELS_ELEMENTS_INL_H_
#else
#define LICHEN_KERNELS_ELEMENTS_INL_H_
#endif

#include "base/element_type.h"
#include "hwy/highway.h"
#include "kernels/dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {

HWY_INLINE VI32 LoadElements(const uint8_t* p, ElementType type) {
  const DI32 d;
  const hn::Rebind<int16_t, DI32> d16;
  const hn::Rebind<int8_t, DI32> d8;
  const hn::Rebind<uint8_t, DI32> du8;
  switch (type) {
    case ElementType::kU8:
      return hn::PromoteTo(d, hn::LoadU(du8, p));
    case ElementType::kI8:
      return hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const int8_t*>(p)));
    case ElementType::kI16:
      return hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const int16_t*>(p)));
    case ElementType::kI32:
      break;
  }
  return hn::LoadU(d, reinterpret_cast<const int32_t*>(p));
}

// Values must fit the type.
HWY_INLINE void StoreElements(VI32 v, uint8_t* p, ElementType type) {
  const DI32 d;
  const hn::Rebind<int16_t, DI32> d16;
  const hn::Rebind<int8_t, DI32> d8;
  const hn::Rebind<uint8_t, DI32> du8;
  switch (type) {
    case ElementType::kU8:
      return hn::StoreU(hn::DemoteTo(du8, v), du8, p);
    case ElementType::kI8:
      return hn::StoreU(hn::DemoteTo(d8, v), d8, reinterpret_cast<int8_t*>(p));
    case ElementType::kI16:
      return hn::StoreU(hn::DemoteTo(d16, v), d16, reinterpret_cast<int16_t*>(p));
    case ElementType::kI32:
      return hn::StoreU(v, d, reinterpret_cast<int32_t*>(p));
  }
}

// The first `count` lanes only.
HWY_INLINE void StoreFirst(VI32 v, int64_t count, uint8_t* p, ElementType type) {
  HWY_ALIGN uint8_t buffer[sizeof(int32_t) * 64];
  StoreElements(v, buffer, type);
  std::memcpy(p, buffer, static_cast<size_t>(count * SizeBytes(type)));
}

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();

#endif
