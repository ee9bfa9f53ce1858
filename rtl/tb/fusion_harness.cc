#include "fusion_harness.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "Vfusion_engine.h"
#include "verilated.h"

namespace lichen::rtl {
namespace {

using accel::AxiMemoryPort;

constexpr uint64_t kBeatBytes = AxiMemoryPort::kBeatBytes;
constexpr size_t kBeatWords = 4;
constexpr size_t kPorts = 2;

// A handshake that must stay as it is until it is taken.
struct Waiting {
  bool is_waiting = false;
  uint64_t payload = 0;
  // Whether the engine withdrew or changed it.
  bool Broken(bool valid, bool ready, uint64_t now) {
    const bool broken = is_waiting && (!valid || now != payload);
    is_waiting = valid && !ready;
    payload = now;
    return broken;
  }
};

}  // namespace

struct FusionHarness::Impl {
  explicit Impl(const accel::AxiTiming& timing)
      : budget(timing), ports{AxiMemoryPort(timing, 0), AxiMemoryPort(timing, 1)} {}

  VerilatedContext context;
  Vfusion_engine engine{&context};
  accel::AxiBudget budget;
  AxiMemoryPort ports[kPorts];
  Waiting ar[kPorts];
  Waiting aw;
  Waiting w;
  int64_t cycle = 0;  // since the start pulse
  int breaches = 0;

