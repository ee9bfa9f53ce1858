#include "accel/tile/clock.h"

#include <array>
#include <deque>

#include "accel/tile/clock_load.h"
#include "accel/tile/clock_store.h"
#include "accel/tile/mapping.h"

namespace lichen::tile {
namespace {

constexpr int64_t kQueueDepth = 8;
constexpr uint64_t kFetchBytes = 256;  // a block ends at a multiple
constexpr int64_t kFetchBeats = 16;
// From a unit's last event to the cycle in which an instruction that waits for its token may start.
constexpr int64_t kTokenCycles = 2;

enum UnitIndex { kLoad, kWeight, kCompute, kStore, kUnitCount };
enum ReaderIndex { kLoadReader, kWeightReader, kFetchReader, kReaderCount };

size_t UnitOf(const Instruction& instruction) { return instruction.index() - 1; }  // END: large

// The weight unit: beats are taken as they come.
class WeightClock {
 public:
  WeightClock(const Design& design, ReadDma& dma) : d_(design), dma_(dma) {}

  std::optional<Cycle> MayStart() const {
    if (is_requesting_) return std::nullopt;
    if (started_ < 2) return free_;
    if (static_cast<int64_t>(finished_.size()) < started_ - 1) return std::nullopt;
    return std::max(free_, finished_[static_cast<size_t>(started_ - 2)] + 1);
  }

  void Start(const Weight& weight, Cycle start) {
    ++started_;
    address_ = weight.address_bytes;
    bytes_ = weight.words * (weight.target == WeightTarget::kWeights ? d_.WeightWordBytes()
                                                                     : d_.ParameterWordBytes());
    beats_.push_back(bytes_ / kBeatBytes);
    free_ = start + 1;
    is_requesting_ = true;
  }

  bool Request() {
    if (!is_requesting_ || !dma_.CanRequest()) return false;
    free_ = dma_.Request(address_, bytes_, free_) + 1;
    is_requesting_ = false;
    return true;
  }

  void Consume(const Arrival& arrival) {
    if (arrival.IsEven()) {
      dma_.Take(arrival.first + 1, 1, arrival.beats);
    } else {
      for (int64_t i = 0; i < arrival.beats; ++i) dma_.Take(arrival.Of(i) + 1);
    }
    beats_.front() -= arrival.beats;
    if (beats_.front() > 0) return;
    beats_.pop_front();
    finished_.push_back(arrival.last + 1);
  }

  // Of each instruction: the cycle in which its last beat was taken.
  const std::vector<Cycle>& finished() const { return finished_; }

 private:
  const Design& d_;
  ReadDma& dma_;
  uint64_t address_ = 0;
  int64_t bytes_ = 0;
  bool is_requesting_ = false;
  Cycle free_ = kLongAgo;
  int64_t started_ = 0;
  std::deque<int64_t> beats_;  // that have not come, of the instructions under way
  std::vector<Cycle> finished_;
};

// Preparation and array.
class ComputeClock {
 public:
  explicit ComputeClock(const Design& design)
      : drain_(DrainCycles(design)), write_(drain_ + EpilogueLatency(design)) {}

  // The preparation takes an instruction that is in the queue from this cycle on.
  Cycle Prepare(Cycle queued) {
    prepared_ = std::max(queued, start_ + 1);
    return prepared_;
  }

  // Starts what was prepared; gives the last step's cycle.
  Cycle Start(const Compute& c, Cycle tokens) {
    start_ = std::max({prepared_ + kPrepareCycles - 1, tokens, last_step_});
    // written_ counts from the cycle after the step.
    if (c.source == ComputeSource::kMiddle) start_ = std::max(start_, middle_step_ + write_ + 1);
    const int64_t sets = int64_t{c.row_groups} * c.column_groups * c.lane_groups;
    const int64_t steps = int64_t{c.taps_y} * c.taps_x * c.chunks;
    // A set's sums go to the epilogue when it has done with those of the set before.
    last_step_ =
        std::max(start_ + steps, last_step_ + drain_) + (sets - 1) * std::max(steps, drain_);
    if (c.target == ComputeTarget::kMiddle) middle_step_ = last_step_;
    return last_step_;
  }

