// Engine against reference kernels on a whole graph.
#pragma once

#include <cstdint>
#include <vector>

#include "base/tensor.h"
#include "net/int_net.h"

namespace lichen {

// Whether a run with these inputs keeps the fuzzers' bounds of memory and steps (and is legal).
bool IsSmallRun(const IntGraph& graph, const std::vector<Size2>& inputs, Size2 reference);

// Runs the graph, which CheckIntNet accepted, on random inputs (a third of them at their bounds) by the
// reference kernels and by the engine on the active CPU target: whole, and, where the graph has one
// output, a part of its rows in small steps. Stops the program where a value differs.
void CheckEngine(const IntGraph& graph, const std::vector<Size2>& inputs, Size2 reference,
                 uint64_t seed);

}  // namespace lichen
