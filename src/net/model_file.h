// The model file `.lichen`.
//
// Layout, little-endian: 64 bytes of header, then the payload, a FlatBuffers buffer (lichen.fbs,
// identifier "LCHN").
//    0   8 bytes   magic 89 'L' 'I' 'C' 'H' 'E' 'N' 0A
//    8   u32       version, 1
//   12   u32       0
//   16   u64       size of the payload in bytes; the file ends behind it
//   24  32 bytes   SHA-256 of the payload
//   56   8 bytes   first 8 bytes of the SHA-256 of bytes 0 to 55
//
// Contract: a flipped byte or a truncation anywhere is an error that names the place. Nothing of the
// payload's size is allocated before the header has proved true and equal to the file's size. The
// payload passes the FlatBuffers verifier, its unpacked size is bounded, and the net passes
// CheckIntNet() or CheckFloatNet(): a loaded model may be trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "net/model.h"

namespace lichen {

inline constexpr uint32_t kModelVersion = 1;

// Errors name the file.
Result<Model> LoadModel(const std::filesystem::path& path, const Threads& threads = Threads(1));
// The same for a file in memory.
Result<Model> ParseModel(std::span<const uint8_t> bytes);

// Refuses a net that its check does not accept. Equal models give equal bytes.
Result<std::vector<uint8_t>> SerializeModel(const Model& model);
Result<void> SaveModel(const std::filesystem::path& path, const Model& model);

}  // namespace lichen
