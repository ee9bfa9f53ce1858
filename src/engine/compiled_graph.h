// Inside the engine: a graph with packed weights and the storage type of every tensor.
#pragma once

#include <vector>

#include "base/element_type.h"
#include "engine/engine.h"
#include "kernels/packed_conv.h"
#include "kernels/row_ops.h"

namespace lichen {

// How a node runs.
enum class NodePath {
  kPacked,     // PackedConv, with a tail for GDN, IGDN and LAGC
  kDepthwise,  // DepthwiseConv
  kRows,       // operators without products (kernels/row_ops.h, engine/row_node.h)
  kGeneric,    // the reference operator on 32-bit copies of the rows: operands beyond 16 bits, and
               // what is too rare to deserve more
};

struct CompiledNode {
  NodePath path = NodePath::kGeneric;
  PackedConv conv;
  PackedTail tail = PackedTail::kNone;
  LaneRequant output_requant;
  LaneRequant gain_requant;
  DepthwiseConv depthwise;
  LaneRequant row_requant;  // of Requant
};

struct CompiledGraph::Impl {
  IntGraph graph;                  // weights of packed nodes are dropped
  std::vector<ElementType> types;  // by TensorId
  std::vector<CompiledNode> nodes;
};

}  // namespace lichen
