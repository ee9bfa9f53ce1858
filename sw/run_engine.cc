// Runs a bundle's program: constants.bin and a raw input tensor in, a raw output tensor out.
//
// Usage: run_engine /dev/uioN /dev/udmabufN CONSTANTS INPUT OUTPUT
//        run_engine simulate build/verify CONSTANTS INPUT OUTPUT    (the model that `lichen verify` builds)
// INPUT and OUTPUT are rows of the tensor as design.h lays them out, without padding between rows.
// Build in the bundle's sw/: g++ -std=c++20 -O2 run_engine.cc driver.cc uio_bus.cc pipe_bus.cc -o run_engine
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "design.h"
#include "driver.h"
#include "pipe_bus.h"
#include "uio_bus.h"

namespace {

using namespace lichen::rtl;

std::vector<uint8_t> ReadAll(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::unique_ptr<Bus> Open(const std::string& first, const std::string& second, std::string& error) {
  if (first != "simulate") return UioBus::Open(first, second, error);
  return PipeBus::Start(second, {.memory_bytes = kMemoryBytes}, error);
}

// What went wrong, or an empty text.
std::string Run(char** argv) {
  std::string error;
  const std::unique_ptr<Bus> bus = Open(argv[1], argv[2], error);
  if (!bus) return error;
  Driver driver(*bus);
  error = driver.Check({.pif = kDesignPif,
                        .pof = kDesignPof,
                        .poy = kDesignPoy,
                        .pox = kDesignPox,
                        .epilogue_lanes = kDesignEpilogueLanes,
                        .operand_bits = kDesignOperandBits},
                       kMemoryBytes);
  if (!error.empty()) return error;
  const std::vector<uint8_t> constants = ReadAll(argv[3]);
  if (constants.empty()) return std::string(argv[3]) + ": cannot be read";
  error = driver.Load(constants);
  if (!error.empty()) return error;
  const uint64_t in_row = uint64_t{kInputWidth} * kInputPixelElements * kInputElementBytes;
  const std::vector<uint8_t> input = ReadAll(argv[4]);
  if (input.size() != in_row * kInputHeight) {
    return std::string(argv[4]) + ": has " + std::to_string(input.size()) + " bytes, " +
           std::to_string(in_row * kInputHeight) + " are needed";
  }
  for (uint64_t y = 0; y < kInputHeight && error.empty(); ++y) {
    error = driver.Write(kInputAddress + y * kInputRowStrideBytes,
                         std::span(input).subspan(y * in_row, in_row));
  }
  if (!error.empty()) return error;
  uint64_t cycles = 0;
  error = driver.Run(cycles);
  if (!error.empty()) return error;
  const uint64_t out_row = uint64_t{kOutputWidth} * kOutputPixelElements * kOutputElementBytes;
  std::ofstream out(argv[5], std::ios::binary);
  std::vector<uint8_t> row(out_row);
  for (uint64_t y = 0; y < kOutputHeight; ++y) {
    error = driver.Read(kOutputAddress + y * kOutputRowStrideBytes, row);
    if (!error.empty()) return error;
    out.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size()));
  }
  out.close();
  if (!out) return std::string(argv[5]) + ": cannot be written";
  std::printf("%llu cycles\n", static_cast<unsigned long long>(cycles));
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string error =
      argc == 6 ? Run(argv) : "UIO UDMABUF CONSTANTS INPUT OUTPUT are needed, or simulate MODEL";
  if (error.empty()) return 0;
  std::fprintf(stderr, "run_engine: %s\n", error.c_str());
  return 1;
}
