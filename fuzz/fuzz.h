// The fuzzers' bodies: plain functions on bytes, so that saved inputs also run as ordinary tests.
//
// Contract: each takes any bytes, holds less than 256 MiB and takes a bounded number of steps. What
// the code under test promises and does not keep stops the program (LICHEN_CHECK). Deterministic.
// `./dev fuzz` runs them under libFuzzer; tests/fuzz_corpus_test.cc runs the inputs of fuzz/saved/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lichen {

// A .lichen file: as it is, and with its checksums made right. What parses is serialised, printed
// and run by the engine and by the reference kernels.
void FuzzModelFile(std::span<const uint8_t> bytes);
// A .lic file: as it is, and made to fit the test model with its checksums made right.
void FuzzLic(std::span<const uint8_t> bytes);
// A PNG, JPEG or Netpbm picture.
void FuzzImage(std::span<const uint8_t> bytes);
// A .safetensors file, plain or xz, also through the importers that read one.
void FuzzSafetensors(std::span<const uint8_t> bytes);
void FuzzNpy(std::span<const uint8_t> bytes);
// An .npz archive, also through the importer that reads one.
void FuzzNpz(std::span<const uint8_t> bytes);
// Bytes 0 to 3 choose tables and symbol count, the rest is a segment.
void FuzzRans(std::span<const uint8_t> bytes);
// Bytes 0 and 1 choose a small job of the original fusion machine, the rest is an instruction stream.
void FuzzFusionStream(std::span<const uint8_t> bytes);
// The bytes describe a node; engine and reference must agree on every CPU target.
void FuzzOperators(std::span<const uint8_t> bytes);

struct FuzzTarget {
  std::string_view name;  // of the program, and of its folder in fuzz/saved/
  void (*run)(std::span<const uint8_t> bytes);
};

inline constexpr FuzzTarget kFuzzTargets[] = {
    {"model_file_fuzz", FuzzModelFile},
    {"lic_fuzz", FuzzLic},
    {"image_fuzz", FuzzImage},
    {"safetensors_fuzz", FuzzSafetensors},
    {"npy_fuzz", FuzzNpy},
    {"npz_fuzz", FuzzNpz},
    {"rans_fuzz", FuzzRans},
    {"operators_fuzz", FuzzOperators},
    {"fusion_stream_fuzz", FuzzFusionStream},
};

}  // namespace lichen
