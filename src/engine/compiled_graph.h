// Inside the engine: a graph with packed weights and the storage type of every tensor.
#pragma once

#include <vector>

#include "base/element_type.h"
#include "engine/engine.h"
#include "kernels/packed_conv.h"

namespace lichen {

// How a node runs.
enum class NodePath {
  kPacked,   // PackedConv, with a tail for GDN, IGDN and LAGC
  kGeneric,  // the reference operator on 32-bit copies of the rows
};

struct CompiledNode {
  NodePath path = NodePath::kGeneric;
  PackedConv conv;
  PackedTail tail = PackedTail::kNone;
  LaneRequant output_requant;
  LaneRequant gain_requant;
};

struct CompiledGraph::Impl {
  IntGraph graph;  // weights of packed nodes are dropped
  std::vector<ElementType> types;  // by TensorId
  std::vector<CompiledNode> nodes;
};

}  // namespace lichen
