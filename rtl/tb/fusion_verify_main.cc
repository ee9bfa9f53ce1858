// Runs a program on the verilated fusion machine: memory image in, memory image and cycles out.
//
// Usage: verify MEMORY_IN MEMORY_OUT PROGRAM_WORDS LATENCY BYTES_PER_CYCLE OUTSTANDING STALL_PERCENT SEED
//        TIMEOUT_CYCLES [BEGIN END]...
// Prints one JSON object: cycles of the run, and for each range [BEGIN, END) of memory the cycle, counted
// from the start, in which the engine last wrote there.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "fusion_harness.h"

namespace {

using namespace lichen::rtl;

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
  int64_t last_write = 0;
};

std::vector<uint8_t> ReadAll(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kFixed = 10;
  if (argc < kFixed || (argc - kFixed) % 2 != 0) {
    std::fprintf(stderr, "verify: wrong number of arguments\n");
    return 2;
  }
  const std::vector<uint8_t> image = ReadAll(argv[1]);
  const lichen::accel::AxiTiming timing{.latency_cycles = std::atoll(argv[4]),
                                        .bytes_per_cycle = std::atof(argv[5]),
                                        .outstanding_bursts = std::atoll(argv[6]),
                                        .stall_percent = std::atoi(argv[7]),
                                        .seed = std::strtoull(argv[8], nullptr, 10)};
  std::vector<Range> ranges;
  for (int i = kFixed; i + 1 < argc; i += 2) {
    ranges.push_back(
        {std::strtoull(argv[i], nullptr, 10), std::strtoull(argv[i + 1], nullptr, 10), 0});
  }
  FusionHarness harness(image.size(), timing);
  harness.WriteMemory(0, image);
  harness.set_timeout_cycles(std::atoll(argv[9]));
  if (harness.Read32(kId) != kFusionId) {
    std::fprintf(stderr, "verify: the engine does not answer with its id\n");
    return 1;
  }
  harness.set_write_observer([&](uint64_t address, int64_t cycle) {
    for (Range& range : ranges) {
      if (address >= range.begin && address < range.end) range.last_write = cycle;
    }
  });
  harness.Write32(kProgramWords, static_cast<uint32_t>(std::atoi(argv[3])));
  const RunResult result = RunProgram(harness, 0);
  std::printf("{\"done\":%s,\"errors\":%u,\"breaches\":%d,\"cycles\":%llu,\"last_writes\":[",
              result.is_done ? "true" : "false", result.errors, harness.breaches(),
              static_cast<unsigned long long>(result.cycles));
  for (size_t i = 0; i < ranges.size(); ++i) {
    std::printf("%s%lld", i ? "," : "", static_cast<long long>(ranges[i].last_write));
  }
  std::printf("]}\n");
  std::ofstream out(argv[2], std::ios::binary);
  out.write(reinterpret_cast<const char*>(harness.memory().data()),
            static_cast<std::streamsize>(harness.memory().size()));
  return out && result.is_done ? 0 : 1;
}