  // From the last step on: to the token, and until the unit is idle.
  int64_t write_cycles() const { return write_; }

 private:
  const int64_t drain_;
  const int64_t write_;  // from the last step to its set's last word, and a cycle
  Cycle prepared_ = kLongAgo;
  Cycle start_ = kLongAgo;
  Cycle last_step_ = kLongAgo;
  Cycle middle_step_ = kLongAgo;
};

class Engine {
 public:
  Engine(const Design& design, const std::vector<Instruction>& program, const MemoryTiming& memory,
         const ClockOptions& options)
      : program_(program),
        ports_count_(design.dma_ports),
        bandwidth_(memory.bytes_per_cycle, design.dma_ports == 4 ? 4 : design.dma_ports + 1),
        ports_{ReadPort(memory, bandwidth_), ReadPort(memory, bandwidth_),
               ReadPort(memory, bandwidth_)},
        dmas_{ReadDma(options.sizes), ReadDma(options.sizes),
              ReadDma({.fifo_beats = kFetchBeats,
                       .burst_beats = kFetchBeats,
                       .bursts = options.sizes.bursts})},
        load_(design, dmas_[kLoadReader], options.is_stepwise),
        weight_(design, dmas_[kWeightReader]),
        compute_(design),
        store_(design, options.sizes, memory, bandwidth_, options.is_stepwise),
        next_block_(options.program_address) {
    timeline_.last_writes.resize(program.size());
  }

  Result<Timeline> Run() {
    // What follows from what is known, then the choice of a shared port, then again.
    do {
      while (Advance()) {
      }
    } while (Choose());
    if (!is_ended_ || std::ranges::any_of(queues_, [](const auto& q) { return !q.empty(); })) {
      return Fail("the units wait for each other at instruction {} of {}", next_, program_.size());
    }
    return timeline_;
  }

 private:
  struct Queued {
    size_t instruction;
    Cycle from;  // the unit sees it
  };

  bool Advance() {
    bool is_moving = false;
    for (const int reader : {kLoadReader, kWeightReader, kFetchReader}) is_moving |= Read(reader);
    Signal(kLoad, load_.finished(), load_instructions_);
    Signal(kWeight, weight_.finished(), weight_instructions_);
    is_moving |= HandOut();
    for (int unit = 0; unit < kUnitCount; ++unit) is_moving |= StartNext(unit);
    return is_moving;
  }

  // ---- Ports ----

  // Ports that read for several: the only one, or of two the second.
  bool IsShared(int reader) const {
    return ports_count_ == 1 || (ports_count_ == 2 && reader != kLoadReader);
  }

  bool Request(int reader) {
    if (reader == kLoadReader) return load_.Request();
    if (reader == kWeightReader) return weight_.Request();
    if (!is_block_wanted_ || !dmas_[kFetchReader].CanRequest()) return false;
    const auto bytes = static_cast<int64_t>(kFetchBytes - next_block_ % kFetchBytes);
    dmas_[kFetchReader].Request(next_block_, bytes, block_from_);
    next_block_ += static_cast<uint64_t>(bytes);
    is_block_wanted_ = false;
    return true;
  }

  bool Read(int reader) {
    bool is_moving = false;
    for (;;) {
      const bool is_requested = Request(reader);
      is_moving |= is_requested;
      const std::optional<Cycle> offer = dmas_[static_cast<size_t>(reader)].Offer();
      if (offer && !IsShared(reader)) {
        const Arrival arrival = ports_[static_cast<size_t>(reader)].Accept(
            *offer, dmas_[static_cast<size_t>(reader)].offered_beats());
        Arrive(reader, arrival.accepted, arrival);
        is_moving = true;
      } else if (!is_requested) {
        return is_moving;
      }
    }
  }

