#include "tile_harness.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>
#include <utility>

#include "Vtile_engine.h"
#include "verilated.h"

namespace lichen::rtl {
namespace {

constexpr uint64_t kBeatBytes = 16;
constexpr double kBudgetBytes = 64;
constexpr uint64_t kSlaveError = 2;  // AXI's SLVERR

// Up to 64 bits of Verilator's ports, which are integers or arrays of 32-bit words.
template <class T>
uint64_t Get(const T& port, size_t lsb, int width) {
  uint64_t value = 0;
  if constexpr (std::is_integral_v<T>) {
    value = static_cast<uint64_t>(port) >> lsb;
  } else {
    for (int at = -static_cast<int>(lsb % 32); at < width; at += 32) {
      const uint64_t word = port[(lsb + static_cast<size_t>(at + 31)) / 32];
      value |= at < 0 ? word >> -at : word << at;
    }
  }
  return width == 64 ? value : value & ((uint64_t{1} << width) - 1);
}

template <class T>
void Set(T& port, size_t lsb, int width, uint64_t value) {
  if constexpr (std::is_integral_v<T>) {
    const uint64_t mask = (width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1) << lsb;
    port = static_cast<T>((static_cast<uint64_t>(port) & ~mask) | (value << lsb & mask));
  } else {
    if (width == 64) {  // data: whole words
      port[lsb / 32] = static_cast<uint32_t>(value);
      port[lsb / 32 + 1] = static_cast<uint32_t>(value >> 32);
      return;
    }
    for (int i = 0; i < width; ++i) {
      const size_t bit = lsb + static_cast<size_t>(i);
      const uint32_t mask = 1U << (bit % 32);
      port[bit / 32] = value >> i & 1 ? port[bit / 32] | mask : port[bit / 32] & ~mask;
    }
  }
}

struct Burst {
  uint64_t address = 0;
  int beats = 0;
  uint64_t ready_cycle = 0;  // of the first beat
};

struct Answer {
  uint64_t ready_cycle = 0;
  bool is_error = false;
};

struct Port {
  std::deque<Burst> reads;
  std::deque<Burst> writes;     // addresses whose data has not all come
  std::deque<Answer> answers;   // to writes
  bool is_write_error = false;  // of the burst whose data comes
  int read_beat = 0;
  int write_beat = 0;
  bool is_r_shown = false;  // rvalid must stay
  bool is_b_shown = false;
  bool is_ar_waiting = false;  // arvalid must stay
  bool is_aw_waiting = false;
  bool is_w_waiting = false;
  uint64_t ar_address = 0;
  uint64_t aw_address = 0;
  uint64_t w_data = 0;
};

}  // namespace

struct TileHarness::Impl {
  explicit Impl(const MemoryModel& m) : model(m), random(m.seed) {}

  MemoryModel model;
  std::mt19937_64 random;
  VerilatedContext context;
  Vtile_engine engine{&context};
  std::vector<Port> ports;
  uint64_t cycle = 0;
  double budget = kBudgetBytes;  // bytes that may move
  int breaches = 0;

  bool Stalls() {
    return model.stall_percent > 0 && static_cast<int>(random() % 100) < model.stall_percent;
  }

  void Breach(const char* what) {
    if (++breaches < 10)
      std::fprintf(stderr, "cycle %llu: %s\n", static_cast<unsigned long long>(cycle), what);
  }

  bool IsFault(uint64_t address) const {
    return address + kBeatBytes > model.fault_begin && address < model.fault_end;
  }

