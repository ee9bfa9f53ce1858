// Memory behind an AXI4 port, in time: when it takes addresses, gives beats and answers writes.
//
// Contract: the simulator and the testbench of an engine use this one model, so that they see the same cycles;
// it stands alone, without the rest of the project. Each cycle: Offer(), then, when it is known what the engine does
// in that cycle, Move(). The first beat of a burst comes `latency_cycles` after its address, then up to a
// beat a cycle; bursts are answered in order; a write is answered `latency_cycles` after its last beat.
// With `stall_percent`, every handshake is held back in that share of cycles, which are a function of seed,
// handshake and cycle alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

namespace lichen::accel {

struct AxiTiming {
  int64_t latency_cycles = 4;
  double bytes_per_cycle = 0;      // all ports together; 0: no bound but a beat a cycle and port
  int64_t outstanding_bursts = 8;  // per port and direction
  int stall_percent = 0;
  uint64_t seed = 1;
};

// What all ports together may still move.
class AxiBudget {
 public:
  explicit AxiBudget(const AxiTiming& timing) : rate_(timing.bytes_per_cycle) {}
  void NextCycle() {
    if (rate_ > 0) left_ = std::min(left_ + rate_, kMost);
  }
  bool HasAny() const { return rate_ <= 0 || left_ >= 0; }
  void Take(double bytes) { left_ -= bytes; }

 private:
  static constexpr double kMost = 64;
  double rate_;
  double left_ = 0;
};

class AxiMemoryPort {
 public:
  static constexpr uint64_t kBeatBytes = 16;

  struct Offered {
    bool ar_ready = false;
    bool r_valid = false;
    bool r_last = false;
    uint64_t r_address = 0;  // of the beat
    bool aw_ready = false;
    bool w_ready = false;
    bool b_valid = false;
  };
  struct Engine {
    bool ar_valid = false;
    uint64_t ar_address = 0;
    int64_t ar_beats = 0;
    bool r_ready = false;
    bool aw_valid = false;
    uint64_t aw_address = 0;
    int64_t aw_beats = 0;
    bool w_valid = false;
    bool b_ready = false;
  };
  struct Moved {
    bool is_write = false;
    uint64_t write_address = 0;  // of the beat that was written
    bool is_last_write = false;  // of its burst
  };

  AxiMemoryPort(const AxiTiming& timing, int index) : t_(timing), index_(index) {}

  Offered Offer(int64_t cycle, const AxiBudget& budget) {
    offered_ = {};
    offered_.ar_ready = Size(reads_) < t_.outstanding_bursts && !Stalls(cycle, 0);
    offered_.aw_ready = Size(writes_) + Size(answers_) < t_.outstanding_bursts && !Stalls(cycle, 1);
    offered_.w_ready = !writes_.empty() && budget.HasAny() && !Stalls(cycle, 2);
    const bool has_beat = !reads_.empty() && reads_.front().ready_cycle <= cycle;
    offered_.r_valid = has_beat && (is_r_shown_ || (budget.HasAny() && !Stalls(cycle, 3)));
    if (offered_.r_valid) {
      is_r_shown_ = true;
      offered_.r_address = reads_.front().address + static_cast<uint64_t>(read_beat_) * kBeatBytes;
      offered_.r_last = read_beat_ + 1 == reads_.front().beats;
    }
    offered_.b_valid =
        !answers_.empty() && answers_.front() <= cycle && (is_b_shown_ || !Stalls(cycle, 4));
    is_b_shown_ = offered_.b_valid;
    return offered_;
  }

  Moved Move(int64_t cycle, const Engine& engine, AxiBudget& budget) {
    Moved moved;
    if (engine.ar_valid && offered_.ar_ready) {
      reads_.push_back({engine.ar_address, engine.ar_beats, cycle + t_.latency_cycles});
    }
    if (offered_.r_valid && engine.r_ready) {
      is_r_shown_ = false;
      budget.Take(kBeatBytes);
      if (++read_beat_ == reads_.front().beats) {
        read_beat_ = 0;
        reads_.pop_front();
      }
    }
    if (offered_.b_valid && engine.b_ready) {
      is_b_shown_ = false;
      answers_.pop_front();
    }
    if (engine.w_valid && offered_.w_ready) {
      const Burst& burst = writes_.front();
      moved.is_write = true;
      moved.write_address = burst.address + static_cast<uint64_t>(write_beat_) * kBeatBytes;
      moved.is_last_write = ++write_beat_ == burst.beats;
      budget.Take(kBeatBytes);
      if (moved.is_last_write) {
        write_beat_ = 0;
        writes_.pop_front();
        answers_.push_back(cycle + t_.latency_cycles);
      }
    }
    if (engine.aw_valid && offered_.aw_ready) {
      writes_.push_back({engine.aw_address, engine.aw_beats, 0});
    }
    return moved;
  }

 private:
  struct Burst {
    uint64_t address = 0;
    int64_t beats = 0;
    int64_t ready_cycle = 0;
  };

  template <class T>
  static int64_t Size(const std::deque<T>& queue) {
    return static_cast<int64_t>(queue.size());
  }

  // A hash of everything that it depends on (the finaliser of SplitMix64).
  bool Stalls(int64_t cycle, int handshake) const {
    if (t_.stall_percent <= 0) return false;
    uint64_t x = t_.seed * 0x9e3779b97f4a7c15U + static_cast<uint64_t>(cycle) * 16 +
                 static_cast<uint64_t>(8 * index_ + handshake);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    x ^= x >> 31;
    return x % 100 < static_cast<uint64_t>(t_.stall_percent);
  }

  AxiTiming t_;
  int index_;
  Offered offered_;
  std::deque<Burst> reads_;
  std::deque<Burst> writes_;     // whose data has not all come
  std::deque<int64_t> answers_;  // cycles from which each may be given
  int64_t read_beat_ = 0;
  int64_t write_beat_ = 0;
  bool is_r_shown_ = false;  // r_valid must stay
  bool is_b_shown_ = false;
};

}  // namespace lichen::accel
