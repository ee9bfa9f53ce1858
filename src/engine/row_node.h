// Inside the engine: operators without products, row by row on the rings.
#pragma once

#include <span>

#include "engine/compiled_graph.h"
#include "engine/row_ring.h"

namespace lichen {

// Makes row y of the node's output. `inputs` are the rings of the node's inputs, in order.
void RunRowNode(const IntNode& node, const CompiledNode& compiled, const TensorInfo& output_info,
                std::span<RowRing* const> inputs, int64_t y, RowRing& output);

}  // namespace lichen