  void Arrive(int reader, Cycle taken, const Arrival& arrival) {
    dmas_[static_cast<size_t>(reader)].Accept(taken, arrival);
    if (reader == kLoadReader) return load_.Consume(arrival);
    if (reader == kWeightReader) return weight_.Consume(arrival);
    block_ = arrival;
    block_beat_ = 0;
  }

  // The shared port takes the address whose turn it is, once all that may be shown by then is known:
  // what else is to come follows from this choice, and so is later.
  bool Choose() {
    const int first = ports_count_ == 1 ? kLoadReader : kWeightReader;
    std::array<std::optional<Cycle>, kReaderCount> offers;
    std::optional<Cycle> time;
    for (int r = 0; r < kReaderCount; ++r) {
      if (!IsShared(r)) continue;
      offers[static_cast<size_t>(r)] = dmas_[static_cast<size_t>(r)].Offer();
      const auto& offer = offers[static_cast<size_t>(r)];
      if (offer && (!time || *offer < *time)) time = *offer;
    }
    if (!time) return false;
    const Cycle taken = std::max(*time, mux_free_);
    const int masters = kReaderCount - first;
    int reader = turn_;
    while (!offers[static_cast<size_t>(first + reader)] ||
           *offers[static_cast<size_t>(first + reader)] > taken) {
      reader = (reader + 1) % masters;
    }
    turn_ = (reader + 1) % masters;
    reader += first;
    const Arrival arrival = ports_[static_cast<size_t>(first)].Accept(
        taken + 1, dmas_[static_cast<size_t>(reader)].offered_beats());
    mux_free_ = arrival.accepted;
    Arrive(reader, taken, arrival);
    return true;
  }

  // ---- Fetch ----

  Cycle TakeBlockBeat(Cycle earliest) {
    fetched_ = std::max({fetched_ + 1, block_.Of(block_beat_++) + 1, earliest});
    dmas_[kFetchReader].Take(fetched_);
    return fetched_;
  }

  // Hands out the block's instructions, as long as it is known when their queues have room.
  bool HandOut() {
    bool is_moving = false;
    while (!is_ended_ && block_beat_ < block_.beats) {
      const size_t unit = UnitOf(program_[next_]);
      if (unit >= kUnitCount) {
        End();
        return true;
      }
      const auto count = static_cast<int64_t>(handed_[unit]);
      if (count - kQueueDepth >= static_cast<int64_t>(left_[unit].size())) break;
      TakeBlockBeat(kLongAgo);
      // The second half waits until the instruction before is handed out.
      Cycle handed = TakeBlockBeat(handed_out_) + 1;
      if (count >= kQueueDepth) {
        handed = std::max(handed, left_[unit][static_cast<size_t>(count - kQueueDepth)] + 1);
      }
      handed_out_ = handed;
      queues_[unit].push_back({next_++, handed + 1});
      ++handed_[unit];
      is_moving = true;
      if (block_beat_ == block_.beats) {
        is_block_wanted_ = true;
        block_from_ = handed + 1;
      }
    }
    return is_moving;
  }

  // The rest of the block is dropped.
  void End() {
    TakeBlockBeat(kLongAgo);
    TakeBlockBeat(handed_out_);
    while (block_beat_ < block_.beats) TakeBlockBeat(kLongAgo);
    is_ended_ = true;
    IdleFrom(fetched_ + 2);
  }

  // ---- Units ----

  // Starts a unit's next instruction, if it is known when.
  bool StartNext(int index) {
    const auto unit = static_cast<size_t>(index);
    if (queues_[unit].empty()) return false;
    const size_t number = queues_[unit].front().instruction;
    const Cycle queued = queues_[unit].front().from;
    if (index == kCompute && !is_prepared_) {
      left_[kCompute].push_back(compute_.Prepare(queued));
      is_prepared_ = true;
      return true;
    }
    std::optional<Cycle> start = queued;
    if (index == kLoad) start = load_.MayStart();
    if (index == kWeight) start = weight_.MayStart();
    if (index == kStore) start = store_.MayStart();
    const Sync& sync = SyncOf(program_[number]);
    for (size_t t = 0; start && t < kTokenCount; ++t) {
      if (!(sync.wait >> t & 1)) continue;
      start =
          tokens_[t].empty() ? std::nullopt : std::optional(std::max(*start, tokens_[t].front()));
    }
    if (!start) return false;
    for (size_t t = 0; t < kTokenCount; ++t) {
      if (sync.wait >> t & 1) tokens_[t].pop_front();
    }
    queues_[unit].pop_front();
    start = std::max(*start, queued);
    if (index != kCompute) left_[unit].push_back(*start);
    Start(index, number, *start);
    return true;
  }

