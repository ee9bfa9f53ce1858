// Layers with weights: Pe output channels at a time, Simd products of each kernel column in each of them.
//
// Contract: weights in the packed order of docs/formats.md (mixq-hls): output channel oc is row oc % Pe of fold oc / Pe.
// An activation's whole shift is LShift + WBits + InBits - 1; `inc` is NoIncrement in a layer without activation.
#pragma once

#include "activation.hpp"

namespace mixq {

// The word of kernel column kc at `at`; 1x1 kernels have no axis of columns.
template <int Width, int Pe, int K, int Tiles>
const ap_uint<Width>& WeightWord(const ap_uint<Width> (&w)[Pe][K][Tiles], int p, int kc, int at) {
  return w[p][kc][at];
}
template <int Width, int Pe, int Tiles>
const ap_uint<Width>& WeightWord(const ap_uint<Width> (&w)[Pe][Tiles], int p, int, int at) {
  return w[p][at];
}

// Reads the words of SlidingWindow().
template <int K, int Pixels, int InChannels, int OutChannels, int InBits, int WBits, int OutBits,
          int LShift, int Simd, int Pe, class Weights, class Inc, class Bias>
void MatrixVector(Stream<K * Simd, InBits>& in, const Weights& w, const Inc& inc, const Bias& bias,
                  Stream<Pe, OutBits>& out) {
  const int kInFolds = K * InChannels / Simd;
  const int kOutFolds = OutChannels / Pe;
  const int kShift = LShift + WBits + InBits - 1;
  const int kSumBits = SumBits(WBits, InBits, K * K * InChannels);
  ap_uint<InBits> window[kInFolds][K][Simd];
  for (int pixel = 0; pixel < Pixels; ++pixel) {
    for (int fold = 0; fold < kOutFolds; ++fold) {
      ap_int<kSumBits> acc[Pe];
      for (int p = 0; p < Pe; ++p) acc[p] = 0;
      for (int t = 0; t < kInFolds; ++t) {
#pragma HLS PIPELINE II = 1
        if (fold == 0) {
          const Word<K * Simd, InBits> word = in.read();
          for (int kc = 0; kc < K; ++kc) {
            for (int s = 0; s < Simd; ++s) window[t][kc][s] = GetLane<InBits>(word, kc * Simd + s);
          }
        }
        for (int p = 0; p < Pe; ++p) {
#pragma HLS UNROLL
          for (int kc = 0; kc < K; ++kc) {
            const ap_uint<Simd* WBits>& lanes = WeightWord(w, p, kc, fold * kInFolds + t);
            for (int s = 0; s < Simd; ++s) {
              acc[p] += ap_int<WBits>(GetLane<WBits>(lanes, s)) * window[t][kc][s];
            }
          }
        }
      }
      Word<Pe, OutBits> word = 0;
      for (int p = 0; p < Pe; ++p) {
#pragma HLS UNROLL
        SetLane<OutBits>(word, p,
                         Activate<OutBits, kShift>(acc[p], At(inc, p, fold), At(bias, p, fold)));
      }
      out.write(word);
    }
  }
}

// Reads the words of DepthwiseWindow(): every output channel has one input channel.
template <int K, int Pixels, int Channels, int InBits, int WBits, int OutBits, int LShift, int Simd,
          int Pe, class Weights, class Inc, class Bias>
void Depthwise(Stream<Pe * K * Simd, InBits>& in, const Weights& w, const Inc& inc,
               const Bias& bias, Stream<Pe, OutBits>& out) {
  const int kInFolds = K / Simd;
  const int kShift = LShift + WBits + InBits - 1;
  const int kSumBits = SumBits(WBits, InBits, K * K);
  for (int pixel = 0; pixel < Pixels; ++pixel) {
    for (int fold = 0; fold < Channels / Pe; ++fold) {
      ap_int<kSumBits> acc[Pe];
      for (int p = 0; p < Pe; ++p) acc[p] = 0;
      for (int t = 0; t < kInFolds; ++t) {
#pragma HLS PIPELINE II = 1
        const Word<Pe * K * Simd, InBits> word = in.read();
        for (int p = 0; p < Pe; ++p) {
#pragma HLS UNROLL
          for (int kc = 0; kc < K; ++kc) {
            const ap_uint<Simd* WBits>& lanes = WeightWord(w, p, kc, fold * kInFolds + t);
            for (int s = 0; s < Simd; ++s) {
              acc[p] += ap_int<WBits>(GetLane<WBits>(lanes, s)) *
                        GetLane<InBits>(word, (p * K + kc) * Simd + s);
            }
          }
        }
      }
      Word<Pe, OutBits> result = 0;
      for (int p = 0; p < Pe; ++p) {
#pragma HLS UNROLL
        SetLane<OutBits>(result, p,
                         Activate<OutBits, kShift>(acc[p], At(inc, p, fold), At(bias, p, fold)));
      }
      out.write(result);
    }
  }
}

// A fully connected layer on a whole image; 2 * Pe output channels at a time. Channel oc is half oc % 2 of row oc / 2 % Pe
// of fold oc / (2 * Pe).
template <int Rows, int Columns, int Channels, int Lanes, int OutChannels, int InBits, int WBits,
          int OutBits, int LShift, int InPe, int Simd, int Pe, class Inc, class Bias>
void Linear(Stream<Lanes, InBits>& in,
            const ap_uint<2 * Simd * WBits> (
                &w)[Pe][Rows][Channels / InPe][Columns][OutChannels / (2 * Pe)][InPe / Simd],
            const Inc& inc, const Bias& bias, Stream<2 * Pe, OutBits>& out) {
  const int kOutFolds = OutChannels / (2 * Pe);
  const int kShift = LShift + WBits + InBits - 1;
  const int kSumBits = SumBits(WBits, InBits, Rows * Columns * Channels);
  ap_int<kSumBits> acc[OutChannels];
  for (int oc = 0; oc < OutChannels; ++oc) acc[oc] = 0;
  for (int y = 0; y < Rows; ++y) {
    ap_uint<InBits> row[Columns][Channels];
    for (int x = 0; x < Columns; ++x) {
      for (int fold = 0; fold < Channels / Lanes; ++fold) {
#pragma HLS PIPELINE II = 1
        const Word<Lanes, InBits> word = in.read();
        for (int lane = 0; lane < Lanes; ++lane) {
          row[x][fold * Lanes + lane] = GetLane<InBits>(word, lane);
        }
      }
    }
    for (int group = 0; group < Channels / InPe; ++group) {
      for (int x = 0; x < Columns; ++x) {
        for (int fold = 0; fold < kOutFolds; ++fold) {
          for (int t = 0; t < InPe / Simd; ++t) {
#pragma HLS PIPELINE II = 1
            for (int p = 0; p < Pe; ++p) {
              const ap_uint<2 * Simd* WBits>& lanes = w[p][y][group][x][fold][t];
              for (int s = 0; s < Simd; ++s) {
                for (int half = 0; half < 2; ++half) {
                  acc[(fold * Pe + p) * 2 + half] +=
                      ap_int<WBits>(GetLane<WBits>(lanes, 2 * s + half)) *
                      row[x][group * InPe + t * Simd + s];
                }
              }
            }
          }
        }
      }
    }
  }
  for (int fold = 0; fold < kOutFolds; ++fold) {
    Word<2 * Pe, OutBits> word = 0;
    for (int lane = 0; lane < 2 * Pe; ++lane) {
      const int oc = fold * 2 * Pe + lane;
      SetLane<OutBits>(word, lane, Activate<OutBits, kShift>(acc[oc], At(inc, oc), At(bias, oc)));
    }
    out.write(word);
  }
}

}  // namespace mixq
