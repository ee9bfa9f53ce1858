// Tensors in the machine's memory.
#include <algorithm>

#include "accel/fusion/plan.h"

namespace lichen::fusion {
namespace {

// The digit address within a plane's row of element (x, c).
int64_t DigitAt(const TensorPlace& place, const PlanePlace& plane, int64_t x, int64_t c) {
  return ((place.border.left + x) * place.channels + c) * plane.plane.digits;
}

int64_t RowAddress(const TensorPlace& place, const PlanePlace& plane, int64_t y) {
  return plane.address_bytes + (place.border.top + y) * plane.row_stride_bytes;
}

}  // namespace

Result<std::vector<uint8_t>> MakeMemory(const Plan& plan, const Tensor<int32_t>& input) {
  const TensorPlace& place = plan.input();
  if (input.shape() != Shape{1, place.size.h, place.size.w, place.channels}) {
    return Fail("the plan is for an input of {}x{}x{}, not {}x{}x{}", place.size.h, place.size.w,
                place.channels, input.shape().h, input.shape().w, input.shape().c);
  }
  std::vector<uint8_t> memory(static_cast<size_t>(plan.memory_bytes), 0);
  std::ranges::copy(plan.constants, memory.begin());
  for (const PlanePlace& plane : place.planes) {
    for (int64_t y = 0; y < place.size.h; ++y) {
      const auto row = std::span(memory).subspan(static_cast<size_t>(RowAddress(place, plane, y)),
                                                 static_cast<size_t>(plane.row_stride_bytes));
      for (int64_t x = 0; x < place.size.w; ++x) {
        for (int64_t c = 0; c < place.channels; ++c) {
          WriteDigits(row, DigitAt(place, plane, x, c), plane.plane.digits,
                      PlaneBits(input.view()(0, y, x, c), plane.plane));
        }
      }
    }
  }
  return memory;
}

Tensor<int32_t> ReadTensor(const TensorPlace& place, std::span<const uint8_t> memory) {
  Tensor<int32_t> tensor({1, place.size.h, place.size.w, place.channels});
  for (const PlanePlace& plane : place.planes) {
    for (int64_t y = 0; y < place.size.h; ++y) {
      const auto row = memory.subspan(static_cast<size_t>(RowAddress(place, plane, y)),
                                      static_cast<size_t>(plane.row_stride_bytes));
      for (int64_t x = 0; x < place.size.w; ++x) {
        for (int64_t c = 0; c < place.channels; ++c) {
          const uint64_t bits = ReadDigits(row, DigitAt(place, plane, x, c), plane.plane.digits);
          tensor.view()(0, y, x, c) += static_cast<int32_t>(
              PlaneValue(bits, plane.plane) * (int64_t{1} << (2 * plane.plane.offset)));
        }
      }
    }
  }
  return tensor;
}

}  // namespace lichen::fusion
