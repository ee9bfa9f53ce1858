#include "accel/fusion/simulate_time.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <deque>
#include <optional>

namespace lichen::fusion {
namespace {

// As the engine is built (rtl/fusion/fusion_engine.sv).
constexpr int64_t kQueueDepth = 8;
constexpr int64_t kDmaFifoBeats = 64;
constexpr int64_t kMaxBurstBeats = 16;
constexpr int64_t kMaxBursts = 4;
constexpr int64_t kPageBeats = 256;
constexpr int64_t kOperandLatency = 7;
constexpr int64_t kUnitLatency = 3;
constexpr int64_t kRequantLatency = 10;
constexpr int64_t kStoreFifoWords = 8;
constexpr int64_t kReadLatency = 2;  // of a buffer

int64_t Log2(int64_t power) { return std::countr_zero(static_cast<uint64_t>(power)); }

// A request of beats, cut into bursts.
struct BurstSplitter {
  int64_t at = 0;    // next beat
  int64_t left = 0;  // beats
  int64_t Next() const { return std::min({kPageBeats - at % kPageBeats, kMaxBurstBeats, left}); }
};

using accel::AxiMemoryPort;

// lib/axi_read_dma.sv. Registers change in Clock() alone.
class ReadDma {
 public:
  bool has_beat() const { return fifo_ > 0; }
  AxiMemoryPort::Engine Port() const {
    return {
        .ar_valid = ar_valid_, .ar_address = ar_address_, .ar_beats = ar_beats_, .r_ready = true};
  }
  // Whether a request is taken in this cycle.
  bool IsReady(const AxiMemoryPort::Offered& offered) const {
    return split_.left == 0 || (Sends(offered) && split_.left == split_.Next());
  }
  struct Request {
    uint64_t address_bytes = 0;
    int64_t beats = 0;
  };
  void Clock(const AxiMemoryPort::Offered& offered, const std::optional<Request>& request,
             bool takes_beat) {
    const bool sends = Sends(offered);
    const bool is_ready = IsReady(offered);
    const int64_t beats = split_.Next();
    if (!ar_valid_ || offered.ar_ready) {
      ar_valid_ = sends;
      ar_address_ = static_cast<uint64_t>(split_.at) * AxiMemoryPort::kBeatBytes;
      ar_beats_ = beats;
    }
    if (is_ready) {
      split_ = request ? BurstSplitter{static_cast<int64_t>(request->address_bytes /
                                                            AxiMemoryPort::kBeatBytes),
                                       request->beats}
                       : BurstSplitter{};
    } else if (sends) {
      split_.at += beats;
      split_.left -= beats;
    }
    credit_ += (takes_beat ? 1 : 0) - (sends ? beats : 0);
    bursts_ += (sends ? 1 : 0) - (offered.r_valid && offered.r_last ? 1 : 0);
    fifo_ += (offered.r_valid ? 1 : 0) - (takes_beat ? 1 : 0);
  }

 private:
  bool Sends(const AxiMemoryPort::Offered& offered) const {
    return split_.left != 0 && (!ar_valid_ || offered.ar_ready) && credit_ >= split_.Next() &&
           bursts_ != kMaxBursts;
  }

  BurstSplitter split_;
  int64_t credit_ = kDmaFifoBeats;
  int64_t bursts_ = 0;
  int64_t fifo_ = 0;
  bool ar_valid_ = false;
  uint64_t ar_address_ = 0;
  int64_t ar_beats_ = 0;
};

// lib/axi_write_dma.sv.
class WriteDma {
 public:
  AxiMemoryPort::Engine Port() const {
    return {.aw_valid = aw_valid_,
            .aw_address = aw_address_,
            .aw_beats = aw_beats_,
            .w_valid = w_valid_,
            .b_ready = true};
  }
  bool IsReady(const AxiMemoryPort::Offered& offered) const {
    return split_.left == 0 || (Sends(offered) && split_.left == split_.Next());
  }
  bool TakesBeats(const AxiMemoryPort::Offered& offered) const {
    return !lengths_.empty() && (!w_valid_ || offered.w_ready);
  }
  bool IsWritten() const { return split_.left == 0 && under_way_ == 0; }

