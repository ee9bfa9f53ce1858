#include "compute.h"

#include "array.h"
#include "epilogue.h"
#include "sequence.h"

namespace tile_hls {
namespace {

constexpr int kRows = kPof / kEpilogueLanes;  // words of a pixel and lane group
constexpr int kChunksPerWord = kEpilogueLanes / kPif;

// The middle buffer is there twice: for the array, a bank for each pixel lane, and for the epilogue.
typedef Value MiddleBuffer[kPixels][kMiddleBufferWords][kEpilogueLanes];
typedef Value NormSources[kPixels * kMiddleBufferWords][kEpilogueLanes];

// A word of each bank, and the words turned so that each goes to the pixel lane that needs it.
void ReadInput(const InputBuffer input, const Sequence& s, Operand x[kPixels][kPif]) {
#pragma HLS INLINE
  Input words[kPoy][kPox][kPif];
#pragma HLS ARRAY_PARTITION variable = words complete dim = 0
  for (int y = 0; y < kPoy; ++y) {
#pragma HLS UNROLL
    const ap_uint<20> row = s.row.address + (y < s.row.bank ? s.row_axis.step : ap_uint<20>(0));
    for (int x_bank = 0; x_bank < kPox; ++x_bank) {
#pragma HLS UNROLL
      const ap_uint<20> column =
          s.column.address + (x_bank < s.column.bank ? s.column_axis.step : ap_uint<20>(0));
      const ap_uint<16> address = row + column + s.chunk;
      for (int e = 0; e < kPif; ++e) {
#pragma HLS UNROLL
        words[y][x_bank][e] = input[y * kPox + x_bank][address][e];
      }
    }
  }
  for (int y = 0; y < kPoy; ++y) {
#pragma HLS UNROLL
    const ap_uint<7> row = y + s.row.bank;
    const ap_uint<6> row_bank = row < kPoy ? row : ap_uint<7>(row - kPoy);
    for (int lane = 0; lane < kPox; ++lane) {
#pragma HLS UNROLL
      const ap_uint<7> column = lane + s.column.bank;
      const ap_uint<6> column_bank = column < kPox ? column : ap_uint<7>(column - kPox);
      for (int e = 0; e < kPif; ++e) {
#pragma HLS UNROLL
        x[y * kPox + lane][e] = words[row_bank][column_bank][e];
      }
    }
  }
}

void ReadMiddle(const MiddleBuffer middle, const Sequence& s, bool is_absolute,
                Operand x[kPixels][kPif]) {
#pragma HLS INLINE
  const ap_uint<16> address = s.set.source + s.chunk / kChunksPerWord;
  const ap_uint<10> slot = s.chunk % kChunksPerWord;
  for (int p = 0; p < kPixels; ++p) {
#pragma HLS UNROLL
    for (int e = 0; e < kPif; ++e) {
#pragma HLS UNROLL
      const Value value = middle[p][address][slot * kPif + e];
      x[p][e] = is_absolute && value < 0 ? Operand(-value) : Operand(value);
    }
  }
}

// Where the epilogue is in the set that it finishes: words of a pixel, then pixels.
struct Drain {
  bool is_active;
  Set set;
  ap_uint<8> row;
  ap_uint<12> pixel;
  ap_uint<6> column;
  ap_uint<16> line, position;  // of the output buffer: the pixel's line, the pixel
};

void Begin(const Set& set, Drain& drain) {
#pragma HLS INLINE
  drain.is_active = true;
  drain.set = set;
  drain.row = 0;
  drain.pixel = 0;
  drain.column = 0;
  drain.line = drain.position = set.target;
}

bool IsLastWord(const Drain& drain) { return drain.row == kRows - 1 && drain.pixel == kPixels - 1; }

void NextWord(const ComputeInstruction& i, Drain& drain) {
#pragma HLS INLINE
  if (IsLastWord(drain)) drain.is_active = false;
  if (++drain.row != kRows) return;
  drain.row = 0;
  ++drain.pixel;
  // In the middle buffer the pixels of a group lie in different banks at one address.
  if (i.target == 0) return;
  drain.position += i.target_pitch;
  if (++drain.column == kPox) {
    drain.column = 0;
    drain.line += i.target_row_pitch;
    drain.position = drain.line;
  }
}

// One word of the set: EpilogueLanes results.
void FinishWord(const ComputeInstruction& i, const Drain& drain, const Constants& first,
                const Constants& second, const Sum sums[kPixels][kPof],
                const ParameterBuffer parameters, const ParameterBuffer second_parameters,
                const NormSources sources, Value results[kEpilogueLanes]) {
#pragma HLS INLINE
  const ap_uint<16> source = drain.set.source + i.pixel_words + drain.set.word + drain.row;
  for (int k = 0; k < kEpilogueLanes; ++k) {
#pragma HLS UNROLL
    const ap_uint<16> second_word = drain.set.parameter + (i.kind == kConvolution ? 0 : 1);
    const Value x =
        i.kind == kConvolution ? Value(0) : sources[drain.pixel * kMiddleBufferWords + source][k];
    // Lane row * EpilogueLanes + k: of partition k.
    results[k] = Finish(i.kind, sums[drain.pixel][drain.row * kEpilogueLanes + k], x,
                        ReadRecord(parameters[drain.set.parameter][drain.row * kEpilogueLanes + k]),
                        ReadRecord(second_parameters[second_word][drain.row * kEpilogueLanes + k]),
                        first, second);
  }
}

void WriteWord(const ComputeInstruction& i, const Drain& drain, const Value results[kEpilogueLanes],
               MiddleBuffer middle, NormSources sources, OutputBuffer output) {
#pragma HLS INLINE
  const ap_uint<16> address = drain.position + drain.set.word + drain.row;
  for (int k = 0; k < kEpilogueLanes; ++k) {
#pragma HLS UNROLL
    if (i.target == 1) {
      output[address][k] = results[k];
    } else {
      for (int p = 0; p < kPixels; ++p) {
#pragma HLS UNROLL
        if (p == drain.pixel) middle[p][address][k] = results[k];
      }
      sources[drain.pixel * kMiddleBufferWords + address][k] = results[k];
    }
  }
}

// A step of the array and a word of the epilogue per cycle. Sums are handed over where the epilogue is done with the
// set before, so a set takes as many cycles as it has steps, or words.
void RunCompute(const ComputeInstruction& i, const InputBuffer input, const WeightBuffer weights,
                const ParameterBuffer parameters, const ParameterBuffer second_parameters,
                OutputBuffer output) {
  static MiddleBuffer middle;
#pragma HLS ARRAY_PARTITION variable = middle complete dim = 1
#pragma HLS ARRAY_RESHAPE variable = middle complete dim = 3
  static NormSources sources;
#pragma HLS ARRAY_RESHAPE variable = sources complete dim = 2
  Sum sums[kPixels][kPof];
#pragma HLS ARRAY_PARTITION variable = sums complete dim = 0
  Sum finished[kPixels][kPof];
#pragma HLS ARRAY_PARTITION variable = finished complete dim = 0

  const Constants first = ReadConstants(parameters[i.parameter_base][0]);
  const Constants second = ReadConstants(parameters[i.parameter_base][1]);
  Sequence s = FirstStep(i);
  Drain drain;
  drain.is_active = false;
  bool is_stepping = true;
compute_steps:
  while (is_stepping || drain.is_active) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 65536
// No instruction reads what it writes: the array reads the middle buffer of instructions before it.
#pragma HLS DEPENDENCE variable = middle type = inter false
#pragma HLS DEPENDENCE variable = sources type = inter false
    const bool is_last = IsLastOfSet(i, s);
    const bool may_step = is_stepping && (!is_last || !drain.is_active || IsLastWord(drain));
    if (drain.is_active) {
      Value results[kEpilogueLanes];
#pragma HLS ARRAY_PARTITION variable = results complete
      FinishWord(i, drain, first, second, finished, parameters, second_parameters, sources,
                 results);
      WriteWord(i, drain, results, middle, sources, output);
      NextWord(i, drain);
    }
    if (may_step) {
      Operand x[kPixels][kPif];
#pragma HLS ARRAY_PARTITION variable = x complete dim = 0
      if (i.source == 0) {
        ReadInput(input, s, x);
      } else {
        ReadMiddle(middle, s, i.kind != kConvolution, x);
      }
      AddProducts(x, weights[s.weight], IsFirstOfSet(s), sums);
      if (is_last) {
        for (int p = 0; p < kPixels; ++p) {
#pragma HLS UNROLL
          for (int l = 0; l < kPof; ++l) {
#pragma HLS UNROLL
            finished[p][l] = sums[p][l];
          }
        }
        Begin(s.set, drain);
      }
      is_stepping = NextStep(i, s);
    }
  }
}

}  // namespace

