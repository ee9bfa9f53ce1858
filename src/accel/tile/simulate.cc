#include "accel/tile/simulate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "accel/tile/machine.h"
#include "base/check.h"

namespace lichen::tile {
namespace {

constexpr int64_t kQueueDepth = 8;
constexpr int64_t kFetchCycles = 2;  // beats of an instruction
constexpr int64_t kMaxBurstBytes = 4096;

enum UnitIndex { kLoad, kWeight, kCompute, kStore, kUnitCount };

class Memory {
 public:
  Memory(const MemoryTiming& timing, int64_t port_bytes) : t_(timing), port_bytes_(port_bytes) {}

  struct Port {
    double free = 0;
    std::deque<double> ends;  // of bursts under way
  };

  // When the port may send its next burst's address, not before `time`.
  double MayIssue(Port& port, double time) const {
    if (static_cast<int64_t>(port.ends.size()) < t_.outstanding_bursts) return time;
    return std::max(time, port.ends.front());
  }

  // The time of the last beat of a burst whose address goes out at `time`.
  double Burst(Port& port, double time, int64_t bytes, int64_t beats) {
    const double served = std::max(time, free_);
    if (t_.bytes_per_cycle > 0) free_ = served + static_cast<double>(bytes) / t_.bytes_per_cycle;
    const double first = std::max(served + static_cast<double>(t_.latency_cycles), port.free);
    double end = first + static_cast<double>(beats);
    if (t_.bytes_per_cycle > 0) {
      end = std::max(end, free_ + static_cast<double>(t_.latency_cycles));
    }
    port.free = end;
    port.ends.push_back(end);
    while (static_cast<int64_t>(port.ends.size()) > t_.outstanding_bursts) port.ends.pop_front();
    return end;
  }

  int64_t port_bytes() const { return port_bytes_; }

 private:
  MemoryTiming t_;
  int64_t port_bytes_;
  double free_ = 0;
};

class TimeSimulation {
 public:
  TimeSimulation(const Plan& plan, const MemoryTiming& memory)
      : plan_(plan), d_(plan.design), memory_(memory, d_.dma_bits / 8) {
    for (size_t layer = 0; layer < plan.layers.size(); ++layer) {
      for (size_t i = plan.layers[layer].first_instruction; i < plan.layers[layer].end_instruction;
           ++i) {
        layer_of_.resize(std::max(layer_of_.size(), i + 1), 0);
        layer_of_[i] = layer;
      }
    }
    layer_of_.resize(plan.program.size(), plan.layers.empty() ? 0 : plan.layers.size() - 1);
    ends_.resize(plan.layers.size());
    array_.resize(plan.layers.size());
    bytes_.resize(plan.layers.size());
  }

  Result<Trace> Run() {
    while (next_ < plan_.program.size() || AnyWork()) {
      LICHEN_TRY_VOID(Step());
    }
    Trace trace;
    double before = 0;
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const PlannedLayer& planned = plan_.layers[i];
      const Mapping& m = planned.mapping;
      LayerTrace layer{.name = planned.layer.name,
                       .tile = fmt::format("{}x{}", m.tile_rows * planned.layer.y.phases,
                                           m.tile_columns * planned.layer.x.phases),
                       .cycles = std::llround(ends_[i] - before),
                       .array_cycles = array_[i],
                       .bound = {},
                       .macs = planned.layer.macs,
                       .dram_bytes = bytes_[i]};
      before = ends_[i];
      const double share = static_cast<double>(layer.array_cycles) /
                           static_cast<double>(std::max<int64_t>(layer.cycles, 1));
      layer.bound = share >= 0.9 ? "MAC" : DramBound(layer) ? "DRAM" : "pipeline";
      trace.dram_bytes += layer.dram_bytes;
      trace.layers.push_back(std::move(layer));
    }
    trace.cycles = std::llround(before);
    trace.seconds = static_cast<double>(trace.cycles) / (d_.clock_mhz * 1e6);
    int64_t macs = 0;
    for (const PlannedLayer& planned : plan_.layers) macs += planned.layer.macs;
    trace.utilization = static_cast<double>(macs) / (static_cast<double>(trace.cycles) *
                                                     static_cast<double>(d_.MacsPerCycle()));
    return trace;
  }