  void Clock(const AxiMemoryPort::Offered& offered, const std::optional<ReadDma::Request>& request,
             bool gives_beat) {
    const bool sends = Sends(offered);
    const bool is_ready = IsReady(offered);
    const int64_t beats = split_.Next();
    if (!w_valid_ || offered.w_ready) w_valid_ = gives_beat;
    if (gives_beat && ++count_ == lengths_.front()) {
      count_ = 0;
      lengths_.pop_front();
    }
    if (!aw_valid_ || offered.aw_ready) {
      aw_valid_ = sends;
      aw_address_ = static_cast<uint64_t>(split_.at) * AxiMemoryPort::kBeatBytes;
      aw_beats_ = beats;
    }
    if (sends) lengths_.push_back(beats);
    if (is_ready) {
      split_ = request ? BurstSplitter{static_cast<int64_t>(request->address_bytes /
                                                            AxiMemoryPort::kBeatBytes),
                                       request->beats}
                       : BurstSplitter{};
    } else if (sends) {
      split_.at += beats;
      split_.left -= beats;
    }
    under_way_ += (sends ? 1 : 0) - (offered.b_valid ? 1 : 0);
  }

 private:
  bool Sends(const AxiMemoryPort::Offered& offered) const {
    return split_.left != 0 && (!aw_valid_ || offered.aw_ready) &&
           static_cast<int64_t>(lengths_.size()) < kMaxBursts && under_way_ < kMaxBursts;
  }

  BurstSplitter split_;
  std::deque<int64_t> lengths_;
  int64_t count_ = 0;
  int64_t under_way_ = 0;  // bursts sent and not answered
  bool aw_valid_ = false;
  uint64_t aw_address_ = 0;
  int64_t aw_beats_ = 0;
  bool w_valid_ = false;
};

// An instruction in a queue, with its loops' iterations.
struct Queued {
  size_t index = 0;
  uint64_t i0 = 0;
  uint64_t i1 = 0;
};

class TokenCounters {
 public:
  bool Has(uint32_t mask) const {
    for (size_t t = 0; t < kTokenCount; ++t) {
      if ((mask >> t & 1) && count_[t] == 0) return false;
    }
    return true;
  }
  void Take(uint32_t mask) { taken_ |= mask; }
  void Give(uint32_t mask) { given_ |= mask; }
  // A counter has one giver and one taker, so that a mask holds all of a cycle.
  void Clock() {
    for (size_t t = 0; t < kTokenCount; ++t) {
      count_[t] += static_cast<int64_t>(given_ >> t & 1) - static_cast<int64_t>(taken_ >> t & 1);
    }
    given_ = taken_ = 0;
  }

