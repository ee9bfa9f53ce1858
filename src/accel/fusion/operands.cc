#include "accel/fusion/operands.h"

#include <algorithm>

#include "base/check.h"

namespace lichen::fusion {
namespace {

Result<void> CheckValues(const NpyArray& array, std::string_view what) {
  if (array.is_float) return Fail("the {} are floats; integers of 0 to 255 are needed", what);
  const auto wrong =
      std::ranges::find_if(array.integers, [](int64_t v) { return v < 0 || v > 255; });
  if (wrong == array.integers.end()) return {};
  return Fail("the {} have {} at position {}; the machine takes 0 to 255", what, *wrong,
              wrong - array.integers.begin());
}

}  // namespace

Result<Shape3> ShapeOf(const NpyArray& array, const std::string& place) {
  const std::vector<int64_t>& s = array.shape;
  for (const int64_t extent : s) {
    if (extent < 1 || extent > kMaxExtent) {
      return Fail("{}: an axis has {} elements; 1 to {} are allowed", place, extent, kMaxExtent);
    }
  }
  if (s.size() == 2) return Shape3{1, s[0], s[1]};
  if (s.size() == 3) return Shape3{s[0], s[1], s[2]};
  return Fail("{}: has {} axes; COUNT x HEIGHT x WIDTH or HEIGHT x WIDTH is needed", place,
              s.size());
}

Result<Operands> MakeOperands(const WindowJob& job, const NpyArray& input,
                              const NpyArray& weights) {
  LICHEN_TRY_VOID(CheckValues(input, "pictures"));
  LICHEN_TRY_VOID(CheckValues(weights, "weights"));
  const Shape3& shape = job.input;
  LICHEN_CHECK(input.Count() == shape.count * shape.height * shape.width &&
               weights.Count() == job.WeightBytes());
  Operands operands;
  operands.inputs.resize(static_cast<size_t>(job.InputBytes()));
  const int64_t* value = input.integers.data();
  for (int64_t n = 0; n < shape.count; ++n) {
    for (int64_t y = 0; y < shape.height; ++y) {
      const int64_t first =
          (n * job.PaddedHeight() + y + job.padding) * job.PaddedWidth() + job.padding;
      for (int64_t x = 0; x < shape.width; ++x) {
        operands.inputs[static_cast<size_t>(first + x)] =
            static_cast<uint8_t>(*value++ >> (8 - job.pair.input_bits));
      }
    }
  }
  for (const int64_t weight : weights.integers) {
    operands.weights.push_back(static_cast<uint8_t>(weight >> (8 - job.pair.weight_bits)));
  }
  return operands;
}

NpyArray MakeOutput(const WindowJob& job, const std::vector<uint32_t>& sums) {
  LICHEN_CHECK(static_cast<int64_t>(sums.size()) == job.Uses());
  const int64_t parts = job.ColumnsPerWindow();
  NpyArray output;
  output.shape = {job.input.count, job.kernel.count, job.OutputHeight(), job.OutputWidth()};
  if (parts == 1 || job.mode == Mode::kCompat) {
    if (parts != 1) output.shape.push_back(parts);
    output.integers.assign(sums.begin(), sums.end());
    return output;
  }
  output.integers.resize(static_cast<size_t>(job.Windows()));
  const uint32_t* sum = sums.data();
  for (int64_t& value : output.integers) {
    for (int64_t part = 0; part < parts; ++part) value += *sum++;
  }
  return output;
}

}  // namespace lichen::fusion
