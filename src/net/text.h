// A network as text to read: one line per node.
#pragma once

#include <string>

#include "base/result.h"
#include "base/tensor.h"
#include "net/model.h"

namespace lichen {

// "k3x3 s2x2 p1 groups 4", without what is at its default; empty for an element-wise node.
std::string GeometryText(OpKind kind, const Geometry& geometry);

// Graphs, nodes (operator, inputs, output channels, geometry, range, weight width, requantiser and
// accumulator proof), tables, coding and metadata. With a picture size also every node's output size
// and multiply-accumulates. Error: the net is not accepted by its check, or cannot take the size.
Result<std::string> ToText(const Model& model, Size2 picture = {});

}  // namespace lichen