 private:
  std::array<int64_t, kTokenCount> count_ = {0, 2, 0, 2, 0, 2, 0};
  uint32_t given_ = 0;
  uint32_t taken_ = 0;
};

// fusion_load.sv.
struct LoadUnit {
  bool is_running = false;
  bool phase = false;
  const Load* load = nullptr;
  uint64_t address = 0;
  int64_t to_request = 0;
  int64_t to_write = 0;
  int64_t beat = 0;
};

// fusion_weight.sv.
struct WeightUnit {
  bool is_running = false;
  bool is_requested = false;
  bool is_program = false;
  const Weight* weight = nullptr;
  uint64_t address = 0;
  int64_t words = 0;
  int64_t word_beats = 0;
  int64_t beat = 0;
};

// fusion_compute.sv.
struct ComputeUnit {
  enum class State { kIdle, kPrepare, kRun, kFinish };
  State state = State::kIdle;
  const Compute* compute = nullptr;
  int64_t prepared = 0;
  int64_t sets_left = 0;
  int64_t step = 0;
  int64_t drain = 0;
  int64_t finish = 0;
};

// fusion_store.sv.
struct StoreUnit {
  bool is_running = false;
  const Store* store = nullptr;
  uint64_t address = 0;
  int64_t to_request = 0;
  int64_t rows_left = 0;
  // The reader.
  int64_t read_rows = 0;
  int64_t pixel = 0;
  int64_t word = 0;
  int64_t elements_left = 0;
  int64_t credit = kStoreFifoWords;
  struct Word {
    int64_t count = 0;
    bool ends_row = false;
  };
  std::array<std::optional<Word>, kReadLatency> reading;
  std::deque<Word> fifo;
  // The packer.
  int64_t fill = 0;
  int64_t beats_left = 0;
  bool is_whole = false;
};

// fusion_sequencer.sv.
struct Sequencer {
  enum class State { kProgram, kRead0, kRead1, kDecode, kExecute, kAddress, kPush, kDrain, kIdle };
  State state = State::kProgram;
  size_t pc = 0;
  std::array<size_t, 2> first = {};
  std::array<uint64_t, 2> iteration = {};
  std::array<uint64_t, 2> limit = {};
};

enum UnitIndex { kLoad, kWeight, kCompute, kStore, kUnitCount };
constexpr size_t kFirstUnitOpcode = 3;

class TimeSimulation {
 public:
  TimeSimulation(const Plan& plan, const accel::AxiTiming& timing)
      : plan_(plan), d_(plan.design), budget_(timing), port0_(timing, 0), port1_(timing, 1) {
    last_write_.resize(plan.layers.size(), 0);
    step_cycles_.resize(plan.layers.size(), 0);
    read_bytes_.resize(plan.layers.size(), 0);
    written_bytes_.resize(plan.layers.size(), 0);
    buffer_read_bytes_.resize(plan.layers.size(), 0);
    buffer_written_bytes_.resize(plan.layers.size(), 0);
    // The start pulse comes in cycle 0: the program is to be read.
    weight_.is_running = true;
    weight_.is_program = true;
    weight_.words = static_cast<int64_t>(plan.program.size());
    weight_.word_beats = 2;
  }

  Result<Trace> Run() {
    constexpr int64_t kMaxQuiet = 1 << 22;  // cycles without a token, a beat or a step
    int64_t last_event = 0;
    for (cycle_ = 1; sequencer_.state != Sequencer::State::kIdle; ++cycle_) {
      is_event_ = false;
      Clock();
      if (is_event_) last_event = cycle_;
      if (cycle_ - last_event > kMaxQuiet) {
        return Fail("the units wait for each other at instruction {} of {}", sequencer_.pc,
                    plan_.program.size());
      }
    }
    return MakeTrace();
  }

 private:
  void Clock() {
    budget_.NextCycle();
    const AxiMemoryPort::Offered offered0 = port0_.Offer(cycle_, budget_);
    const AxiMemoryPort::Offered offered1 = port1_.Offer(cycle_, budget_);
    const AxiMemoryPort::Engine reads = load_dma_.Port();
    AxiMemoryPort::Engine engine0 = store_dma_.Port();
    engine0.ar_valid = reads.ar_valid;
    engine0.ar_address = reads.ar_address;
    engine0.ar_beats = reads.ar_beats;
    engine0.r_ready = true;
    const AxiMemoryPort::Engine engine1 = weight_dma_.Port();
    // Units see the registers of this cycle; what they push is in queues in the next.
    const bool is_idle = IsIdle();
    std::array<int64_t, kUnitCount> room;
    for (size_t u = 0; u < kUnitCount; ++u) {
      room[u] = kQueueDepth - static_cast<int64_t>(queues_[u].size());
    }
    ClockLoad(offered0);
    ClockWeight(offered1);
    ClockCompute();
    ClockStore(offered0);
    ClockSequencer(is_idle, room);
    tokens_.Clock();
    const AxiMemoryPort::Moved moved = port0_.Move(cycle_, engine0, budget_);
    port1_.Move(cycle_, engine1, budget_);
    if (moved.is_write) NoteWrite(moved.write_address);
    is_event_ = is_event_ || moved.is_write || offered0.r_valid || offered1.r_valid;
  }

