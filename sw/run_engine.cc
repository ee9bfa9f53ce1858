// Runs a bundle's program on a board: constants.bin and a raw input tensor in, a raw output tensor out.
//
// Usage: run_engine /dev/uioN /dev/udmabufN image/constants.bin INPUT OUTPUT
// INPUT and OUTPUT are rows of the tensor as sw/design.h lays them out, without padding between rows.
// Build beside the bundle's sw/: g++ -std=c++20 -O2 run_engine.cc uio_bus.cc -o run_engine
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "design.h"
#include "relocate.h"
#include "uio_bus.h"

namespace {

std::vector<uint8_t> ReadAll(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int Complain(const std::string& what) {
  std::fprintf(stderr, "run_engine: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace lichen::rtl;
  if (argc != 6) return Complain("UIO UDMABUF CONSTANTS INPUT OUTPUT are needed");
  std::string error;
  const auto bus = UioBus::Open(argv[1], argv[2], error);
  if (!bus) return Complain(error);
  if (bus->memory_bytes() < kMemoryBytes) {
    return Complain("the buffer has " + std::to_string(bus->memory_bytes()) + " bytes, " +
                    std::to_string(kMemoryBytes) + " are needed");
  }
  if (bus->Read32(kPif) != kDesignPif || bus->Read32(kPof) != kDesignPof ||
      bus->Read32(kPoy) != kDesignPoy || bus->Read32(kPox) != kDesignPox) {
    return Complain("the engine on the board has another array than this bundle's");
  }
  std::vector<uint8_t> constants = ReadAll(argv[3]);
  if (constants.empty()) return Complain(std::string(argv[3]) + ": cannot be read");
  Relocate(constants, bus->physical_address());
  bus->WriteMemory(0, constants);
  const uint64_t in_row = uint64_t{kInputWidth} * kInputPixelElements * kInputElementBytes;
  const std::vector<uint8_t> input = ReadAll(argv[4]);
  if (input.size() != in_row * kInputHeight) {
    return Complain(std::string(argv[4]) + ": has " + std::to_string(input.size()) + " bytes, " +
                    std::to_string(in_row * kInputHeight) + " are needed");
  }
  for (uint64_t y = 0; y < kInputHeight; ++y) {
    bus->WriteMemory(kInputAddress + y * kInputRowStrideBytes,
                     std::span(input).subspan(y * in_row, in_row));
  }
  const RunResult result = RunProgram(*bus, bus->physical_address());
  if (!result.is_done || result.errors != 0) return Complain("the engine reports an error");
  const uint64_t out_row = uint64_t{kOutputWidth} * kOutputPixelElements * kOutputElementBytes;
  std::ofstream out(argv[5], std::ios::binary);
  std::vector<uint8_t> row(out_row);
  for (uint64_t y = 0; y < kOutputHeight; ++y) {
    bus->ReadMemory(kOutputAddress + y * kOutputRowStrideBytes, row);
    out.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size()));
  }
  std::printf("%llu cycles\n", static_cast<unsigned long long>(result.cycles));
  return out ? 0 : 1;
}
