#include "engine/row_node.h"

#include <algorithm>
#include <cstring>

namespace lichen {
namespace {

// Element `index` of a row.
ConstRow At(RowRing& ring, int64_t y, int64_t index) {
  return {ring.Row(y) + index * SizeBytes(ring.type()), ring.type()};
}

MutableRow OutAt(RowRing& ring, int64_t y, int64_t index) {
  return {ring.Row(y) + index * SizeBytes(ring.type()), ring.type()};
}

// Values fit the output's type, since its range holds the input's.
void CopyElements(ConstRow x, int64_t count, ValueRange range, MutableRow out) {
  if (x.type == out.type) {
    std::memcpy(out.data, x.data, static_cast<size_t>(count * SizeBytes(x.type)));
  } else {
    ClampRow(x, count, range, out);
  }
}

void MaxPool(const Geometry& g, ValueRange range, RowRing& x, int64_t y, RowRing& out) {
  const int64_t channels = out.channels();
  for (int64_t xo = 0; xo < out.width(); ++xo) {
    const MutableRow to = OutAt(out, y, xo * channels);
    const ConstRow so_far{to.data, to.type};
    for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
      for (int64_t kx = 0; kx < g.kernel_w; ++kx) {
        const ConstRow from = At(x, y * g.stride_h + ky, (xo * g.stride_w + kx) * channels);
        if (ky == 0 && kx == 0) {
          CopyElements(from, channels, range, to);
        } else {
          MaxRows(so_far, from, channels, to);
        }
      }
    }
  }
}

void Concat(std::span<RowRing* const> inputs, ValueRange range, int64_t y, RowRing& out) {
  int64_t first = 0;
  for (RowRing* input : inputs) {
    const int64_t channels = input->channels();
    for (int64_t x = 0; x < out.width(); ++x) {
      CopyElements(At(*input, y, x * channels), channels, range,
                   OutAt(out, y, x * out.channels() + first));
    }
    first += channels;
  }
}

void DepthToSpace(const Geometry& g, ValueRange range, RowRing& x, int64_t y, RowRing& out) {
  const int64_t channels = out.channels();
  const int64_t yi = y + g.crop;
  // The pixels that one row of a block becomes lie side by side in input and output.
  for (int64_t xo = 0; xo < out.width();) {
    const int64_t xi = xo + g.crop;
    const int64_t pixels = std::min(g.block - xi % g.block, out.width() - xo);
    const int64_t phase = yi % g.block * g.block + xi % g.block;
    CopyElements(At(x, yi / g.block, xi / g.block * x.channels() + phase * channels),
                 pixels * channels, range, OutAt(out, y, xo * channels));
    xo += pixels;
  }
}

void SpaceToDepth(const Geometry& g, ValueRange range, RowRing& x, int64_t y, RowRing& out) {
  // The pixels of one row of a block lie side by side in input and output.
  const int64_t count = x.channels() * g.block;
  for (int64_t xo = 0; xo < out.width(); ++xo) {
    for (int64_t dy = 0; dy < g.block; ++dy) {
      CopyElements(At(x, y * g.block + dy, xo * count), count, range,
                   OutAt(out, y, xo * out.channels() + dy * count));
    }
  }
}

}  // namespace

void RunRowNode(const IntNode& node, const CompiledNode& compiled, const TensorInfo& info,
                std::span<RowRing* const> inputs, int64_t y, RowRing& output) {
  RowRing& x = *inputs[0];
  const int64_t count = output.width() * output.channels();
  const IntParams& p = node.params;
  switch (node.kind) {
    case OpKind::kClamp:
      return ClampRow(At(x, y, 0), count, info.range, OutAt(output, y, 0));
    case OpKind::kLeakyRelu:
      return LeakyReluRow(At(x, y, 0), count, p.slope_shift, info.range, OutAt(output, y, 0));
    case OpKind::kAdd:
      return AddRows(At(x, y, 0), At(*inputs[1], y, 0), count, info.range, OutAt(output, y, 0));
    case OpKind::kRequant:
      return RequantRow(At(x, y, 0), output.width(), output.channels(), compiled.row_requant,
                        OutAt(output, y, 0));
    case OpKind::kLut:
      return LutRow(At(x, y, 0), count, p.table, p.table_first, info.range, OutAt(output, y, 0));
    case OpKind::kMaxPool:
      return MaxPool(node.geometry, info.range, x, y, output);
    case OpKind::kConcat:
      return Concat(inputs, info.range, y, output);
    case OpKind::kDepthToSpace:
      return DepthToSpace(node.geometry, info.range, x, y, output);
    case OpKind::kSpaceToDepth:
      return SpaceToDepth(node.geometry, info.range, x, y, output);
    default:
      LICHEN_CHECK(false);
  }
}

}  // namespace lichen