  bool IsIdle() const {
    return std::ranges::all_of(queues_, [](const auto& q) { return q.empty(); }) &&
           !load_.is_running && !weight_.is_running &&
           compute_.state == ComputeUnit::State::kIdle && !store_.is_running;
  }

  // The instruction at the front of a queue, if its tokens are there; takes both.
  template <class T>
  const T* Start(UnitIndex unit, Queued& queued) {
    auto& queue = queues_[unit];
    if (queue.empty()) return nullptr;
    const T& instruction = std::get<T>(plan_.program[queue.front().index]);
    if (!tokens_.Has(instruction.sync.wait)) return nullptr;
    tokens_.Take(instruction.sync.wait);
    queued = queue.front();
    queue.pop_front();
    is_event_ = true;
    return &instruction;
  }

  size_t LayerOf(size_t index) const {
    size_t layer = 0;
    while (layer + 1 < plan_.layers.size() && index >= plan_.layers[layer].end_instruction) ++layer;
    return layer;
  }

  void NoteWrite(uint64_t address) {
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const TensorPlace& place = plan_.tensors[plan_.layers[i].output];
      const int64_t rows = place.border.top + place.size.h + place.border.bottom;
      for (const PlanePlace& plane : place.planes) {
        const auto first = static_cast<uint64_t>(plane.address_bytes);
        if (address < first ||
            address >= first + static_cast<uint64_t>(rows * plane.row_stride_bytes)) {
          continue;
        }
        last_write_[i] = cycle_;
        written_bytes_[i] += kBeatBytes;
      }
    }
  }

  void ClockLoad(const AxiMemoryPort::Offered& offered) {
    LoadUnit& u = load_;
    std::optional<ReadDma::Request> request;
    if (u.is_running && u.to_request > 0) request = {u.address, u.load->row_beats};
    const bool is_requested = request && load_dma_.IsReady(offered);
    const bool has_beat = load_dma_.has_beat();
    const bool takes_beat = u.is_running && u.phase && has_beat;
    const bool writes = u.is_running && has_beat && u.to_write > 0;
    load_dma_.Clock(offered, request, takes_beat);
    if (u.is_running && u.to_write == 0) {
      tokens_.Give(u.load->sync.signal);
      u.is_running = false;
      return;
    }
    if (!u.is_running) {
      Queued queued;
      if (const Load* load = Start<Load>(kLoad, queued)) {
        u = {.is_running = true,
             .load = load,
             .address = load->memory.At(queued.i0, queued.i1),
             .to_request = load->rows,
             .to_write = load->rows};
        const int64_t bytes = int64_t{load->rows} * load->row_beats * kBeatBytes;
        read_bytes_[LayerOf(queued.index)] += bytes;
        buffer_written_bytes_[LayerOf(queued.index)] += bytes * d_.rows * d_.column_sets;
      }
      return;
    }
    if (is_requested) {
      u.address += kAddressUnitBytes * u.load->row_stride;
      --u.to_request;
    }
    if (writes) {
      if (u.phase && ++u.beat == u.load->row_beats) {
        u.beat = 0;
        --u.to_write;
      }
      u.phase = !u.phase;
    }
  }

