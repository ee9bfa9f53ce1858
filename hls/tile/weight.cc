#include "weight.h"

namespace tile_hls {
namespace {

constexpr int kWeightBeats = kPif * kPof / kBeatElements;  // of a word

void ReadWeights(const Beat* memory, const WeightInstruction& i, WeightBuffer weights) {
  const ap_uint<36> first = i.address >> 4;
  const ap_uint<32> count = i.words * kWeightBeats;
  Weight word[kPof * kPif];
#pragma HLS ARRAY_PARTITION variable = word complete
  ap_uint<16> address = i.base;
  ap_uint<16> part = 0;
read_weights:
  for (ap_uint<32> n = 0; n < count; ++n) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 65536
    const Beat beat = memory[first + n];
    for (int k = 0; k < kWeightBeats; ++k) {
#pragma HLS UNROLL
      for (int e = 0; e < kBeatElements; ++e) {
#pragma HLS UNROLL
        if (k == part) {
          word[k * kBeatElements + e] = beat.range((e + 1) * kOperandBits - 1, e * kOperandBits);
        }
      }
    }
    if (++part != kWeightBeats) continue;
    part = 0;
    for (int k = 0; k < kPof * kPif; ++k) {
#pragma HLS UNROLL
      weights[address][k] = word[k];
    }
    ++address;
  }
}

void ReadParameters(const Beat* memory, const WeightInstruction& i, ParameterBuffer parameters,
                    ParameterBuffer second_parameters) {
  const ap_uint<36> first = i.address >> 4;
  const ap_uint<32> count = i.words * kPof;
  ap_uint<16> address = i.base;
  ap_uint<16> lane = 0;
read_parameters:
  for (ap_uint<32> n = 0; n < count; ++n) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT max = 4096
    const Record record = memory[first + n];
    parameters[address][lane] = record;
    second_parameters[address][lane] = record;
    if (++lane == kPof) {
      lane = 0;
      ++address;
    }
  }
}

}  // namespace

bool WeightStep(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_weight,
                TokenQueue& weight_to_compute, WeightBuffer weights, ParameterBuffer parameters,
                ParameterBuffer second_parameters) {
  const InstructionWord word = queue.read();
  if (OpcodeOf(word) == kEnd) return false;
  const WeightInstruction i = DecodeWeight(word);
  TakeToken(i.wait[kComputeToWeight], compute_to_weight);
  if (i.target == 0) {
    ReadWeights(memory, i, weights);
  } else {
    ReadParameters(memory, i, parameters, second_parameters);
  }
  GiveToken(i.signal[kWeightToCompute], weight_to_compute);
  return true;
}

void WeightUnit(const Beat* memory, InstructionQueue& queue, TokenQueue& compute_to_weight,
                TokenQueue& weight_to_compute, WeightBuffer weights, ParameterBuffer parameters,
                ParameterBuffer second_parameters) {
weight_loop:
  while (WeightStep(memory, queue, compute_to_weight, weight_to_compute, weights, parameters,
                    second_parameters)) {
#pragma HLS LOOP_TRIPCOUNT max = 256
  }
  EndTokens(weight_to_compute);
  TakeRest(compute_to_weight);
}

}  // namespace tile_hls
