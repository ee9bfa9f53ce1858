// The store unit in cycles: reader of the output buffer, packer, write DMA and memory's answers.
//
// Contract: the timing of rtl/README.md, exact. Nothing else uses the write channels, so that an
// instruction is followed to its end at once; word by word until they go evenly, the rest of a burst
// in one step.
#pragma once

#include "accel/tile/clock_memory.h"
#include "accel/tile/design.h"
#include "accel/tile/instruction.h"

namespace lichen::tile {

class StoreClock {
 public:
  StoreClock(const Design& design, const DmaSizes& sizes, const MemoryTiming& memory,
             Bandwidth& bandwidth, bool is_stepwise);

  // The earliest cycle in which the next instruction may start, tokens aside.
  Cycle MayStart() const;
  struct Times {
    Cycle last_write = 0;  // of a beat, at the port
    Cycle done = 0;        // the last answer was seen
  };
  Times Start(const Store& store, Cycle start);

 private:
  void BeginRow(const Store& store, uint64_t address_bytes);
  void BeginRun(const Store& store);
  void Write(const Store& store, int64_t beats);
  void ReadWord(const Store& store);
  void NoteEvenness();
  int64_t Skip(int64_t beats);

  const bool is_stepwise_;
  const bool is_narrow_;    // units of the packer are bytes, not elements
  const int64_t lanes_;     // elements of a word
  const int64_t per_beat_;  // units
  const DmaSizes sizes_;
  const MemoryTiming memory_;
  Bandwidth& bandwidth_;

  // Instructions and bursts.
  int64_t count_ = 0;
  Cycle requested_ = kLongAgo;
  Cycle announced_ = kLongAgo;  // all addresses are sent
  Cycle done_ = kLongAgo;
  History begins_{2};  // the reader's, of instructions
  History dones_{4};
  int64_t bursts_ = 0;
  Cycle sent_ = kLongAgo;
  Cycle accepted_ = kLongAgo;
  Cycle answered_ = kLongAgo;
  History answers_;

  // Words and beats.
  int64_t words_ = 0;  // read, of all instructions
  Cycle read_ = kLongAgo;
  Cycle packed_ = kLongAgo;  // the last word
  History packs_{8};
  Cycle given_ = kLongAgo;    // the last beat, by the packer
  Cycle written_ = kLongAgo;  // the same at the port
  History gives_{4};          // of the row's beats

  // The row under way, in units.
  int64_t unit_ = 1;      // of an element
  int64_t row_left_ = 0;  // elements
  int64_t run_left_ = 0;  // of the pixel, of this part
  bool is_second_ = false;
  int64_t index_ = 0;         // of the word's first element
  int64_t packed_units_ = 0;  // with those before the row in its first beat
  int64_t given_beats_ = 0;
  Cycle row_begin_ = kLongAgo;  // the packer has given the row before

  // Evenness, as of the load unit.
  int64_t group_words_ = 1;  // 0: words are not whole
  int64_t group_beats_ = 1;
  int64_t group_cycles_ = 1;
  Cycle group_[4] = {};  // the last group's read, pack, give and write
  int64_t even_groups_ = 0;
};

}  // namespace lichen::tile