  void ClockWeight(const AxiMemoryPort::Offered& offered) {
    WeightUnit& u = weight_;
    std::optional<ReadDma::Request> request;
    if (u.is_running && !u.is_requested) request = {u.address, u.words * u.word_beats};
    const bool is_requested = request && weight_dma_.IsReady(offered);
    const bool takes_beat = u.is_running && u.words > 0 && weight_dma_.has_beat();
    weight_dma_.Clock(offered, request, takes_beat);
    is_program_loaded_ = false;
    if (u.is_running && u.words == 0) {
      is_program_loaded_ = u.is_program;
      if (!u.is_program) tokens_.Give(u.weight->sync.signal);
      u.is_running = false;
      return;
    }
    if (!u.is_running) {
      Queued queued;
      if (const Weight* weight = Start<Weight>(kWeight, queued)) {
        const bool is_weights = weight->target == WeightTarget::kWeights;
        const bool is_steps = weight->target == WeightTarget::kSteps;
        u = {.is_running = true,
             .weight = weight,
             .address = weight->memory.At(queued.i0, queued.i1),
             .words = weight->words,
             .word_beats = is_weights ? weight->rows * d_.columns / 4
                           : is_steps ? d_.StepBeats()
                                      : d_.columns};
        read_bytes_[LayerOf(queued.index)] += u.words * u.word_beats * kBeatBytes;
        buffer_written_bytes_[LayerOf(queued.index)] += u.words * u.word_beats * kBeatBytes;
      }
      return;
    }
    if (is_requested) u.is_requested = true;
    if (takes_beat && ++u.beat == u.word_beats) {
      u.beat = 0;
      --u.words;
    }
  }

  void ClockCompute() {
    using State = ComputeUnit::State;
    ComputeUnit& u = compute_;
    const auto drain_cycles = [&] {
      return int64_t{1} << (u.compute->groups_log2 + u.compute->bytes_log2);
    };
    switch (u.state) {
      case State::kIdle: {
        Queued queued;
        if (const Compute* compute = Start<Compute>(kCompute, queued)) {
          const int64_t groups = int64_t{1} << compute->groups_log2;
          const int64_t columns = compute->kind == GroupKind::kWindows
                                      ? (compute->columns + groups - 1) / groups
                                      : compute->columns;
          u = {.state = State::kPrepare,
               .compute = compute,
               .sets_left = compute->blocks * int64_t{compute->rows} * columns * compute->pool *
                            compute->pool};
          layer_ = LayerOf(queued.index);
        }
        break;
      }
      case State::kPrepare:
        if (u.prepared++ == d_.rows + 2) u.state = State::kRun;
        break;
      case State::kRun: {
        const bool is_last_step = u.step + 1 == u.compute->steps;
        const bool issues = !is_last_step || u.drain == 0;
        if (u.drain > 0) --u.drain;
        if (!issues) break;
        is_event_ = true;
        ++step_cycles_[layer_];
        ++u.step;
        if (!is_last_step) break;
        u.step = 0;
        u.drain = drain_cycles() - 1;
        if (--u.sets_left == 0) {
          u.state = State::kFinish;
          u.finish = kOperandLatency + kUnitLatency + Log2(d_.rows) + 4 + kRequantLatency + 2 +
                     drain_cycles();
        }
        break;
      }
      case State::kFinish:
        if (u.finish == 0) {
          tokens_.Give(u.compute->sync.signal);
          u.state = State::kIdle;
        } else {
          --u.finish;
        }
        break;
    }
  }