 private:
  struct Unit {
    std::deque<size_t> queue;  // instructions
    std::deque<double> arrived;
    double free = 0;  // may start the next
    bool is_running = false;
    // Of the instruction under way:
    double time = 0;    // of its next action
    double data = 0;    // its words are written or read up to here
    double issued = 0;  // last address
    int64_t row = 0;
    int64_t at_bytes = 0;  // within the row
    double last_end = 0;
    Memory::Port port;
  };

  bool DramBound(const LayerTrace& layer) const {
    return layer.dram_bytes / (d_.dma_bits / 8) > layer.cycles / 2;
  }

  bool AnyWork() const {
    return std::ranges::any_of(units_, [](const Unit& u) { return !u.queue.empty(); });
  }

  static size_t UnitOf(const Instruction& instruction) {
    constexpr size_t kNone = kUnitCount;
    return instruction.index() == 0 ? kNone : instruction.index() - 1;
  }

  // Of all that can happen next, does what comes first.
  Result<void> Step() {
    double best = INFINITY;
    int chosen = -1;  // kUnitCount: fetch
    if (next_ < plan_.program.size()) {
      const size_t unit = UnitOf(plan_.program[next_]);
      double time = fetch_time_ + kFetchCycles;
      bool can = true;
      if (unit < kUnitCount) {
        can = static_cast<int64_t>(units_[unit].queue.size()) < kQueueDepth;
        time = std::max(time, space_[unit]);
      }
      if (can) {
        best = time;
        chosen = kUnitCount;
      }
    }
    for (int u = 0; u < kUnitCount; ++u) {
      double time;
      if (!NextTime(u, time) || time >= best) continue;
      best = time;
      chosen = u;
    }
    if (chosen < 0) {
      return Fail("the units wait for each other at instruction {} of {}", next_,
                  plan_.program.size());
    }
    if (chosen == kUnitCount) {
      fetch_time_ = best;
      const size_t unit = UnitOf(plan_.program[next_]);
      if (unit < kUnitCount) {
        units_[unit].queue.push_back(next_);
        units_[unit].arrived.push_back(best);
      }
      ++next_;
      return {};
    }
    Unit& unit = units_[static_cast<size_t>(chosen)];
    if (!unit.is_running) {
      Begin(chosen, best);
    } else {
      Advance(chosen);
    }
    return {};
  }

  bool NextTime(int index, double& time) const {
    const Unit& unit = units_[static_cast<size_t>(index)];
    if (unit.queue.empty()) return false;
    if (unit.is_running) {
      time = unit.time;
      return true;
    }
    time = std::max(unit.free, unit.arrived.front());
    const Sync& sync = SyncOf(plan_.program[unit.queue.front()]);
    for (int t = 0; t < kTokenCount; ++t) {
      if (!(sync.wait >> t & 1)) continue;
      const auto& tokens = tokens_[static_cast<size_t>(t)];
      if (tokens.empty()) return false;
      time = std::max(time, tokens.front());
    }
    return true;
  }

  void Begin(int index, double time) {
    Unit& unit = units_[static_cast<size_t>(index)];
    const size_t number = unit.queue.front();
    const Instruction& instruction = plan_.program[number];
    const Sync& sync = SyncOf(instruction);
    for (int t = 0; t < kTokenCount; ++t) {
      if (sync.wait >> t & 1) tokens_[static_cast<size_t>(t)].pop_front();
    }
    space_[static_cast<size_t>(index)] = time;
    unit.is_running = true;
    // Addresses go out three cycles after the start; the array needs none.
    unit.time = index == kCompute ? time : time + 3;
    unit.data = unit.time;
    unit.issued = unit.time;
    unit.last_end = unit.time;
    unit.row = 0;
    unit.at_bytes = 0;
    if (index == kCompute) RunCompute(std::get<Compute>(instruction), number);
  }