  void Breach(const char* what) {
    if (++breaches < 10) {
      std::fprintf(stderr, "cycle %lld: %s\n", static_cast<long long>(cycle), what);
    }
  }
  void CheckBurst(uint64_t address, int64_t beats) {
    if (address % kBeatBytes != 0) Breach("a burst is not aligned");
    if (address / 4096 != (address + static_cast<uint64_t>(beats) * kBeatBytes - 1) / 4096) {
      Breach("a burst crosses 4 KiB");
    }
  }
};

FusionHarness::FusionHarness(size_t memory_bytes, const accel::AxiTiming& timing)
    : memory_(memory_bytes), impl_(std::make_unique<Impl>(timing)) {
  impl_->engine.rst_ni = 0;
  for (int i = 0; i < 4; ++i) Tick();
  impl_->engine.rst_ni = 1;
  Tick();
}

FusionHarness::~FusionHarness() { impl_->engine.final(); }

int FusionHarness::breaches() const { return impl_->breaches; }

void FusionHarness::Tick() {
  Impl& s = *impl_;
  Vfusion_engine& e = s.engine;
  s.budget.NextCycle();
  AxiMemoryPort::Offered offered[kPorts];
  uint8_t ar_ready = 0;
  uint8_t r_valid = 0;
  uint8_t r_last = 0;
  uint8_t r_resp = 0;
  for (size_t p = 0; p < kPorts; ++p) {
    offered[p] = s.ports[p].Offer(s.cycle, s.budget);
    ar_ready |= static_cast<uint8_t>(offered[p].ar_ready << p);
    r_valid |= static_cast<uint8_t>(offered[p].r_valid << p);
    r_last |= static_cast<uint8_t>(offered[p].r_last << p);
    if (!offered[p].r_valid) continue;
    const bool is_inside = offered[p].r_address + kBeatBytes <= memory_.size();
    if (!is_inside) r_resp |= static_cast<uint8_t>(2 << (2 * p));
    for (size_t word = 0; word < kBeatWords; ++word) {
      uint32_t data = 0;
      if (is_inside) std::memcpy(&data, &memory_[offered[p].r_address + 4 * word], 4);
      e.m_axi_rdata_i[kBeatWords * p + word] = data;
    }
  }
  e.m_axi_arready_i = ar_ready;
  e.m_axi_rvalid_i = r_valid;
  e.m_axi_rlast_i = r_last;
  e.m_axi_rresp_i = r_resp;
  e.m_axi_awready_i = offered[0].aw_ready;
  e.m_axi_wready_i = offered[0].w_ready;
  e.m_axi_bvalid_i = offered[0].b_valid;
  e.m_axi_bresp_i = 0;
  e.clk_i = 0;
  e.eval();
  for (size_t p = 0; p < kPorts; ++p) {
    AxiMemoryPort::Engine engine{.ar_valid = (e.m_axi_arvalid_o >> p & 1) != 0,
                                 .ar_address = 0,
                                 .ar_beats = (e.m_axi_arlen_o >> (8 * p) & 255) + 1,
                                 .r_ready = (e.m_axi_rready_o >> p & 1) != 0};
    // 40 bits of each port, in words of 32.
    const uint64_t all[3] = {e.m_axi_araddr_o[0], e.m_axi_araddr_o[1], e.m_axi_araddr_o[2]};
    engine.ar_address =
        p == 0 ? (all[0] | (all[1] & 255) << 32) : (all[1] >> 8 | (all[2] & 0xffff) << 24);
    if (s.ar[p].Broken(engine.ar_valid, offered[p].ar_ready, engine.ar_address)) {
      s.Breach("a read address changed");
    }
    if (engine.ar_valid && offered[p].ar_ready) s.CheckBurst(engine.ar_address, engine.ar_beats);
    if (p == 0) {
      engine.aw_valid = e.m_axi_awvalid_o;
      engine.aw_address = e.m_axi_awaddr_o;
      engine.aw_beats = e.m_axi_awlen_o + 1;
      engine.w_valid = e.m_axi_wvalid_o;
      engine.b_ready = e.m_axi_bready_o;
      if (s.aw.Broken(engine.aw_valid, offered[0].aw_ready, engine.aw_address)) {
        s.Breach("a write address changed");
      }
      if (s.w.Broken(engine.w_valid, offered[0].w_ready, e.m_axi_wdata_o[0])) {
        s.Breach("write data changed");
      }
      if (engine.aw_valid && offered[0].aw_ready) s.CheckBurst(engine.aw_address, engine.aw_beats);
    }
    const AxiMemoryPort::Moved moved = s.ports[p].Move(s.cycle, engine, s.budget);
    if (!moved.is_write) continue;
    if (moved.is_last_write != (e.m_axi_wlast_o != 0)) s.Breach("wlast is wrong");
    if (moved.write_address + kBeatBytes > memory_.size() || e.m_axi_wstrb_o != 0xffff) {
      s.Breach("a write outside of memory, or of part of a beat");
      continue;
    }
    for (size_t word = 0; word < kBeatWords; ++word) {
      const uint32_t data = e.m_axi_wdata_o[word];
      std::memcpy(&memory_[moved.write_address + 4 * word], &data, 4);
    }
    if (write_observer_) write_observer_(moved.write_address, s.cycle);
  }
  e.clk_i = 1;
  e.eval();
  ++s.cycle;
}

uint32_t FusionHarness::Read32(uint32_t register_address) {
  Vfusion_engine& e = impl_->engine;
  e.s_axi_arvalid_i = 1;
  e.s_axi_araddr_i = static_cast<uint8_t>(register_address);
  e.s_axi_rready_i = 0;
  bool is_taken = false;
  while (!is_taken) {
    e.eval();
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

void FusionHarness::Write32(uint32_t register_address, uint32_t value) {
  Vfusion_engine& e = impl_->engine;
  e.s_axi_awvalid_i = 1;
  e.s_axi_wvalid_i = 1;
  e.s_axi_awaddr_i = static_cast<uint8_t>(register_address);
  e.s_axi_wdata_i = value;
  e.s_axi_bready_i = 0;
  bool is_taken = false;
  while (!is_taken) {
    e.eval();
    is_taken = e.s_axi_awready_o;
    Tick();
  }
  // The start pulse stands in the cycle after the write.
  if (register_address == kControl) impl_->cycle = 0;
  e.s_axi_awvalid_i = 0;
  e.s_axi_wvalid_i = 0;
  e.s_axi_bready_i = 1;
  while (!e.s_axi_bvalid_o) Tick();
  Tick();
  e.s_axi_bready_i = 0;
}

bool FusionHarness::ReadMemory(uint64_t address, std::span<uint8_t> bytes) {
  if (!IsInside(address, bytes.size())) return false;
  std::copy_n(memory_.begin() + static_cast<int64_t>(address), bytes.size(), bytes.begin());
  return true;
}

bool FusionHarness::WriteMemory(uint64_t address, std::span<const uint8_t> bytes) {
  if (!IsInside(address, bytes.size())) return false;
  std::copy(bytes.begin(), bytes.end(), memory_.begin() + static_cast<int64_t>(address));
  return true;
}

bool FusionHarness::WaitForInterrupt() {
  for (int64_t i = 0; i < timeout_cycles_; ++i) {
    if (impl_->engine.interrupt_o) return true;
    Tick();
  }
  return false;
}

}  // namespace lichen::rtl
