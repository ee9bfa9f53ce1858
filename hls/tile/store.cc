#include "store.h"

namespace tile_hls {
namespace {

// Values that one cycle takes from the output buffer: a word, or a beat of it.
constexpr int kPart = Least(kEpilogueLanes, kBeatBytes / 2);

// The part's values [lead, lead + count) as bytes from bit 0 up.
BeatPair PartBytes(const Value part[kPart], ap_uint<5> lead, ap_uint<5> count, bool is_narrow) {
#pragma HLS INLINE
  Beat bytes = 0;
  for (int k = 0; k < kPart; ++k) {
#pragma HLS UNROLL
    const bool is_in = k >= lead && k < lead + count;
    const ap_uint<16> value = is_in ? ap_uint<16>(part[k]) : ap_uint<16>(0);
    if (is_narrow) {
      bytes.range(8 * k + 7, 8 * k) = ap_uint<8>(value);
    } else {
      bytes.range(16 * k + 15, 16 * k) = value;
    }
  }
  return bytes >> ap_uint<7>(lead * (is_narrow ? 8 : 16));
}

// The place of a row's next element.
struct Place {
  ap_uint<16> pixel;    // its first word; with pools that of the first of the four
  bool is_last_part;    // of the run
  ap_uint<14> element;  // of the pixel
  ap_uint<14> left;     // of the part
};

void BeginRun(const StoreInstruction& i, ap_uint<16> pixel, Place& place) {
#pragma HLS INLINE
  const bool is_split = i.split != 0 && i.split < i.run;
  place.pixel = pixel;
  place.is_last_part = !is_split;
  place.element = i.first;
  place.left = is_split ? i.split : i.run;
}

void Advance(const StoreInstruction& i, ap_uint<5> count, Place& place) {
#pragma HLS INLINE
  place.element += count;
  place.left -= count;
  if (place.left != 0) return;
  if (place.is_last_part) {
    BeginRun(i, place.pixel + (ap_uint<16>(i.column_pitch) << i.pools), place);
  } else {
    place.is_last_part = true;
    place.element = i.second;
    place.left = i.run - i.split;
  }
}

// Rows as beats; the bytes before a row's first and after its last are 0.
void PackRows(const StoreInstruction& i, const OutputBuffer output, BeatQueue& beats) {
  const bool is_narrow = i.element_bytes == 1;
  ap_uint<4> lead_bytes = i.address;
  ap_uint<16> row_word = i.base;
store_rows:
  for (ap_uint<12> row = 0; row < i.rows; ++row) {
#pragma HLS LOOP_TRIPCOUNT max = 64
    BeatPair held = 0;
    ap_uint<6> held_bytes = lead_bytes;
    ap_uint<20> remaining = i.valid_elements;
    Place place;
    BeginRun(i, row_word, place);
    ap_uint<2> corner = 0;  // of the 2x2 pixels: right, lower
    Value part[kPart];      // with pools the greatest so far
#pragma HLS ARRAY_PARTITION variable = part complete
  store_words:
    while (remaining != 0) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 1024
      const ap_uint<16> right = corner[0] ? ap_uint<16>(i.column_pitch) : ap_uint<16>(0);
      const ap_uint<16> lower = corner[1] ? i.row_pitch : ap_uint<16>(0);
      const ap_uint<16> word = place.pixel + right + lower + place.element / kEpilogueLanes;
      const ap_uint<9> slot = place.element % kEpilogueLanes / kPart;
      for (int k = 0; k < kPart; ++k) {
#pragma HLS UNROLL
        const Value value = output[word][slot * kPart + k];
        if (corner == 0 || value > part[k]) part[k] = value;
      }
      if (i.pools && ++corner != 0) continue;
      const ap_uint<5> lead = place.element % kPart;
      ap_uint<20> count = kPart - lead;
      if (count > place.left) count = place.left;
      if (count > remaining) count = remaining;
      held = held | PartBytes(part, lead, count, is_narrow) << ap_uint<8>(held_bytes * 8);
      held_bytes += is_narrow ? ap_uint<6>(count) : ap_uint<6>(count * 2);
      if (held_bytes >= kBeatBytes) {
        beats.write(held);
        held = held >> kBeatBits;
        held_bytes -= kBeatBytes;
      }
      remaining -= count;
      Advance(i, count, place);
    }
    if (held_bytes != 0) beats.write(held);
    lead_bytes += ap_uint<4>(i.row_stride);
    row_word += i.row_pitch << i.pools;
  }
}

// Bytes of a row's first and last beat that are not the row's keep what memory holds.
void WriteRows(Beat* memory, const StoreInstruction& i, BeatQueue& beats) {
  const ap_uint<22> bytes = i.valid_elements * i.element_bytes;
  ap_uint<40> address = i.address;
write_rows:
  for (ap_uint<12> row = 0; row < i.rows; ++row) {
#pragma HLS LOOP_TRIPCOUNT max = 64
    const ap_uint<40> end = address + bytes;
    const ap_uint<36> first = address >> 4;
    const ap_uint<18> count = ((end + (kBeatBytes - 1)) >> 4) - first;
    const ap_uint<4> lead = address;
    const ap_uint<4> tail = end;
    const Beat lead_mask = ~(~Beat(0) << ap_uint<7>(lead * 8));
    const Beat tail_mask = tail == 0 ? Beat(0) : Beat(~Beat(0) << ap_uint<7>(tail * 8));
    const Beat old_first = lead == 0 ? Beat(0) : memory[first];
    const Beat old_last = tail == 0 ? Beat(0) : memory[first + count - 1];
  write_beats:
    for (ap_uint<18> beat = 0; beat < count; ++beat) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 256
      const Beat from_first = beat == 0 ? Beat(old_first & lead_mask) : Beat(0);
      const Beat from_last = beat + 1 == count ? Beat(old_last & tail_mask) : Beat(0);
      memory[first + beat] = beats.read() | from_first | from_last;
    }
    address += i.row_stride;
  }
}

void StoreTile(Beat* memory, const StoreInstruction& i, const OutputBuffer output) {
#pragma HLS DATAFLOW
  BeatQueue beats("store_beats");
#pragma HLS STREAM variable = beats depth = 32
  PackRows(i, output, beats);
  WriteRows(memory, i, beats);
}

}  // namespace

bool StoreStep(Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_store,
               TokenQueue& store_to_compute, TokenQueue& store_to_load, const OutputBuffer output) {
  const InstructionWord word = queue.read();
  if (OpcodeOf(word) == kEnd) return false;
  const StoreInstruction i = DecodeStore(word);
  TakeToken(i.wait[kComputeToStore], compute_to_store);
  StoreTile(memory, i, output);
  GiveToken(i.signal[kStoreToCompute], store_to_compute);
  GiveToken(i.signal[kStoreToLoad], store_to_load);
  return true;
}

void StoreUnit(Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_store,
               TokenQueue& store_to_compute, TokenQueue& store_to_load, const OutputBuffer output) {
store_loop:
  while (StoreStep(memory, queue, compute_to_store, store_to_compute, store_to_load, output)) {
#pragma HLS LOOP_TRIPCOUNT max = 1024
  }
  EndTokens(store_to_compute);
  EndTokens(store_to_load);
  TakeRest(compute_to_store);
}

}  // namespace tile_hls
