#include "load.h"

namespace tile_hls {
namespace {

// Elements that one cycle takes from memory: a word of the buffer, or what a beat holds of it.
constexpr int kPart = Least(kPif, kBeatElements);
constexpr int kParts = kPif / kPart;

void ReadRows(const Beat* memory, const LoadInstruction& i, BeatQueue& beats) {
  const ap_uint<22> bytes = i.valid_elements * kElementBytes;
  ap_uint<40> address = i.address;
load_rows:
  for (ap_uint<12> row = 0; row < i.valid_rows; ++row) {
#pragma HLS LOOP_TRIPCOUNT max = 64
    const ap_uint<36> first = address >> 4;
    const ap_uint<18> count =
        i.valid_elements == 0 ? ap_uint<18>(0)
                              : ap_uint<18>((ap_uint<4>(address) + bytes + kBeatBytes - 1) >> 4);
  load_beats:
    for (ap_uint<18> beat = 0; beat < count; ++beat) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 256
      beats.write(memory[first + beat]);
    }
    address += i.row_stride;
  }
}

// A row (or column) of the tile: the bank it lies in, and its address there.
struct Place {
  ap_uint<4> phase;  // modulo the stride
  ap_uint<6> bank;
  ap_uint<20> group;  // address of the stride's first row in this group of banks
  ap_uint<20> address;
};

Place FirstPlace(ap_uint<20> base) {
  Place place;
  place.phase = 0;
  place.bank = 0;
  place.group = base;
  place.address = base;
  return place;
}

template <int Banks>
void NextPlace(ap_uint<4> stride, ap_uint<16> pitch, Place& place) {
#pragma HLS INLINE
  if (place.phase + 1 != stride) {
    ++place.phase;
    place.address += pitch;
    return;
  }
  place.phase = 0;
  if (place.bank + 1 != Banks) {
    ++place.bank;
  } else {
    place.bank = 0;
    place.group += stride * pitch;
  }
  place.address = place.group;
}

// The elements of a row that have come from memory and are not yet in the buffer.
struct Window {
  BeatPair bits;
  ap_uint<6> held;
  ap_uint<20> remaining;  // of the row
};

Window OpenRow(bool is_valid, ap_uint<4> offset_bytes, ap_uint<20> elements, BeatQueue& beats) {
#pragma HLS INLINE
  Window window;
  window.bits = 0;
  window.held = 0;
  window.remaining = is_valid ? elements : ap_uint<20>(0);
  if (window.remaining != 0) {
    window.bits = beats.read() >> ap_uint<7>(offset_bytes * 8);
    window.held = kBeatElements - offset_bytes / kElementBytes;
  }
  return window;
}

void TakePart(bool is_unsigned, Window& window, BeatQueue& beats, Input part[kPart]) {
#pragma HLS INLINE
  const ap_uint<6> count =
      window.remaining < kPart ? ap_uint<6>(window.remaining) : ap_uint<6>(kPart);
  if (count > window.held) {
    window.bits = window.bits | BeatPair(beats.read()) << ap_uint<8>(window.held * kOperandBits);
    window.held += kBeatElements;
  }
  for (int e = 0; e < kPart; ++e) {
#pragma HLS UNROLL
    const ap_uint<kOperandBits> bits =
        window.bits.range((e + 1) * kOperandBits - 1, e * kOperandBits);
    const Input value = is_unsigned ? Input(bits) : Input(ap_int<kOperandBits>(bits));
    part[e] = e < count ? value : Input(0);
  }
  window.bits = window.bits >> (kPart * kOperandBits);
  window.held -= count;
  window.remaining -= count;
}

void WriteTile(const LoadInstruction& i, BeatQueue& beats, InputBuffer input) {
  Place row_place = FirstPlace(i.base);
  ap_uint<4> offset_bytes = i.address;
  const ap_uint<13> end_row = i.top_rows + i.valid_rows;
tile_rows:
  for (ap_uint<12> row = 0; row < i.rows; ++row) {
#pragma HLS LOOP_TRIPCOUNT max = 64
    const bool is_valid = row >= i.top_rows && row < end_row;
    Window window = OpenRow(is_valid, offset_bytes, i.valid_elements, beats);
    Place place = FirstPlace(0);
    ap_uint<10> chunk = 0;
    ap_uint<16> word = 0;
    ap_uint<6> part = 0;
    Input elements[kPif];
#pragma HLS ARRAY_PARTITION variable = elements complete
  tile_words:
    while (word < i.row_words) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 256
      Input taken[kPart];
#pragma HLS ARRAY_PARTITION variable = taken complete
      for (int e = 0; e < kPart; ++e) {
#pragma HLS UNROLL
        taken[e] = 0;
      }
      if (word >= i.left_words && window.remaining != 0) {
        TakePart(i.is_unsigned, window, beats, taken);
      }
      for (int e = 0; e < kPif; ++e) {
#pragma HLS UNROLL
        if (e / kPart == part) elements[e] = taken[e % kPart];
      }
      if (++part != kParts) continue;
      part = 0;
      ++word;
      const ap_uint<16> address = row_place.address + place.address + chunk;
      const ap_uint<12> bank = row_place.bank * kPox + place.bank;
      for (int p = 0; p < kPixels; ++p) {
#pragma HLS UNROLL
        for (int e = 0; e < kPif; ++e) {
#pragma HLS UNROLL
          if (p == bank) input[p][address][e] = elements[e];
        }
      }
      if (++chunk == i.chunks) {
        chunk = 0;
        NextPlace<kPox>(i.stride_x, i.chunks, place);
      }
    }
    if (is_valid) offset_bytes += ap_uint<4>(i.row_stride);
    NextPlace<kPoy>(i.stride_y, i.row_pitch, row_place);
  }
}

void LoadTile(const Beat* memory, const LoadInstruction& i, InputBuffer input) {
#pragma HLS DATAFLOW
  BeatQueue beats("load_beats");
#pragma HLS STREAM variable = beats depth = 32
  ReadRows(memory, i, beats);
  WriteTile(i, beats, input);
}

}  // namespace

bool LoadStep(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_load,
              TokenQueue& store_to_load, TokenQueue& load_to_compute, InputBuffer input) {
  const InstructionWord word = queue.read();
  if (OpcodeOf(word) == kEnd) return false;
  const LoadInstruction i = DecodeLoad(word);
  TakeToken(i.wait[kComputeToLoad], compute_to_load);
  TakeToken(i.wait[kStoreToLoad], store_to_load);
  LoadTile(memory, i, input);
  GiveToken(i.signal[kLoadToCompute], load_to_compute);
  return true;
}

void LoadUnit(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_load,
              TokenQueue& store_to_load, TokenQueue& load_to_compute, InputBuffer input) {
load_loop:
  while (LoadStep(memory, queue, compute_to_load, store_to_load, load_to_compute, input)) {
#pragma HLS LOOP_TRIPCOUNT max = 1024
  }
  EndTokens(load_to_compute);
  TakeRest(compute_to_load);
  TakeRest(store_to_load);
}

}  // namespace tile_hls