bool ComputeStep(InstructionQueue& queue, TokenQueue& load_to_compute,
                 TokenQueue& weight_to_compute, TokenQueue& store_to_compute,
                 TokenQueue& compute_to_load, TokenQueue& compute_to_weight,
                 TokenQueue& compute_to_store, InputBuffer input, WeightBuffer weights,
                 ParameterBuffer parameters, ParameterBuffer second_parameters,
                 OutputBuffer output) {
  const InstructionWord word = queue.read();
  if (OpcodeOf(word) == kEnd) return false;
  const ComputeInstruction i = DecodeCompute(word);
  TakeToken(i.wait[kLoadToCompute], load_to_compute);
  TakeToken(i.wait[kWeightToCompute], weight_to_compute);
  TakeToken(i.wait[kStoreToCompute], store_to_compute);
  RunCompute(i, input, weights, parameters, second_parameters, output);
  GiveToken(i.signal[kComputeToLoad], compute_to_load);
  GiveToken(i.signal[kComputeToWeight], compute_to_weight);
  GiveToken(i.signal[kComputeToStore], compute_to_store);
  return true;
}

void ComputeUnit(InstructionQueue& queue, TokenQueue& load_to_compute,
                 TokenQueue& weight_to_compute, TokenQueue& store_to_compute,
                 TokenQueue& compute_to_load, TokenQueue& compute_to_weight,
                 TokenQueue& compute_to_store, InputBuffer input, WeightBuffer weights,
                 ParameterBuffer parameters, ParameterBuffer second_parameters,
                 OutputBuffer output) {
compute_loop:
  while (ComputeStep(queue, load_to_compute, weight_to_compute, store_to_compute, compute_to_load,
                     compute_to_weight, compute_to_store, input, weights, parameters,
                     second_parameters, output)) {
#pragma HLS LOOP_TRIPCOUNT max = 1024
  }
  EndTokens(compute_to_load);
  EndTokens(compute_to_weight);
  EndTokens(compute_to_store);
  TakeRest(load_to_compute);
  TakeRest(weight_to_compute);
  TakeRest(store_to_compute);
}

}  // namespace tile_hls