  void Finish(int index, double time) {
    Unit& unit = units_[static_cast<size_t>(index)];
    const size_t number = unit.queue.front();
    const Sync& sync = SyncOf(plan_.program[number]);
    for (int t = 0; t < kTokenCount; ++t) {
      if (sync.signal >> t & 1) tokens_[static_cast<size_t>(t)].push_back(time);
    }
    if (index == kStore) ends_[layer_of_[number]] = time;
    unit.is_running = false;
    unit.queue.pop_front();
    unit.arrived.pop_front();
    unit.free = std::max(unit.free, index == kCompute ? unit.free : time);
  }

  // The array takes the next instruction with the last step of the one before; results follow.
  void RunCompute(const Compute& c, size_t number) {
    Unit& unit = units_[kCompute];
    const int64_t drain = DrainCycles(d_);
    double start = std::max(unit.time, prepared_);
    if (c.source == ComputeSource::kMiddle) start = std::max(start, middle_written_);
    prepared_ = start + kPrepareCycles;
    const int64_t sets = int64_t{c.row_groups} * c.column_groups * c.lane_groups;
    const int64_t steps = int64_t{c.taps_y} * c.taps_x * c.chunks;
    // A set's sums go to the epilogue when it has done with those of the set before.
    const auto period = static_cast<double>(std::max(steps, drain));
    double last_step =
        std::max(start + static_cast<double>(steps), last_step_ + static_cast<double>(drain));
    last_step += static_cast<double>(sets - 1) * period;
    last_step_ = last_step;
    array_[layer_of_[number]] += sets * steps;
    const double done = last_step + static_cast<double>(drain + EpilogueLatency(d_));
    if (c.target == ComputeTarget::kMiddle) middle_written_ = done + 1;
    Finish(kCompute, done + 1);
    unit.free = last_step;
  }

  void Advance(int index) {
    const Instruction& instruction =
        plan_.program[units_[static_cast<size_t>(index)].queue.front()];
    switch (index) {
      case kLoad:
        return AdvanceLoad(std::get<Load>(instruction));
      case kWeight:
        return AdvanceWeight(std::get<Weight>(instruction));
      default:
        return AdvanceStore(std::get<Store>(instruction));
    }
  }

  struct BurstSize {
    int64_t bytes;  // of the row
    int64_t beats;
  };
  // The next burst of a run of `bytes` from `address`.
  BurstSize NextBurst(uint64_t address, int64_t bytes) const {
    const auto beat = static_cast<uint64_t>(memory_.port_bytes());
    const uint64_t page_end = (address / kMaxBurstBytes + 1) * kMaxBurstBytes;
    const uint64_t end = std::min(address + static_cast<uint64_t>(bytes), page_end);
    const auto beats = static_cast<int64_t>((end + beat - 1) / beat - address / beat);
    return {static_cast<int64_t>(end - address), beats};
  }

  void CountBytes(int index, int64_t bytes) {
    bytes_[layer_of_[units_[static_cast<size_t>(index)].queue.front()]] += bytes;
  }