  void Start(int index, size_t number, Cycle start) {
    const Instruction& instruction = program_[number];
    if (index == kLoad) {
      load_instructions_.push_back(number);
      load_.Start(std::get<Load>(instruction), start);
    } else if (index == kWeight) {
      weight_instructions_.push_back(number);
      weight_.Start(std::get<Weight>(instruction), start);
    } else if (index == kCompute) {
      is_prepared_ = false;
      const Cycle written =
          compute_.Start(std::get<Compute>(instruction), start) + compute_.write_cycles();
      Give(number, written + 1);
      IdleFrom(written + 1);
    } else {
      const StoreClock::Times times = store_.Start(std::get<Store>(instruction), start);
      timeline_.last_writes[number] = times.last_write;
      Finish(number, times.done);
    }
  }

  // What the load and weight units have finished since.
  void Signal(int index, const std::vector<Cycle>& finished, const std::vector<size_t>& numbers) {
    size_t& done = signalled_[static_cast<size_t>(index)];
    for (; done < finished.size(); ++done) {
      Finish(numbers[done], finished[done]);
      // The last word of zeros or data is being written.
      if (index == kLoad) IdleFrom(finished[done] + 2);
    }
  }

  // Tokens are given in the cycle after the unit's last event.
  void Finish(size_t number, Cycle last) {
    Give(number, last + kTokenCycles);
    IdleFrom(SyncOf(program_[number]).signal != 0 ? last + 2 : last + 1);
  }

  void Give(size_t number, Cycle from) {
    for (size_t t = 0; t < kTokenCount; ++t) {
      if (SyncOf(program_[number]).signal >> t & 1) tokens_[t].push_back(from);
    }
  }

  // The run ends in the first cycle in which all is idle.
  void IdleFrom(Cycle cycle) { timeline_.cycles = std::max(timeline_.cycles, cycle); }

  const std::vector<Instruction>& program_;
  const int64_t ports_count_;
  Bandwidth bandwidth_;
  std::array<ReadPort, kReaderCount> ports_;  // by the first reader of each
  std::array<ReadDma, kReaderCount> dmas_;
  int turn_ = 0;
  Cycle mux_free_ = kLongAgo;
  LoadClock load_;
  WeightClock weight_;
  ComputeClock compute_;
  StoreClock store_;

  // Fetch.
  uint64_t next_block_;
  bool is_block_wanted_ = true;
  Cycle block_from_ = 1;
  Arrival block_;
  int64_t block_beat_ = 0;
  Cycle fetched_ = kLongAgo;     // last beat
  Cycle handed_out_ = kLongAgo;  // last instruction
  size_t next_ = 0;
  bool is_ended_ = false;

  std::array<std::deque<Queued>, kUnitCount> queues_;
  std::array<size_t, kUnitCount> handed_{};          // instructions
  std::array<std::vector<Cycle>, kUnitCount> left_;  // their queue
  std::array<std::deque<Cycle>, kTokenCount> tokens_;
  bool is_prepared_ = false;
  std::vector<size_t> load_instructions_;
  std::vector<size_t> weight_instructions_;
  std::array<size_t, kUnitCount> signalled_{};
  Timeline timeline_;
};

}  // namespace

Result<Timeline> RunClock(const Design& design, const std::vector<Instruction>& program,
                          const MemoryTiming& memory, const ClockOptions& options) {
  return Engine(design, program, memory, options).Run();
}

}  // namespace lichen::tile
