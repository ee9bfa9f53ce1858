// The engine's memory side in cycles: read DMAs, read ports and what stands behind them.
//
// Contract: the timing of rtl/README.md, exact. Cycle 0 has the start pulse. All of it is made of
// sums and maxima of earlier events, so that bursts may be followed one by one, each to its end,
// however far ahead of other units.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace lichen::tile {

using Cycle = int64_t;

inline constexpr int64_t kBeatBytes = 16;
inline constexpr int64_t kPageBeats = 256;  // no burst crosses 4 KiB
inline constexpr Cycle kLongAgo = INT64_MIN / 4;

// Memory as a port sees it.
struct MemoryTiming {
  int64_t latency_cycles = 0;      // of a read, from address to first beat; of a write's answer
  double bytes_per_cycle = 0;      // all ports together; 0: no bound but the ports'
  int64_t outstanding_bursts = 8;  // per port and direction
};

// Parameters of the RTL that no design file has, with the values that it is emitted with.
struct DmaSizes {
  int64_t fifo_beats = 256;  // of the load and weight DMAs
  int64_t burst_beats = 64;
  int64_t bursts = 8;  // under way, of each DMA
};

// The cycles of the last events of a sequence, by their number; those before the first are long ago.
class History {
 public:
  // Keeps at least `size` of them.
  explicit History(int64_t size)
      : cycles_(std::bit_ceil(static_cast<uint64_t>(size))), mask_(cycles_.size() - 1) {}
  Cycle operator[](int64_t number) const {
    return number < 0 ? kLongAgo : cycles_[static_cast<uint64_t>(number) & mask_];
  }
  void Set(int64_t number, Cycle cycle) { cycles_[static_cast<uint64_t>(number) & mask_] = cycle; }

 private:
  std::vector<Cycle> cycles_;
  uint64_t mask_;
};

// What all ports together move, counted in short windows of cycles. An approximation: who comes
// first within a window is not known.
class Bandwidth {
 public:
  // Without a bound where `channels` of a beat per cycle stay below it.
  Bandwidth(double bytes_per_cycle, int64_t channels);
  // The cycle of the last of `beats` beats that would move evenly in [first, last].
  Cycle Last(Cycle first, Cycle last, int64_t beats);

 private:
  double window_beats_ = 0;          // 0: no bound
  std::vector<int64_t> moved_ = {};  // by window
};

// A burst's beats at the port: one a cycle from `first` to `last`, later ones where memory is slow.
struct Arrival {
  Cycle accepted = 0;  // the address
  Cycle first = 0;
  Cycle last = 0;
  int64_t beats = 0;
  bool IsEven() const { return last - first == beats - 1; }
  Cycle Of(int64_t beat) const {
    return IsEven() ? first + beat : first + (beat + 1) * (last - first + 1) / beats - 1;
  }
};

// The read channels of a port.
class ReadPort {
 public:
  ReadPort(const MemoryTiming& memory, Bandwidth& bandwidth)
      : memory_(memory), bandwidth_(bandwidth), lasts_(memory.outstanding_bursts) {}
  // Of a burst whose address is on the port from `shown` on.
  Arrival Accept(Cycle shown, int64_t beats);

 private:
  const MemoryTiming memory_;
  Bandwidth& bandwidth_;
  int64_t bursts_ = 0;
  Cycle accepted_ = kLongAgo;
  Cycle last_ = kLongAgo;
  History lasts_;  // of bursts
};

// A read DMA: splits requests into bursts, and sends each when its FIFO has room.
class ReadDma {
 public:
  explicit ReadDma(const DmaSizes& sizes);

  // Whether it can be said when the next request is taken.
  bool CanRequest() const { return left_ == 0; }
  // A request that is there from cycle `valid` on; gives the cycle in which it is taken.
  Cycle Request(uint64_t address_bytes, int64_t bytes, Cycle valid);

  // The next burst, if all is known that it waits for: shown from this cycle on.
  std::optional<Cycle> Offer();
  int64_t offered_beats() const { return offered_beats_; }
  // The offered burst's address left the DMA's register in cycle `taken`; it comes as `arrival`.
  void Accept(Cycle taken, const Arrival& arrival);
  // The unit took so many beats, the first in cycle `first`, then every `step` cycles. Before the
  // next Offer() it must have taken all that arrived.
  void Take(Cycle first, int64_t step = 1, int64_t beats = 1);

 private:
  Cycle TakeOf(int64_t beat);

  const DmaSizes sizes_;
  uint64_t at_ = 0;   // next beat of the request
  int64_t left_ = 0;  // beats of it
  Cycle requested_ = kLongAgo;
  Cycle sent_ = kLongAgo;
  Cycle register_free_ = kLongAgo;
  bool is_offered_ = false;
  int64_t offered_beats_ = 0;
  int64_t bursts_ = 0;  // accepted
  int64_t sent_beats_ = 0;
  int64_t taken_beats_ = 0;
  struct Takes {
    int64_t end;  // number of the beat behind them
    Cycle last;
    int64_t step;
  };
  std::deque<Takes> takes_;  // those from which room may still come
  History lasts_;            // of bursts, at the port
};

// Beats of [address, address + bytes).
constexpr int64_t BeatsOf(uint64_t address_bytes, int64_t bytes) {
  return (static_cast<int64_t>(address_bytes % kBeatBytes) + bytes + kBeatBytes - 1) / kBeatBytes;
}
// Of the next burst of `left` beats from beat `at` of memory on.
constexpr int64_t BurstOf(uint64_t at, int64_t left, int64_t longest) {
  return std::min({left, longest, kPageBeats - static_cast<int64_t>(at % kPageBeats)});
}

}  // namespace lichen::tile