  void AdvanceLoad(const Load& i) {
    Unit& unit = units_[kLoad];
    const double words = i.row_words;
    // Rows of zeros, and the end.
    while (unit.row < i.rows && (unit.row < i.top_rows || unit.row >= i.top_rows + i.valid_rows)) {
      unit.data += words;
      ++unit.row;
    }
    if (unit.row >= i.rows) return Finish(kLoad, unit.data);
    const int64_t row_bytes = int64_t{i.valid_elements} * d_.ElementBytes();
    const uint64_t address = i.address_bytes +
                             static_cast<uint64_t>(unit.row - i.top_rows) * i.row_stride_bytes +
                             static_cast<uint64_t>(unit.at_bytes);
    const BurstSize burst = NextBurst(address, row_bytes - unit.at_bytes);
    const double issue = memory_.MayIssue(unit.port, unit.time);
    if (issue > unit.time) {
      unit.time = issue;
      return;
    }
    unit.last_end =
        memory_.Burst(unit.port, issue, burst.beats * memory_.port_bytes(), burst.beats);
    CountBytes(kLoad, burst.beats * memory_.port_bytes());
    unit.time = issue + 1;
    unit.at_bytes += burst.bytes;
    if (unit.at_bytes < row_bytes) return;
    const double right_words =
        words - i.left_words -
        std::ceil(static_cast<double>(i.valid_elements) / static_cast<double>(d_.pif));
    unit.data = std::max(unit.data + words, unit.last_end + right_words + 1);
    unit.at_bytes = 0;
    ++unit.row;
  }

  void AdvanceWeight(const Weight& i) {
    Unit& unit = units_[kWeight];
    const int64_t word_bytes =
        i.target == WeightTarget::kWeights ? d_.WeightWordBytes() : d_.ParameterWordBytes();
    const int64_t bytes = int64_t{i.words} * word_bytes;
    if (unit.at_bytes >= bytes) return Finish(kWeight, unit.last_end + 1);
    const BurstSize burst =
        NextBurst(i.address_bytes + static_cast<uint64_t>(unit.at_bytes), bytes - unit.at_bytes);
    const double issue = memory_.MayIssue(unit.port, unit.time);
    if (issue > unit.time) {
      unit.time = issue;
      return;
    }
    unit.last_end =
        memory_.Burst(unit.port, issue, burst.beats * memory_.port_bytes(), burst.beats);
    CountBytes(kWeight, burst.beats * memory_.port_bytes());
    unit.time = issue + 1;
    unit.at_bytes += burst.bytes;
  }

  void AdvanceStore(const Store& i) {
    Unit& unit = units_[kStore];
    if (unit.row >= i.rows) return Finish(kStore, unit.last_end);
    const int64_t row_bytes = int64_t{i.valid_elements} * i.element_bytes;
    const uint64_t address = i.address_bytes +
                             static_cast<uint64_t>(unit.row) * i.row_stride_bytes +
                             static_cast<uint64_t>(unit.at_bytes);
    const BurstSize burst = NextBurst(address, row_bytes - unit.at_bytes);
    // The packer has the burst's elements when it has read their words.
    const double elements = static_cast<double>(burst.bytes / i.element_bytes);
    const double ready = unit.data + elements * WordsPerElement(i);
    const double issue = memory_.MayIssue(unit.port, std::max(unit.time, ready));
    if (issue > unit.time) {
      unit.time = issue;
      return;
    }
    unit.data = ready;
    unit.last_end =
        memory_.Burst(unit.port, issue, burst.beats * memory_.port_bytes(), burst.beats);
    CountBytes(kStore, burst.bytes);
    unit.time = issue + 1;
    unit.at_bytes += burst.bytes;
    if (unit.at_bytes < row_bytes) return;
    unit.at_bytes = 0;
    ++unit.row;
  }

  double WordsPerElement(const Store& i) const {
    const int64_t e = d_.epilogue_lanes;
    const int64_t words = (i.first + i.run - 1) / e - i.first / e + 1;
    return static_cast<double>(words) / i.run;
  }

  const Plan& plan_;
  const Design& d_;
  Memory memory_;
  std::array<Unit, kUnitCount> units_;
  std::array<double, kUnitCount> space_{};
  std::array<std::deque<double>, kTokenCount> tokens_;
  size_t next_ = 0;
  double fetch_time_ = 0;
  double prepared_ = 0;      // the compute unit's next instruction
  double last_step_ = -1e9;  // of the array
  double middle_written_ = 0;
  std::vector<size_t> layer_of_;
  std::vector<double> ends_;
  std::vector<int64_t> array_;
  std::vector<int64_t> bytes_;
};

}  // namespace

