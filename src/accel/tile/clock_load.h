// The load unit in cycles: requests of rows, the unpacker, and the writer of the input buffer.
//
// Contract: the timing of rtl/README.md, exact. Rows are followed word by word until the words come
// evenly; the rest of a burst is then one step.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "accel/tile/clock_memory.h"
#include "accel/tile/design.h"
#include "accel/tile/instruction.h"

namespace lichen::tile {

class LoadClock {
 public:
  LoadClock(const Design& design, ReadDma& dma, bool is_stepwise);

  // The earliest cycle in which the next instruction may start, tokens aside, if it is known yet.
  std::optional<Cycle> MayStart() const;
  void Start(const Load& load, Cycle start);
  // Hands the DMA the next row, if it is known when it takes it.
  bool Request();
  // Beats that came for the row under way.
  void Consume(const Arrival& beats);
  // Of each instruction, in order: the cycle of the last word's step.
  const std::vector<Cycle>& finished() const { return finished_; }

 private:
  struct Job {
    Load load;
    Cycle start;
  };

  void Begin();
  void NextRow();
  void BeginData();
  void EndData();
  void TakeBeat(Cycle available);
  // Beats of the row up to the word's end.
  int64_t BeatsForWord(int64_t word) const;
  void NoteEvenness();
  bool Skip(const Arrival& beats, int64_t& at);

  ReadDma& dma_;
  const bool is_stepwise_;
  const int64_t element_bytes_;
  const int64_t count_;     // elements of a word
  const int64_t per_beat_;  // elements of a beat
  const int log2_count_;
  const int log2_per_beat_;
  const int64_t room_;  // elements in the unpacker beside which a beat fits
  // The shortest run of whole words that is one of whole beats, and its cycles.
  const int64_t group_words_;
  const int64_t group_beats_;
  const int64_t group_cycles_;

  // Requests.
  Load requested_;
  int64_t rows_left_ = 0;
  int64_t rows_sent_ = 0;
  Cycle free_ = kLongAgo;  // the front end, or its next row is there
  int64_t started_ = 0;

  // The writer. Its begins are those of the jobs it took.
  std::deque<Job> waiting_;
  std::vector<Cycle> begins_;
  std::vector<Cycle> finished_;
  bool is_busy_ = false;
  Load load_;
  int64_t row_ = 0;
  Cycle written_ = kLongAgo;  // last step
  Cycle enabled_ = kLongAgo;  // beats of the next data row may be taken

  // The data row under way.
  int64_t offset_ = 0;  // of its first element in its beat
  int64_t words_ = 0;
  int64_t word_ = 0;   // next
  int64_t taken_ = 0;  // beats
  Cycle last_take_ = 0;
  History pops_{64};
  bool is_late_ = false;  // the last beat came later than there was room for it
  Cycle group_take_ = 0;  // at the last group's end
  Cycle group_pop_ = 0;
  int64_t even_groups_ = 0;
};

}  // namespace lichen::tile
