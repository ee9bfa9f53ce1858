// Random byte ranges through axi_read_dma and axi_write_dma with random back-pressure: every byte
// once, in order, AXI's rules kept; without back-pressure a beat a cycle.
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "Vaxi_read_dma.h"
#include "Vaxi_write_dma.h"
#include "verilated.h"

namespace lichen::rtl {
namespace {

constexpr uint64_t kMemoryBytes = 1 << 18;
constexpr uint64_t kBeatBytes = 16;

struct Range {
  uint64_t address = 0;
  uint64_t bytes = 0;
};

struct Burst {
  uint64_t address = 0;
  int beats = 0;
  uint64_t cycle = 0;
};

uint64_t Beats(const Range& r) {
  return (r.address + r.bytes + kBeatBytes - 1) / kBeatBytes - r.address / kBeatBytes;
}

class Random {
 public:
  Random(uint64_t seed, int stall_percent) : random_(seed), stall_percent_(stall_percent) {}
  bool Goes() { return static_cast<int>(random_() % 100) >= stall_percent_; }
  uint64_t Below(uint64_t n) { return random_() % n; }
  std::vector<Range> Ranges(int count) {
    std::vector<Range> ranges;
    for (int i = 0; i < count; ++i) {
      const uint64_t bytes = 1 + Below(Below(4) == 0 ? 20000 : 300);
      ranges.push_back({Below(kMemoryBytes - bytes), bytes});
    }
    return ranges;
  }

