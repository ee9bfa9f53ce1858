// Asks the system for large pages: the page faults of fresh small ones take longer than filling them.
//
// Contract: a hint. Nothing changes but time where the system has no such pages or keeps them off.
#pragma once

#include <cstddef>

namespace lichen {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// For the large pages that lie wholly within the block.
void AdviseHugePages(void* data, size_t bytes);

// Grows the program's heap by so much address space, for blocks below malloc's limit for mappings of
// their own, and asks for large pages there. Memory is used only once it is written.
void ReserveHeap(size_t bytes);

}  // namespace lichen
