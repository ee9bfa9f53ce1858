#include "engine/generic_node.h"

#include <utility>

#include "engine/row_schedule.h"
#include "kernels/operators_ref.h"

namespace lichen {
namespace {

// Rows [begin, end) of an input; rows and columns outside the picture are zeros.
Tensor<int32_t> Window(const GenericInput& input, RowRange rows, int64_t pad_left,
                       int64_t pad_right) {
  Tensor<int32_t> window(
      {1, rows.end - rows.begin, input.size.w + pad_left + pad_right, input.channels});
  std::vector<int32_t> row(static_cast<size_t>(input.size.w * input.channels));
  const int64_t width = std::min(input.size.w, input.size.w + pad_right);
  for (int64_t y = std::max<int64_t>(rows.begin, 0); y < std::min(rows.end, input.size.h); ++y) {
    input.load(y, row);
    std::copy_n(row.begin(), width * input.channels,
                window.view().Row(0, y - rows.begin) + pad_left * input.channels);
  }
  return window;
}

}  // namespace

void RunOperator(const IntNode& node, std::span<const ConstView> x, ValueRange range,
                 MutableView out) {
  const IntParams& p = node.params;
  const GdnWeights gdn{p.weights, p.requant, p.inner_range};
  switch (node.kind) {
    case OpKind::kConv2d:
    case OpKind::kLinear:
      return Conv2dRef(x[0], p.weights, node.geometry, p.requant, range, out);
    case OpKind::kConvTranspose2d:
      return ConvTranspose2dRef(x[0], p.weights, node.geometry, p.requant, range, out);
    case OpKind::kDepthToSpace:
      return DepthToSpaceRef(x[0], node.geometry.block, node.geometry.crop, out);
    case OpKind::kSpaceToDepth:
      return SpaceToDepthRef(x[0], node.geometry.block, out);
    case OpKind::kGdn:
      return GdnRef(x[0], gdn, p.output_requant, range, out);
    case OpKind::kIgdn:
      return IgdnRef(x[0], gdn, p.output_requant, range, out);
    case OpKind::kLagc:
      return LagcRef(x[0],
                     {p.weights, p.requant, p.inner_range, p.table, p.table_first, p.gain_requant,
                      p.gain_range},
                     p.output_requant, range, out);
    case OpKind::kLeakyRelu:
      return LeakyReluRef(x[0], p.slope_shift, range, out);
    case OpKind::kAdd:
      return AddRef(x[0], x[1], range, out);
    case OpKind::kConcat:
      return ConcatRef(x, out);
    case OpKind::kMaxPool:
      return MaxPoolRef(x[0], node.geometry, out);
    case OpKind::kLut:
      return LutRef(x[0], p.table, p.table_first, range, out);
    case OpKind::kClamp:
      return ClampRef(x[0], range, out);
    case OpKind::kRequant:
      return RequantRef(x[0], p.requant, range, out);
  }
}

Tensor<int32_t> RunGenericRows(const IntNode& node, const std::vector<GenericInput>& inputs,
                               const TensorInfo& output, Size2 output_size, RowRange out) {
  Tensor<int32_t> result({1, out.end - out.begin, output_size.w, output.channels});
  Geometry g = node.geometry;
  std::vector<RowRange> rows;
  for (const GenericInput& input : inputs) rows.push_back(InputRows(node, out, input.size.h));
  int64_t pad_left = 0;
  int64_t pad_right = 0;
  // Operators whose rows outside the picture matter get a window that holds them as zeros, and a
  // geometry without vertical padding.
  if (node.kind == OpKind::kConv2d) {
    rows[0] = {out.begin * g.stride_h - g.pad_top,
               (out.end - 1) * g.stride_h - g.pad_top + g.kernel_h};
    pad_left = g.pad_left;
    pad_right = g.pad_right;
    g.pad_top = g.pad_bottom = g.pad_left = g.pad_right = 0;
  } else if (node.kind == OpKind::kConvTranspose2d) {
    // Output row out.begin + j reads input row (out.begin + j + pad - k) / stride; counted from
    // rows[0].begin that is (j + pad' - k) / stride.
    g.pad_top += static_cast<int32_t>(out.begin - rows[0].begin * g.stride_h);
  } else if (node.kind == OpKind::kDepthToSpace) {
    // Whole blocks are made and the wanted rows cut out below.
    Tensor<int32_t> window = Window(inputs[0], rows[0], 0, 0);
    const int64_t made = (rows[0].end - rows[0].begin) * g.block;
    Tensor<int32_t> whole({1, made, inputs[0].size.w * g.block, output.channels});
    DepthToSpaceRef(std::as_const(window).view(), g.block, 0, whole.view());
    for (int64_t y = out.begin; y < out.end; ++y) {
      std::copy_n(
          whole.view().Row(0, y + g.crop - rows[0].begin * g.block) + g.crop * output.channels,
          output_size.w * output.channels, result.view().Row(0, y - out.begin));
    }
    return result;
  }
  std::vector<Tensor<int32_t>> windows;
  std::vector<ConstView> views;
  for (size_t i = 0; i < inputs.size(); ++i) {
    windows.push_back(Window(inputs[i], rows[i], pad_left, pad_right));
  }
  for (const auto& window : windows) views.push_back(window.view());
  // The operators take parameters by reference; only the geometry differs.
  if (node.kind == OpKind::kConv2d) {
    Conv2dRef(views[0], node.params.weights, g, node.params.requant, output.range, result.view());
  } else if (node.kind == OpKind::kConvTranspose2d) {
    ConvTranspose2dRef(views[0], node.params.weights, g, node.params.requant, output.range,
                       result.view());
  } else {
    RunOperator(node, views, output.range, result.view());
  }
  return result;
}

}  // namespace lichen