 private:
  std::mt19937_64 random_;
  int stall_percent_;
};

bool IsLegal(const Burst& b) {
  return b.address % kBeatBytes == 0 && b.beats <= 256 &&
         b.address / 4096 == (b.address + static_cast<uint64_t>(b.beats) * kBeatBytes - 1) / 4096;
}

bool TestRead(VerilatedContext& context, uint64_t seed, int stall_percent, int latency) {
  Vaxi_read_dma top(&context);
  Random random(seed, stall_percent);
  std::vector<uint8_t> memory(kMemoryBytes);
  for (uint8_t& byte : memory) byte = static_cast<uint8_t>(random.Below(256));
  const std::vector<Range> ranges = random.Ranges(60);
  uint64_t total = 0;
  for (const Range& r : ranges) total += Beats(r);

  std::deque<Burst> bursts;
  size_t next_range = 0, out_range = 0;
  uint64_t out_beat = 0, taken = 0, cycle = 0;
  int read_beat = 0;
  bool is_shown = false;
  bool is_offered = false;
  top.rst_ni = 0;
  for (; taken < total && cycle < 20 * total + 5000; ++cycle) {
    top.rst_ni = cycle > 2;
    is_offered = is_offered || random.Goes();
    top.request_valid_i = top.rst_ni && next_range < ranges.size() && is_offered;
    if (next_range < ranges.size()) {
      top.request_address_i = ranges[next_range].address;
      top.request_bytes_i = static_cast<uint32_t>(ranges[next_range].bytes);
    }
    top.ar_ready_i = random.Goes();
    top.beat_ready_i = random.Goes();
    const bool has_beat = !bursts.empty() && bursts.front().cycle <= cycle;
    top.r_valid_i = has_beat && (is_shown || random.Goes());
    if (top.r_valid_i) {
      is_shown = true;
      std::memcpy(top.r_data_i.data(),
                  &memory[bursts.front().address + static_cast<uint64_t>(read_beat) * kBeatBytes],
                  kBeatBytes);
      top.r_last_i = read_beat + 1 == bursts.front().beats;
    }
    top.r_resp_i = 0;
    top.clk_i = 0;
    top.eval();
    if (top.rst_ni && top.request_valid_i && top.request_ready_o) {
      ++next_range;
      is_offered = false;
    }
    if (top.r_valid_i && top.r_ready_o) {
      is_shown = false;
      if (++read_beat == bursts.front().beats) {
        read_beat = 0;
        bursts.pop_front();
      }
    }
    if (top.rst_ni && top.ar_valid_o && top.ar_ready_i) {
      bursts.push_back({top.ar_addr_o, top.ar_len_o + 1, cycle + static_cast<uint64_t>(latency)});
      if (!IsLegal(bursts.back())) {
        std::printf("read seed %llu: illegal burst\n", static_cast<unsigned long long>(seed));
        return false;
      }
    }
    if (top.rst_ni && top.beat_valid_o && top.beat_ready_i) {
      const Range& r = ranges[out_range];
      const uint64_t at = (r.address / kBeatBytes + out_beat) * kBeatBytes;
      if (std::memcmp(top.beat_o.data(), &memory[at], kBeatBytes) != 0) {
        std::printf("read seed %llu: beat %llu of range %zu is wrong\n",
                    static_cast<unsigned long long>(seed),
                    static_cast<unsigned long long>(out_beat), out_range);
        return false;
      }
      ++taken;
      if (++out_beat == Beats(r)) {
        out_beat = 0;
        ++out_range;
      }
    }
    top.clk_i = 1;
    top.eval();
  }
  const bool is_fast = stall_percent > 0 || cycle <= total + static_cast<uint64_t>(latency) + 16;
  if (taken != total || !is_fast) {
    std::printf("read seed %llu: %llu of %llu beats in %llu cycles\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(taken),
                static_cast<unsigned long long>(total), static_cast<unsigned long long>(cycle));
  }
  return taken == total && is_fast;
}

bool TestWrite(VerilatedContext& context, uint64_t seed, int stall_percent, int latency) {
  Vaxi_write_dma top(&context);
  Random random(seed, stall_percent);
  const std::vector<Range> ranges = random.Ranges(60);
  std::vector<uint8_t> memory(kMemoryBytes), expected(kMemoryBytes);
  uint64_t total = 0;
  for (const Range& r : ranges) total += Beats(r);

  std::deque<Burst> bursts;
  std::deque<uint64_t> answers;
  size_t next_range = 0, in_range = 0;
  uint64_t in_beat = 0, given = 0, written = 0, cycle = 0;
  int write_beat = 0;
  bool is_offered = false, is_beat_offered = false, is_answered = false, is_b_shown = false;
  std::vector<uint8_t> beat(kBeatBytes);
  for (; !is_answered && cycle < 20 * total + 5000; ++cycle) {
    top.rst_ni = cycle > 2;
    is_offered = is_offered || random.Goes();
    top.request_valid_i = top.rst_ni && next_range < ranges.size() && is_offered;
    if (next_range < ranges.size()) {
      top.request_address_i = ranges[next_range].address;
      top.request_bytes_i = static_cast<uint32_t>(ranges[next_range].bytes);
    }
    if (!is_beat_offered && given < total && random.Goes()) {
      is_beat_offered = true;
      for (uint8_t& byte : beat) byte = static_cast<uint8_t>(random.Below(256));
      const Range& r = ranges[in_range];
      const uint64_t at = (r.address / kBeatBytes + in_beat) * kBeatBytes;
      uint32_t strobe = 0;
      for (uint64_t b = 0; b < kBeatBytes; ++b) {
        if (at + b < r.address || at + b >= r.address + r.bytes) continue;
        strobe |= 1U << b;
        expected[at + b] = beat[b];
      }
      top.beat_strobe_i = static_cast<uint16_t>(strobe);
      std::memcpy(top.beat_i.data(), beat.data(), kBeatBytes);
    }
    top.beat_valid_i = top.rst_ni && is_beat_offered;
    top.aw_ready_i = random.Goes();
    top.w_ready_i = !bursts.empty() && random.Goes();
    top.b_valid_i = !answers.empty() && answers.front() <= cycle && (is_b_shown || random.Goes());
    is_b_shown = top.b_valid_i;
    top.b_resp_i = 0;
    top.clk_i = 0;
    top.eval();
    if (top.rst_ni) {
      if (top.request_valid_i && top.request_ready_o) {
        ++next_range;
        is_offered = false;
      }
      if (top.beat_valid_i && top.beat_ready_o) {
        is_beat_offered = false;
        ++given;
        if (++in_beat == Beats(ranges[in_range])) {
          in_beat = 0;
          ++in_range;
        }
      }
      if (top.w_valid_o && top.w_ready_i) {
        const Burst& b = bursts.front();
        const uint64_t at = b.address + static_cast<uint64_t>(write_beat) * kBeatBytes;
        for (uint64_t k = 0; k < kBeatBytes; ++k) {
          if (top.w_strb_o >> k & 1)
            memory[at + k] = static_cast<uint8_t>(top.w_data_o[k / 4] >> (8 * (k % 4)));
        }
        ++written;
        const bool is_last = ++write_beat == b.beats;
        if (is_last != (top.w_last_o != 0)) return false;
        if (is_last) {
          write_beat = 0;
          bursts.pop_front();
          answers.push_back(cycle + static_cast<uint64_t>(latency));
        }
      }
      if (top.b_valid_i) {
        answers.pop_front();
        is_b_shown = false;
      }
      if (top.aw_valid_o && top.aw_ready_i) {
        bursts.push_back({top.aw_addr_o, top.aw_len_o + 1, 0});
        if (!IsLegal(bursts.back())) return false;
      }
      is_answered = next_range == ranges.size() && top.split_o && top.sent_o == top.answered_o;
    }
    top.clk_i = 1;
    top.eval();
  }
  const bool is_fast =
      stall_percent > 0 || cycle <= total + ranges.size() + static_cast<uint64_t>(latency) + 16;
  const bool is_right = written == total && memory == expected && is_answered && is_fast;
  if (!is_right) {
    std::printf("write seed %llu: %llu of %llu beats in %llu cycles\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(written),
                static_cast<unsigned long long>(total), static_cast<unsigned long long>(cycle));
  }
  return is_right;
}

}  // namespace
}  // namespace lichen::rtl

int main() {
  VerilatedContext context;
  int failures = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const int stall_percent = static_cast<int>(seed % 4) * 25;
    const int latency = seed % 3 == 0 ? 2 : 40;
    failures += !lichen::rtl::TestRead(context, seed, stall_percent, latency);
    failures += !lichen::rtl::TestWrite(context, seed, stall_percent, latency);
  }
  std::printf("%s: DMA, %d of 120 runs failed\n", failures == 0 ? "passed" : "FAILED", failures);
  return failures == 0 ? 0 : 1;
}