  void ClockStore(const AxiMemoryPort::Offered& offered) {
    StoreUnit& u = store_;
    std::optional<ReadDma::Request> request;
    if (u.is_running && u.to_request > 0) request = {u.address, u.store->row_beats};
    const bool is_requested = request && store_dma_.IsReady(offered);
    const bool is_written = store_dma_.IsWritten();
    const bool has_beat = u.is_running && u.rows_left > 0 && (u.fill >= kBeatDigits || u.is_whole);
    const bool gives = has_beat && store_dma_.TakesBeats(offered);
    const bool pops = u.is_running && !u.fifo.empty() && u.fill < kBeatDigits && !u.is_whole;
    const bool reads = u.is_running && u.read_rows > 0 && u.credit > 0;
    store_dma_.Clock(offered, request, gives);
    std::optional<StoreUnit::Word> arrived = u.reading.back();
    std::move_backward(u.reading.begin(), u.reading.end() - 1, u.reading.end());
    u.reading.front().reset();
    if (!u.is_running) {
      Queued queued;
      if (const Store* store = Start<Store>(kStore, queued)) {
        buffer_read_bytes_[LayerOf(queued.index)] +=
            int64_t{store->rows} * store->pixels * store->pixel_words * d_.columns;
        u.is_running = true;
        u.store = store;
        u.address = store->memory.At(queued.i0, queued.i1);
        u.to_request = u.rows_left = u.read_rows = store->rows;
        u.pixel = u.word = 0;
        u.elements_left = store->elements;
        u.fill = store->lead;
        u.beats_left = store->row_beats;
        u.is_whole = false;
      }
      return;
    }
    const Store& s = *u.store;
    if (u.rows_left == 0 && u.to_request == 0 && is_written) {
      tokens_.Give(s.sync.signal);
      u.is_running = false;
    }
    if (is_requested) {
      u.address += kAddressUnitBytes * s.row_stride;
      --u.to_request;
    }
    if (gives) {
      u.fill = std::max<int64_t>(u.fill - kBeatDigits, 0);
      if (--u.beats_left == 0) {
        --u.rows_left;
        u.beats_left = s.row_beats;
        u.fill = s.lead;
        u.is_whole = false;
      }
    }
    if (pops) {
      u.fill += u.fifo.front().count << s.digits_log2;
      u.is_whole = u.fifo.front().ends_row;
      u.fifo.pop_front();
    }
    if (arrived) u.fifo.push_back(*arrived);
    if (reads) {
      const int64_t count = std::min(u.elements_left, d_.columns >> s.fold_log2);
      const bool ends_pixel = u.word + 1 == s.pixel_words;
      const bool ends_row = ends_pixel && u.pixel + 1 == s.pixels;
      u.reading.front() = {count, ends_row};
      u.word = ends_pixel ? 0 : u.word + 1;
      u.elements_left = ends_pixel ? s.elements : u.elements_left - count;
      if (ends_pixel) u.pixel = ends_row ? 0 : u.pixel + 1;
      if (ends_row) --u.read_rows;
    }
    u.credit += (pops ? 1 : 0) - (reads ? 1 : 0);
  }

  void ClockSequencer(bool is_idle, const std::array<int64_t, kUnitCount>& room) {
    using State = Sequencer::State;
    Sequencer& s = sequencer_;
    const Instruction& instruction = plan_.program[std::min(s.pc, plan_.program.size() - 1)];
    switch (s.state) {
      case State::kProgram:
        if (is_program_loaded_) s.state = State::kRead0;
        break;
      case State::kRead0:
        s.state = State::kRead1;
        break;
      case State::kRead1:
        s.state = State::kDecode;
        break;
      case State::kDecode:
        s.state = State::kExecute;
        break;
      case State::kExecute:
        if (const auto* loop = std::get_if<Loop>(&instruction)) {
          s.first[loop->level] = ++s.pc;
          s.limit[loop->level] = loop->count;
          s.iteration[loop->level] = 0;
          s.state = State::kRead0;
        } else if (const auto* next = std::get_if<Next>(&instruction)) {
          const bool goes_on = ++s.iteration[next->level] < s.limit[next->level];
          s.pc = goes_on ? s.first[next->level] : s.pc + 1;
          if (!goes_on) s.iteration[next->level] = 0;
          s.state = State::kRead0;
        } else {
          s.state = std::holds_alternative<End>(instruction) ? State::kDrain : State::kAddress;
        }
        break;
      case State::kAddress:
        s.state = State::kPush;
        break;
      case State::kPush: {
        const size_t unit = instruction.index() - kFirstUnitOpcode;
        if (room[unit] == 0) break;
        queues_[unit].push_back({s.pc, s.iteration[0], s.iteration[1]});
        ++s.pc;
        s.state = State::kRead0;
        break;
      }
      case State::kDrain:
        if (is_idle) s.state = State::kIdle;
        break;
      case State::kIdle:
        break;
    }
  }