MemoryTiming IdealMemory() {
  return {.latency_cycles = 4, .bytes_per_cycle = 0, .outstanding_bursts = 8};
}

MemoryTiming BoardMemory(const Board& board, const Design& design) {
  const MemoryModel& m = board.memory;
  return {.latency_cycles = std::llround(m.latency_ns * design.clock_mhz / 1e3),
          .bytes_per_cycle = m.peak_gbyte_per_s * m.efficiency * 1e3 / design.clock_mhz,
          .outstanding_bursts = 8};
}

Result<Trace> SimulateTime(const Plan& plan, const MemoryTiming& memory) {
  return TimeSimulation(plan, memory).Run();
}

Result<std::vector<uint8_t>> MakeMemory(const Plan& plan, const Tensor<int32_t>& input) {
  const TensorPlace& place = plan.input();
  const Shape& shape = input.shape();
  if (shape.h != place.height || shape.w != place.width || shape.c != place.channels) {
    return Fail("the plan is for an input of {}x{}x{}, not {}x{}x{}", place.height, place.width,
                place.channels, shape.h, shape.w, shape.c);
  }
  std::vector<uint8_t> memory(static_cast<size_t>(plan.memory_bytes), 0);
  std::copy(plan.constants.begin(), plan.constants.end(), memory.begin());
  const int64_t bytes = place.element_bytes;
  for (int64_t y = 0; y < place.height; ++y) {
    for (int64_t x = 0; x < place.width; ++x) {
      for (int64_t c = 0; c < place.channels; ++c) {
        const int32_t value = input.view()(0, y, x, c);
        const auto at = static_cast<size_t>(place.address_bytes + y * place.row_stride_bytes +
                                            (x * place.pixel_elements + c) * bytes);
        memory[at] = static_cast<uint8_t>(value);
        if (bytes == 2) memory[at + 1] = static_cast<uint8_t>(value >> 8);
      }
    }
  }
  return memory;
}

Tensor<int32_t> ReadTensor(const TensorPlace& place, std::span<const uint8_t> memory) {
  Tensor<int32_t> tensor({1, place.height, place.width, place.channels});
  const int64_t bytes = place.element_bytes;
  for (int64_t y = 0; y < place.height; ++y) {
    for (int64_t x = 0; x < place.width; ++x) {
      for (int64_t c = 0; c < place.channels; ++c) {
        const auto at = static_cast<size_t>(place.address_bytes + y * place.row_stride_bytes +
                                            (x * place.pixel_elements + c) * bytes);
        int32_t value = memory[at];
        if (bytes == 2) value |= memory[at + 1] << 8;
        const int32_t sign = 1 << (8 * bytes - 1);
        if (!place.is_unsigned) value = (value ^ sign) - sign;
        tensor.view()(0, y, x, c) = value;
      }
    }
  }
  return tensor;
}

Result<Tensor<int32_t>> SimulateValues(const Plan& plan, const Tensor<int32_t>& input,
                                       const LayerObserver& observer) {
  LICHEN_TRY(std::vector<uint8_t> memory, MakeMemory(plan, input));
  Machine machine(plan.design, memory);
  LICHEN_TRY(const std::vector<size_t> order, FinishOrder(plan.program));
  for (size_t i : order) {
    LICHEN_TRY_VOID(InPlace(fmt::format("instruction {}", i), machine.Execute(plan.program[i])));
    for (const PlannedLayer& planned : plan.layers) {
      if (!observer || i + 1 != planned.end_instruction) continue;
      observer(planned, ReadTensor(plan.tensors[planned.output], memory));
    }
  }
  return ReadTensor(plan.output(), memory);
}

}  // namespace lichen::tile
