#include "accel/tile/clock_load.h"

#include <algorithm>
#include <bit>

namespace lichen::tile {
namespace {

// a / 2^shift, rounded up.
constexpr int64_t CeilShift(int64_t a, int shift) {
  return (a + (int64_t{1} << shift) - 1) >> shift;
}
int Log2(int64_t power) { return std::countr_zero(static_cast<uint64_t>(power)); }

// No event looks back further.
constexpr int64_t kEvenGroups = 4;

}  // namespace

LoadClock::LoadClock(const Design& design, ReadDma& dma, bool is_stepwise)
    : dma_(dma),
      is_stepwise_(is_stepwise),
      element_bytes_(design.ElementBytes()),
      count_(design.pif),
      per_beat_(kBeatBytes / element_bytes_),
      log2_count_(Log2(count_)),
      log2_per_beat_(Log2(per_beat_)),
      room_(std::max(count_, per_beat_)),
      group_words_(std::max<int64_t>(1, per_beat_ / count_)),
      group_beats_(std::max<int64_t>(1, count_ / per_beat_)),
      group_cycles_(std::max(group_words_, group_beats_)) {}

std::optional<Cycle> LoadClock::MayStart() const {
  if (rows_left_ > 0) return std::nullopt;
  if (started_ < 2) return free_;
  // Two jobs wait for the writer.
  if (static_cast<int64_t>(begins_.size()) < started_ - 1) return std::nullopt;
  return std::max(free_, begins_[static_cast<size_t>(started_ - 2)] + 1);
}

void LoadClock::Start(const Load& load, Cycle start) {
  ++started_;
  requested_ = load;
  rows_left_ = load.valid_elements == 0 ? 0 : load.valid_rows;
  rows_sent_ = 0;
  free_ = start + 1;
  waiting_.push_back({load, start});
  if (!is_busy_) Begin();
}

bool LoadClock::Request() {
  if (rows_left_ == 0 || !dma_.CanRequest()) return false;
  const uint64_t address =
      requested_.address_bytes + static_cast<uint64_t>(rows_sent_) * requested_.row_stride_bytes;
  free_ = dma_.Request(address, requested_.valid_elements * element_bytes_, free_) + 1;
  ++rows_sent_;
  --rows_left_;
  return true;
}

// The writer takes a job, and writes up to its first row of data.
void LoadClock::Begin() {
  if (waiting_.empty()) return;
  load_ = waiting_.front().load;
  written_ = std::max(waiting_.front().start + 1, written_);
  waiting_.pop_front();
  begins_.push_back(written_);
  enabled_ = written_ + 1;
  is_busy_ = true;
  row_ = 0;
  if (load_.valid_elements == 0) load_.valid_rows = 0;
  NextRow();
}

// Rows of zeros, to the next row of data or the job's end.
void LoadClock::NextRow() {
  if (row_ == 0) {
    const int64_t top = load_.valid_rows == 0 ? load_.rows : load_.top_rows;
    written_ += top * load_.row_words;
    row_ = top;
  } else if (row_ == load_.top_rows + load_.valid_rows) {
    written_ += (load_.rows - row_) * load_.row_words;
    row_ = load_.rows;
  }
  if (row_ < load_.rows) return BeginData();
  finished_.push_back(written_);
  is_busy_ = false;
  Begin();
}

void LoadClock::BeginData() {
  const uint64_t address =
      load_.address_bytes + static_cast<uint64_t>(row_ - load_.top_rows) * load_.row_stride_bytes;
  offset_ = static_cast<int64_t>(address % kBeatBytes) / element_bytes_;
  words_ = CeilShift(load_.valid_elements, log2_count_);
  word_ = 0;
  taken_ = 0;
  last_take_ = enabled_ - 1;
  written_ += load_.left_words;
  even_groups_ = 0;
}

void LoadClock::EndData() {
  enabled_ = written_;
  written_ += load_.row_words - load_.left_words - words_;
  ++row_;
  NextRow();
}

int64_t LoadClock::BeatsForWord(int64_t word) const {
  const int64_t end = std::min<int64_t>((word + 1) * count_, load_.valid_elements);
  return CeilShift(offset_ + end, log2_per_beat_);
}

// A beat is taken when what is in the unpacker leaves room for it.
void LoadClock::TakeBeat(Cycle available) {
  Cycle take = last_take_ + 1;
  const int64_t excess = taken_ * per_beat_ - offset_ - room_;
  if (excess > 0) take = std::max(take, pops_[CeilShift(excess, log2_count_) - 1]);
  is_late_ = available > take;
  last_take_ = std::max(take, available);
  dma_.Take(last_take_);
  ++taken_;
}

// Words come evenly as soon as all that a word waits for came a group's cycles after the same of the
// group before, arrivals aside that come faster.
void LoadClock::NoteEvenness() {
  const bool is_even = last_take_ - group_take_ == group_cycles_ &&
                       written_ - group_pop_ == group_cycles_ &&
                       (!is_late_ || group_cycles_ == group_beats_);
  even_groups_ = is_even ? even_groups_ + 1 : 0;
  group_take_ = last_take_;
  group_pop_ = written_;
}

// All whole groups whose beats are there, but the row's last; whether there are any that come in time.
bool LoadClock::Skip(const Arrival& beats, int64_t& at) {
  const int64_t words = (load_.valid_elements >> log2_count_) - word_;
  const int64_t groups = std::min(words / group_words_ - 1, (beats.beats - at) / group_beats_);
  const int64_t step = group_cycles_ / group_beats_;
  if (groups < 1 || beats.Of(at) + 1 > last_take_ + step) return false;
  dma_.Take(last_take_ + step, step, groups * group_beats_);
  taken_ += groups * group_beats_;
  at += groups * group_beats_;
  word_ += groups * group_words_;
  last_take_ += groups * group_cycles_;
  written_ += groups * group_cycles_;
  group_take_ = last_take_ - group_cycles_;
  group_pop_ = written_ - group_cycles_;
  const int64_t depth = kEvenGroups * group_words_;
  for (int64_t i = 0; i < depth; ++i) {
    pops_.Set(word_ - 1 - i, written_ - i * (group_cycles_ / group_words_));
  }
  return true;
}

void LoadClock::Consume(const Arrival& beats) {
  int64_t at = 0;
  while (at < beats.beats) {
    NoteEvenness();
    if (!is_stepwise_ && even_groups_ >= kEvenGroups && beats.IsEven() && Skip(beats, at)) continue;
    for (; taken_ < BeatsForWord(word_); ++at) {
      if (at == beats.beats) return;
      TakeBeat(beats.Of(at) + 1);
    }
    // All words that need no further beat.
    do {
      written_ = std::max(written_, last_take_) + 1;
      pops_.Set(word_++, written_);
    } while (word_ < words_ && BeatsForWord(word_) <= taken_);
    if (word_ == words_) EndData();
  }
}

}  // namespace lichen::tile
