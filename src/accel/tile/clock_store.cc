#include "accel/tile/clock_store.h"

#include <algorithm>

namespace lichen::tile {
namespace {

constexpr int64_t kWaitingJobs = 2;     // for the reader
constexpr int64_t kWaitingAnswers = 4;  // instructions
constexpr int64_t kWaitingWords = 8;    // for the packer
constexpr int64_t kReadLatency = 3;     // from a word's address to the packer
constexpr int64_t kWindowReads = 4;     // of a pooled word

}  // namespace

StoreClock::StoreClock(const Design& design, const DmaSizes& sizes, const MemoryTiming& memory,
                       Bandwidth& bandwidth, bool is_stepwise)
    : is_stepwise_(is_stepwise),
      is_narrow_(design.operand_bits == 8),
      lanes_(design.epilogue_lanes),
      per_beat_(is_narrow_ ? kBeatBytes : kBeatBytes / 2),
      sizes_(sizes),
      memory_(memory),
      bandwidth_(bandwidth),
      answers_(std::max(sizes.bursts, memory.outstanding_bursts)) {}

Cycle StoreClock::MayStart() const {
  return std::max(announced_ + 1, begins_[count_ - kWaitingJobs] + 1);
}

StoreClock::Times StoreClock::Start(const Store& store, Cycle start) {
  read_ = std::max(start + 1, read_);
  begins_.Set(count_, read_);
  unit_ = is_narrow_ && store.element_bytes != 1 ? 2 : 1;
  const int64_t bytes = int64_t{store.valid_elements} * (is_narrow_ ? unit_ : 2);
  const int64_t word_units = lanes_ * unit_;
  const bool is_whole =
      store.first % lanes_ == 0 && store.run % lanes_ == 0 && store.split == 0 && store.pools == 0;
  group_words_ = is_whole ? std::max<int64_t>(1, per_beat_ / word_units) : 0;
  group_beats_ = std::max<int64_t>(1, word_units / per_beat_);
  group_cycles_ = std::max(group_words_, group_beats_);
  requested_ = start;
  for (int64_t row = 0; row < store.rows; ++row) {
    const uint64_t address =
        store.address_bytes + static_cast<uint64_t>(row) * store.row_stride_bytes;
    BeginRow(store, address);
    requested_ = std::max(requested_ + 1, sent_);
    Cycle ready = requested_ + 1;
    uint64_t at = address / kBeatBytes;
    for (int64_t left = BeatsOf(address, bytes); left > 0;) {
      const int64_t beats = BurstOf(at, left, sizes_.burst_beats);
      sent_ = std::max({ready, sent_ + 1, accepted_, answers_[bursts_ - sizes_.bursts] + 1});
      accepted_ =
          std::max({sent_ + 1, accepted_ + 1, answers_[bursts_ - memory_.outstanding_bursts] + 1});
      Write(store, beats);
      answered_ = std::max(written_ + std::max<int64_t>(memory_.latency_cycles, 1), answered_ + 1);
      answers_.Set(bursts_++, answered_);
      at += static_cast<uint64_t>(beats);
      left -= beats;
      ready = sent_ + 1;
    }
  }
  announced_ = std::max(sent_ + 1, dones_[count_ - kWaitingAnswers] + 1);
  done_ = std::max({announced_ + 1, done_ + 1, answered_ + 1});
  dones_.Set(count_++, done_);
  return {written_, done_};
}

void StoreClock::BeginRow(const Store& store, uint64_t address_bytes) {
  row_left_ = store.valid_elements;
  BeginRun(store);
  packed_units_ = static_cast<int64_t>(address_bytes % kBeatBytes) / (is_narrow_ ? 1 : 2);
  given_beats_ = 0;
  row_begin_ = given_;
  even_groups_ = 0;
}

void StoreClock::BeginRun(const Store& store) {
  is_second_ = false;
  run_left_ = store.split == 0 ? store.run : store.split;
  index_ = store.first % lanes_;
}

// A word is read when the packer has taken that of eight words before; the packer takes it when it
// holds at most a beat, the row's first when it has given all of the row before.
void StoreClock::ReadWord(const Store& store) {
  const int64_t count = std::min({lanes_ - index_, run_left_, row_left_});
  read_ = std::max(read_ + 1, packs_[words_ - kWaitingWords] + 1);
  if (store.pools) read_ += kWindowReads - 1;
  packed_ = std::max({read_ + kReadLatency, packed_ + 1, row_begin_});
  const int64_t excess = packed_units_ - per_beat_;
  if (excess > 0) packed_ = std::max(packed_, gives_[(excess + per_beat_ - 1) / per_beat_ - 1]);
  packs_.Set(words_++, packed_);
  packed_units_ += count * unit_;
  row_left_ -= count;
  run_left_ -= count;
  index_ = 0;
  if (run_left_ > 0) return;
  if (store.split == 0 || is_second_) return BeginRun(store);
  is_second_ = true;
  run_left_ = store.run - store.split;
  index_ = store.second % lanes_;
}

void StoreClock::NoteEvenness() {
  const Cycle now[4] = {read_, packed_, given_, written_};
  bool is_even = group_words_ > 0;
  for (int i = 0; i < 4; ++i) {
    is_even = is_even && now[i] - group_[i] == group_cycles_;
    group_[i] = now[i];
  }
  even_groups_ = is_even ? even_groups_ + 1 : 0;
}

// All whole groups of so many beats, but the row's last; gives their beats. Where in its run a whole
// word lies changes nothing.
int64_t StoreClock::Skip(int64_t beats) {
  const int64_t words = row_left_ / lanes_;
  const int64_t groups = std::min(words / group_words_ - 1, beats / group_beats_);
  if (groups < 1) return 0;
  const int64_t cycles = groups * group_cycles_;
  const int64_t step = group_cycles_ / group_words_;
  read_ += cycles;
  packed_ += cycles;
  given_ += cycles;
  written_ += cycles;
  for (int i = 0; i < 4; ++i) group_[i] += cycles - group_cycles_;
  words_ += groups * group_words_;
  for (int64_t i = 0; i < kWaitingWords; ++i) packs_.Set(words_ - 1 - i, packed_ - i * step);
  const int64_t elements = groups * group_words_ * lanes_;
  packed_units_ += elements * unit_;
  row_left_ -= elements;
  given_beats_ += groups * group_beats_;
  const int64_t beat_step = group_cycles_ / group_beats_;
  for (int64_t i = 0; i < 4; ++i) gives_.Set(given_beats_ - 1 - i, given_ - i * beat_step);
  return groups * group_beats_;
}

// The beats of a burst whose address was sent and accepted.
void StoreClock::Write(const Store& store, int64_t beats) {
  Cycle first = 0;
  for (int64_t i = 0; i < beats; ++i) {
    if (packed_units_ < (given_beats_ + 1) * per_beat_ && row_left_ > 0) {
      NoteEvenness();
      // Enough of them that all words that wait for the packer came evenly.
      if (!is_stepwise_ && i > 0 && even_groups_ > kWaitingWords + 2) {
        const int64_t skipped = Skip(beats - i);
        if (skipped > 0) {
          i += skipped - 1;
          continue;
        }
      }
      while (packed_units_ < (given_beats_ + 1) * per_beat_ && row_left_ > 0) ReadWord(store);
    }
    // The DMA's register holds a beat until memory takes it.
    given_ = std::max({packed_ + 1, given_ + 1, sent_ + 1, written_});
    gives_.Set(given_beats_++, given_);
    written_ = std::max(given_ + 1, accepted_ + 1);
    if (i == 0) first = written_;
  }
  written_ = bandwidth_.Last(first, written_, beats);
}

}  // namespace lichen::tile
