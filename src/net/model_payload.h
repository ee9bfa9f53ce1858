// The FlatBuffers payload of a model file (lichen.fbs) to and from a Model.
//
// Contract: PackModel() needs a checked net. UnpackModel() trusts nothing: it verifies the buffer,
// bounds what it allocates by the payload's size (shared vectors are refused) and by net/limits.h,
// but leaves the meaning to CheckIntNet() and CheckFloatNet().
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "net/model.h"

namespace lichen {

std::vector<uint8_t> PackModel(const Model& model);

// `payload` has to be aligned to 16 bytes.
Result<Model> UnpackModel(std::span<const uint8_t> payload, const Threads& threads);

}  // namespace lichen