  void CheckBurst(uint64_t address, int beats) {
    if (address % kBeatBytes != 0) Breach("a burst is not aligned");
    if (address / 4096 != (address + static_cast<uint64_t>(beats) * kBeatBytes - 1) / 4096) {
      Breach("a burst crosses 4 KiB");
    }
  }
};

TileHarness::TileHarness(size_t memory_bytes, const MemoryModel& model)
    : memory_(memory_bytes), impl_(std::make_unique<Impl>(model)) {
  impl_->ports.resize(PORTS);
  impl_->engine.rst_ni = 0;
  for (int i = 0; i < 4; ++i) Tick();
  impl_->engine.rst_ni = 1;
  Tick();
}

TileHarness::~TileHarness() { impl_->engine.final(); }

int TileHarness::breaches() const { return impl_->breaches; }

void TileHarness::Tick() {
  Impl& s = *impl_;
  Vtile_engine& e = s.engine;
  if (s.model.bytes_per_cycle > 0) {
    s.budget = std::min(s.budget + s.model.bytes_per_cycle, kBudgetBytes);
  }
  const auto has_budget = [&] { return s.model.bytes_per_cycle <= 0 || s.budget >= 0; };
  // Drive.
  for (size_t p = 0; p < s.ports.size(); ++p) {
    Port& port = s.ports[p];
    const auto limit = static_cast<size_t>(s.model.outstanding_bursts);
    Set(e.m_axi_arready_i, p, 1, port.reads.size() < limit && !s.Stalls());
    Set(e.m_axi_awready_i, p, 1, port.writes.size() + port.answers.size() < limit && !s.Stalls());
    Set(e.m_axi_wready_i, p, 1, !port.writes.empty() && has_budget() && !s.Stalls());
    const bool has_beat = !port.reads.empty() && port.reads.front().ready_cycle <= s.cycle;
    const bool gives = has_beat && (port.is_r_shown || (has_budget() && !s.Stalls()));
    Set(e.m_axi_rvalid_i, p, 1, gives);
    if (gives) {
      port.is_r_shown = true;
      const Burst& burst = port.reads.front();
      const uint64_t at = burst.address + static_cast<uint64_t>(port.read_beat) * kBeatBytes;
      const bool is_inside = at + kBeatBytes <= memory_.size();
      for (size_t half = 0; half < 2; ++half) {
        uint64_t data = 0;
        if (is_inside) std::memcpy(&data, memory_.data() + at + 8 * half, 8);
        Set(e.m_axi_rdata_i, 128 * p + 64 * half, 64, data);
      }
      Set(e.m_axi_rresp_i, 2 * p, 2, is_inside && !s.IsFault(at) ? 0 : kSlaveError);
      Set(e.m_axi_rlast_i, p, 1, port.read_beat + 1 == burst.beats);
    }
    const bool answers = !port.answers.empty() && port.answers.front().ready_cycle <= s.cycle &&
                         (port.is_b_shown || !s.Stalls());
    Set(e.m_axi_bvalid_i, p, 1, answers);
    Set(e.m_axi_bresp_i, 2 * p, 2, answers && port.answers.front().is_error ? kSlaveError : 0);
    if (answers) port.is_b_shown = true;
  }
  e.clk_i = 0;
  e.eval();
  // What moves at this edge.
  for (size_t p = 0; p < s.ports.size(); ++p) {
    Port& port = s.ports[p];
    const auto latency = static_cast<uint64_t>(s.model.latency_cycles);
    const bool ar_valid = Get(e.m_axi_arvalid_o, p, 1);
    const uint64_t ar_address = Get(e.m_axi_araddr_o, 40 * p, 40);
    if (port.is_ar_waiting && (!ar_valid || ar_address != port.ar_address))
      s.Breach("an address changed");
    if (ar_valid && Get(e.m_axi_arready_i, p, 1)) {
      const int beats = static_cast<int>(Get(e.m_axi_arlen_o, 8 * p, 8)) + 1;
      s.CheckBurst(ar_address, beats);
      port.reads.push_back({ar_address, beats, s.cycle + latency});
    }
    port.is_ar_waiting = ar_valid && !Get(e.m_axi_arready_i, p, 1);
    port.ar_address = ar_address;
    if (Get(e.m_axi_rvalid_i, p, 1) && Get(e.m_axi_rready_o, p, 1)) {
      port.is_r_shown = false;
      s.budget -= kBeatBytes;
      if (++port.read_beat == port.reads.front().beats) {
        port.read_beat = 0;
        port.reads.pop_front();
      }
    }
    if (Get(e.m_axi_bvalid_i, p, 1) && Get(e.m_axi_bready_o, p, 1)) {
      port.is_b_shown = false;
      port.answers.pop_front();
    }
    const bool w_valid = Get(e.m_axi_wvalid_o, p, 1);
    const uint64_t w_data = Get(e.m_axi_wdata_o, 128 * p, 64);
    if (port.is_w_waiting && (!w_valid || w_data != port.w_data)) s.Breach("write data changed");
    if (w_valid && Get(e.m_axi_wready_i, p, 1)) {
      const Burst& burst = port.writes.front();
      const uint64_t at = burst.address + static_cast<uint64_t>(port.write_beat) * kBeatBytes;
      port.is_write_error = port.is_write_error || s.IsFault(at);
      const uint64_t strobe = Get(e.m_axi_wstrb_o, 16 * p, 16);
      for (uint64_t b = 0; b < kBeatBytes; ++b) {
        if (!(strobe >> b & 1)) continue;
        if (at + b >= memory_.size()) {
          s.Breach("a write outside of memory");
        } else {
          memory_[at + b] = static_cast<uint8_t>(Get(e.m_axi_wdata_o, 128 * p + 8 * b, 8));
          if (write_observer_) write_observer_(at + b, s.cycle);
        }
      }
      s.budget -= kBeatBytes;
      const bool is_last = ++port.write_beat == burst.beats;
      if (is_last != (Get(e.m_axi_wlast_o, p, 1) != 0)) s.Breach("wlast is wrong");
      if (is_last) {
        port.write_beat = 0;
        port.writes.pop_front();
        port.answers.push_back({s.cycle + latency, std::exchange(port.is_write_error, false)});
      }
    }
    port.is_w_waiting = w_valid && !Get(e.m_axi_wready_i, p, 1);
    port.w_data = w_data;
    const bool aw_valid = Get(e.m_axi_awvalid_o, p, 1);
    const uint64_t aw_address = Get(e.m_axi_awaddr_o, 40 * p, 40);
    if (port.is_aw_waiting && (!aw_valid || aw_address != port.aw_address))
      s.Breach("an address changed");
    if (aw_valid && Get(e.m_axi_awready_i, p, 1)) {
      const int beats = static_cast<int>(Get(e.m_axi_awlen_o, 8 * p, 8)) + 1;
      s.CheckBurst(aw_address, beats);
      port.writes.push_back({aw_address, beats, 0});
    }
    port.is_aw_waiting = aw_valid && !Get(e.m_axi_awready_i, p, 1);
    port.aw_address = aw_address;
  }
  e.clk_i = 1;
  e.eval();
  ++s.cycle;
}

uint32_t TileHarness::Read32(uint32_t register_address) {
  Vtile_engine& e = impl_->engine;
  e.s_axi_arvalid_i = 1;
  e.s_axi_araddr_i = static_cast<uint8_t>(register_address);
  e.s_axi_rready_i = 0;
  e.eval();
  bool is_taken = e.s_axi_arready_o;
  Tick();
  while (!is_taken) {
    is_taken = e.s_axi_arready_o;
    Tick();
  }
  e.s_axi_arvalid_i = 0;
  while (!e.s_axi_rvalid_o) Tick();
  const uint32_t value = e.s_axi_rdata_o;
  e.s_axi_rready_i = 1;
  Tick();
  e.s_axi_rready_i = 0;
  return value;
}

void TileHarness::Write32(uint32_t register_address, uint32_t value) {
  Vtile_engine& e = impl_->engine;
  e.s_axi_awvalid_i = 1;
  e.s_axi_wvalid_i = 1;
  e.s_axi_awaddr_i = static_cast<uint8_t>(register_address);
  e.s_axi_wdata_i = value;
  e.s_axi_bready_i = 0;
  e.eval();
  bool is_taken = e.s_axi_awready_o;
  Tick();
  while (!is_taken) {
    is_taken = e.s_axi_awready_o;
    Tick();
  }
  if (register_address == kControl) start_cycle_ = impl_->cycle;
  e.s_axi_awvalid_i = 0;
  e.s_axi_wvalid_i = 0;
  e.s_axi_bready_i = 1;
  while (!e.s_axi_bvalid_o) Tick();
  Tick();
  e.s_axi_bready_i = 0;
}

bool TileHarness::ReadMemory(uint64_t address, std::span<uint8_t> bytes) {
  if (!IsInside(address, bytes.size())) return false;
  std::copy_n(memory_.begin() + static_cast<int64_t>(address), bytes.size(), bytes.begin());
  return true;
}

bool TileHarness::WriteMemory(uint64_t address, std::span<const uint8_t> bytes) {
  if (!IsInside(address, bytes.size())) return false;
  std::copy(bytes.begin(), bytes.end(), memory_.begin() + static_cast<int64_t>(address));
  return true;
}

bool TileHarness::WaitForInterrupt() {
  for (uint64_t i = 0; i < timeout_cycles_; ++i) {
    if (impl_->engine.interrupt_o) return true;
    Tick();
  }
  return false;
}

}  // namespace lichen::rtl
