// Runs a program on the verilated engine: memory image in, memory image and cycles out.
//
// Usage: verify serve MEMORY_BYTES TIMEOUT_CYCLES FAULT_BEGIN FAULT_END
//   serves the engine with ideal memory to another process, as a driver sees it (bus_server.h).
// Usage: verify MEMORY_IN MEMORY_OUT LATENCY BYTES_PER_CYCLE OUTSTANDING STALL_PERCENT SEED TIMEOUT_CYCLES [BEGIN END]...
// Prints one JSON object: cycles of the run as the engine counts them, and for each range [BEGIN, END) of memory
// the cycle in which the engine last wrote there; the start pulse comes in cycle 0.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "bus_protocol.h"
#include "bus_server.h"
#include "tile_harness.h"

namespace {

using namespace lichen::rtl;

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t last_write = 0;
};

std::vector<uint8_t> ReadAll(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int Serve(char** argv) {
  MemoryModel model;
  model.fault_begin = std::strtoull(argv[2], nullptr, 10);
  model.fault_end = std::strtoull(argv[3], nullptr, 10);
  TileHarness harness(std::strtoull(argv[0], nullptr, 10), model);
  harness.set_timeout_cycles(std::strtoull(argv[1], nullptr, 10));
  const int status = ServeBus(harness, kBusDescriptor);
  return harness.breaches() == 0 ? status : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::string(argv[1]) == "serve") return Serve(argv + 2);
  if (argc < 9 || argc % 2 != 1) {
    std::fprintf(stderr, "verify: wrong number of arguments\n");
    return 2;
  }
  const std::vector<uint8_t> image = ReadAll(argv[1]);
  MemoryModel model;
  model.latency_cycles = std::atoi(argv[3]);
  model.bytes_per_cycle = std::atof(argv[4]);
  model.outstanding_bursts = std::atoi(argv[5]);
  model.stall_percent = std::atoi(argv[6]);
  model.seed = std::strtoull(argv[7], nullptr, 10);
  std::vector<Range> ranges;
  for (int i = 9; i + 1 < argc; i += 2) {
    ranges.push_back(
        {std::strtoull(argv[i], nullptr, 10), std::strtoull(argv[i + 1], nullptr, 10), 0});
  }
  TileHarness harness(image.size(), model);
  harness.WriteMemory(0, image);
  harness.set_timeout_cycles(std::strtoull(argv[8], nullptr, 10));
  if (harness.Read32(kId) != kEngineId) {
    std::fprintf(stderr, "verify: the engine does not answer with its id\n");
    return 1;
  }
  harness.set_write_observer([&](uint64_t address, uint64_t cycle) {
    for (Range& range : ranges) {
      if (address >= range.begin && address < range.end) range.last_write = cycle;
    }
  });
  const RunResult result = RunProgram(harness, 0);
  std::printf("{\"done\":%s,\"errors\":%u,\"breaches\":%d,\"cycles\":%llu,\"last_writes\":[",
              result.is_done ? "true" : "false", result.errors, harness.breaches(),
              static_cast<unsigned long long>(result.cycles));
  for (size_t i = 0; i < ranges.size(); ++i) {
    std::printf("%s%llu", i ? "," : "",
                static_cast<unsigned long long>(ranges[i].last_write - harness.start_cycle()));
  }
  std::printf("]}\n");
  std::ofstream out(argv[2], std::ios::binary);
  out.write(reinterpret_cast<const char*>(harness.memory().data()),
            static_cast<std::streamsize>(harness.memory().size()));
  return out && result.is_done ? 0 : 1;
}
