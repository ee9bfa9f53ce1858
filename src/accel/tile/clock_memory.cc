#include "accel/tile/clock_memory.h"

#include <cmath>

namespace lichen::tile {
namespace {

constexpr int64_t kWindowCycles = 32;

}  // namespace

Bandwidth::Bandwidth(double bytes_per_cycle, int64_t channels)
    : window_beats_(bytes_per_cycle > 0 &&
                            bytes_per_cycle < static_cast<double>(channels * kBeatBytes)
                        ? bytes_per_cycle * kWindowCycles / kBeatBytes
                        : 0) {}

Cycle Bandwidth::Last(Cycle first, Cycle last, int64_t beats) {
  if (window_beats_ == 0) return last;
  int64_t done = 0;
  for (int64_t window = first / kWindowCycles;; ++window) {
    if (static_cast<size_t>(window) >= moved_.size()) {
      moved_.resize(static_cast<size_t>(window) + 1);
    }
    const Cycle end = (window + 1) * kWindowCycles;
    const int64_t due = end > last ? beats : beats * (end - first) / (last - first + 1);
    const auto at = static_cast<double>(window);
    const auto capacity =
        static_cast<int64_t>(std::floor((at + 1) * window_beats_) - std::floor(at * window_beats_));
    int64_t& moved = moved_[static_cast<size_t>(window)];
    const int64_t now =
        std::clamp<int64_t>(capacity - moved, 0, std::min(due - done, kWindowCycles));
    moved += now;
    done += now;
    if (done < beats) continue;
    return std::max(last, end - kWindowCycles + now - 1);
  }
}

Arrival ReadPort::Accept(Cycle shown, int64_t beats) {
  Arrival a;
  accepted_ = std::max({shown, accepted_ + 1, lasts_[bursts_ - memory_.outstanding_bursts] + 1});
  a.accepted = accepted_;
  a.first = std::max(accepted_ + std::max<int64_t>(memory_.latency_cycles, 1), last_ + 1);
  a.beats = beats;
  a.last = bandwidth_.Last(a.first, a.first + beats - 1, beats);
  last_ = a.last;
  lasts_.Set(bursts_++, a.last);
  return a;
}

ReadDma::ReadDma(const DmaSizes& sizes) : sizes_(sizes), lasts_(sizes.bursts) {}

Cycle ReadDma::Request(uint64_t address_bytes, int64_t bytes, Cycle valid) {
  requested_ = std::max(valid, sent_);
  at_ = address_bytes / kBeatBytes;
  left_ = BeatsOf(address_bytes, bytes);
  return requested_;
}

std::optional<Cycle> ReadDma::Offer() {
  if (!is_offered_) {
    if (left_ == 0) return std::nullopt;
    offered_beats_ = BurstOf(at_, left_, sizes_.burst_beats);
    sent_beats_ += offered_beats_;
    sent_ = std::max({requested_ + 1, sent_ + 1, register_free_,
                      TakeOf(sent_beats_ - sizes_.fifo_beats - 1) + 1,
                      lasts_[bursts_ - sizes_.bursts] + 1});
    at_ += static_cast<uint64_t>(offered_beats_);
    left_ -= offered_beats_;
    is_offered_ = true;
  }
  return sent_ + 1;
}

void ReadDma::Accept(Cycle taken, const Arrival& arrival) {
  is_offered_ = false;
  register_free_ = taken;
  lasts_.Set(bursts_++, arrival.last);
}

void ReadDma::Take(Cycle first, int64_t step, int64_t beats) {
  taken_beats_ += beats;
  const Cycle last = first + (beats - 1) * step;
  if (!takes_.empty() && takes_.back().step == step && takes_.back().last + step == first) {
    takes_.back().end = taken_beats_;
    takes_.back().last = last;
  } else {
    takes_.push_back({taken_beats_, last, step});
  }
}

// Asked for in the order of the beats.
Cycle ReadDma::TakeOf(int64_t beat) {
  if (beat < 0) return kLongAgo;
  while (takes_.front().end <= beat) takes_.pop_front();
  return takes_.front().last - (takes_.front().end - 1 - beat) * takes_.front().step;
}

}  // namespace lichen::tile
