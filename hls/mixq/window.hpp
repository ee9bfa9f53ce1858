// Sliding windows of a convolution: K x K, stride 1, P rows and columns of zeros around the image.
#pragma once

#include "stream_ops.hpp"

namespace mixq {

// The last K rows of an image.
template <int K, int P, int Rows, int Columns, int Channels, int Lanes, int Bits>
class LineBuffer {
 public:
  // Takes the rows that output row `y` needs and that are not there yet.
  void ReadFor(int y, Stream<Lanes, Bits>& in) {
    const int end = y - P + K < Rows ? y - P + K : Rows;
    for (; next_ < end; ++next_) {
      for (int x = 0; x < Columns; ++x) {
        for (int fold = 0; fold < Channels / Lanes; ++fold) {
#pragma HLS PIPELINE II = 1
          const Word<Lanes, Bits> word = in.read();
          for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
            row_[next_ % K][x][fold * Lanes + lane] = GetLane<Bits>(word, lane);
          }
        }
      }
    }
  }
  // Tap (kr, kc) of channel c in the window of output pixel (y, x).
  ap_uint<Bits> At(int y, int x, int kr, int kc, int c) const {
    const int row = y - P + kr;
    const int column = x - P + kc;
    if (row < 0 || row >= Rows || column < 0 || column >= Columns) return 0;
    return row_[row % K][column][c];
  }

 private:
  ap_uint<Bits> row_[K][Columns][Channels];
  int next_ = 0;
};

// For every output pixel K * Channels / Simd words: word t holds K columns of Simd lanes, lane (kc, s) at kc * Simd + s,
// which is tap (kr, kc) of channel c with kr * Channels + c = t * Simd + s.
template <int K, int P, int Rows, int Columns, int Channels, int Lanes, int Bits, int Simd>
void SlidingWindow(Stream<Lanes, Bits>& in, Stream<K * Simd, Bits>& out) {
  static_assert(K * Channels % Simd == 0, "SIMD divides K * IFM_CH");
  LineBuffer<K, P, Rows, Columns, Channels, Lanes, Bits> lines;
  for (int y = 0; y < Rows + 2 * P - K + 1; ++y) {
    lines.ReadFor(y, in);
    for (int x = 0; x < Columns + 2 * P - K + 1; ++x) {
      for (int t = 0; t < K * Channels / Simd; ++t) {
#pragma HLS PIPELINE II = 1
        Word<K * Simd, Bits> word = 0;
        for (int kc = 0; kc < K; ++kc) {
          for (int s = 0; s < Simd; ++s) {
            const int at = t * Simd + s;
            SetLane<Bits>(word, kc * Simd + s, lines.At(y, x, at / Channels, kc, at % Channels));
          }
        }
        out.write(word);
      }
    }
  }
}

// For every output pixel and every Pe channels K / Simd words: word t holds Pe windows of K columns of Simd lanes, lane
// (p, kc, s) at (p * K + kc) * Simd + s, which is tap (t * Simd + s, kc) of channel p of the Pe.
template <int K, int P, int Rows, int Columns, int Channels, int Lanes, int Bits, int Simd, int Pe>
void DepthwiseWindow(Stream<Lanes, Bits>& in, Stream<Pe * K * Simd, Bits>& out) {
  static_assert(K % Simd == 0, "SIMD divides K");
  LineBuffer<K, P, Rows, Columns, Channels, Lanes, Bits> lines;
  for (int y = 0; y < Rows + 2 * P - K + 1; ++y) {
    lines.ReadFor(y, in);
    for (int x = 0; x < Columns + 2 * P - K + 1; ++x) {
      for (int first = 0; first < Channels; first += Pe) {
        for (int t = 0; t < K / Simd; ++t) {
#pragma HLS PIPELINE II = 1
          Word<Pe * K * Simd, Bits> word = 0;
          for (int p = 0; p < Pe; ++p) {
            for (int kc = 0; kc < K; ++kc) {
              for (int s = 0; s < Simd; ++s) {
                SetLane<Bits>(word, (p * K + kc) * Simd + s,
                              lines.At(y, x, t * Simd + s, kc, first + p));
              }
            }
          }
          out.write(word);
        }
      }
    }
  }
}

}  // namespace mixq