  // Useful products of a layer, the bricks that they take, and the units that work on them.
  static void CountBricks(const Layer& layer, LayerTrace& trace) {
    const int64_t bricks = DigitCount(layer.input_bits) * DigitCount(layer.weight_bits);
    trace.bricks = layer.macs * bricks;
    for (const Pass& pass : PassesOf(layer)) {
      trace.units += (layer.macs + pass.Products() - 1) / pass.Products();
    }
  }

  Trace MakeTrace() const {
    Trace trace;
    trace.cycles = cycle_ - 1;
    trace.seconds = static_cast<double>(trace.cycles) / (d_.clock_mhz * 1e6);
    int64_t before = 0;
    int64_t bricks = 0;
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const Layer& layer = plan_.layers[i].layer;
      LayerTrace t{.name = layer.name,
                   .cycles = last_write_[i] - before,
                   .step_cycles = step_cycles_[i],
                   .macs = layer.macs,
                   .read_bytes = read_bytes_[i],
                   .written_bytes = written_bytes_[i]};
      before = last_write_[i];
      // A step reads an operand word for each row and column set, and one for each unit.
      constexpr int64_t kOperandBytes = 4;
      t.buffer_read_bytes = buffer_read_bytes_[i] +
                            t.step_cycles * kOperandBytes * d_.rows * (d_.column_sets + d_.columns);
      const Mapping& m = plan_.layers[i].mapping;
      t.buffer_written_bytes = buffer_written_bytes_[i] + layer.output_size.h *
                                                              layer.output_size.w * m.words *
                                                              m.result_bytes * d_.columns;
      CountBricks(layer, t);
      bricks += t.bricks;
      const int64_t beats = std::max(t.read_bytes, t.written_bytes) / kBeatBytes;
      t.bound = 10 * t.step_cycles >= 8 * t.cycles ? "array"
                : 10 * beats >= 8 * t.cycles       ? "DRAM"
                                                   : "latency";
      trace.layers.push_back(std::move(t));
    }
    trace.utilization = static_cast<double>(bricks) / (static_cast<double>(trace.cycles) *
                                                       static_cast<double>(d_.BricksPerCycle()));
    return trace;
  }

  const Plan& plan_;
  const Design& d_;
  accel::AxiBudget budget_;
  AxiMemoryPort port0_;
  AxiMemoryPort port1_;
  int64_t cycle_ = 0;
  bool is_event_ = false;
  bool is_program_loaded_ = false;
  TokenCounters tokens_;
  std::array<std::deque<Queued>, kUnitCount> queues_;
  ReadDma load_dma_;
  ReadDma weight_dma_;
  WriteDma store_dma_;
  LoadUnit load_;
  WeightUnit weight_;
  ComputeUnit compute_;
  StoreUnit store_;
  Sequencer sequencer_;
  size_t layer_ = 0;
  std::vector<int64_t> last_write_;
  std::vector<int64_t> step_cycles_;
  std::vector<int64_t> read_bytes_;
  std::vector<int64_t> written_bytes_;
  std::vector<int64_t> buffer_read_bytes_;
  std::vector<int64_t> buffer_written_bytes_;
};

}  // namespace

accel::AxiTiming IdealMemory() { return {}; }

accel::AxiTiming BoardMemory(const Board& board, const Design& design) {
  const MemoryModel& m = board.memory;
  return {.latency_cycles = std::llround(m.latency_ns * design.clock_mhz / 1e3),
          .bytes_per_cycle = m.peak_gbyte_per_s * m.efficiency * 1e3 / design.clock_mhz};
}

Result<Trace> SimulateTime(const Plan& plan, const accel::AxiTiming& timing) {
  return TimeSimulation(plan, timing).Run();
}

}  // namespace lichen::fusion
