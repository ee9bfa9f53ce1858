// Streams of pixels between the layers of a mixed-precision network, and the operators without weights.
//
// Contract: a stream carries an image pixel by pixel, row by row. A pixel takes Channels / Lanes words; channel c lies
// in word c / Lanes at bits [(c % Lanes) * Bits, + Bits). Every operator reads its streams to the end. C++14.
#pragma once

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096  // Vitis HLS takes no wider words than this says
#endif
#include <ap_int.h>
#include <hls_stream.h>

namespace mixq {

template <int Lanes, int Bits>
using Word = ap_uint<Lanes * Bits>;
template <int Lanes, int Bits>
using Stream = hls::stream<Word<Lanes, Bits>>;

template <int Bits, int Width>
ap_uint<Bits> GetLane(const ap_uint<Width>& word, int lane) {
  return ap_uint<Bits>(word >> (lane * Bits));
}
template <int Bits, int Width>
void SetLane(ap_uint<Width>& word, int lane, const ap_uint<Bits>& value) {
  word.range(lane * Bits + Bits - 1, lane * Bits) = value;
}

// What rounds a shift to the right by Shift half up.
template <int Shift>
ap_int<64> Half() {
  return Shift > 0 ? int64_t{1} << (Shift > 0 ? Shift - 1 : 0) : int64_t{0};
}

// Both outputs carry what the input does.
template <int Words, int Width>
void Copy(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out,
          hls::stream<ap_uint<Width>>& other) {
  for (int i = 0; i < Words; ++i) {
#pragma HLS PIPELINE II = 1
    const ap_uint<Width> word = in.read();
    out.write(word);
    other.write(word);
  }
}

// (x * Multiplier >> PreShift), then by 2^-PostShift rounding half up, saturated to OutBits.
template <int Words, int Lanes, int InBits, int OutBits, int Multiplier, int PreShift,
          int PostShift>
void Scale(Stream<Lanes, InBits>& in, Stream<Lanes, OutBits>& out) {
  const int kMax = (1 << OutBits) - 1;
  for (int i = 0; i < Words; ++i) {
#pragma HLS PIPELINE II = 1
    const Word<Lanes, InBits> word = in.read();
    Word<Lanes, OutBits> scaled = 0;
    for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
      const ap_int<64> x = GetLane<InBits>(word, lane);
      const ap_int<64> y = ((x * Multiplier >> PreShift) + Half<PostShift>()) >> PostShift;
      SetLane<OutBits>(
          scaled, lane,
          y < 0 ? ap_uint<OutBits>(0) : ap_uint<OutBits>(y > kMax ? kMax : y.to_int()));
    }
    out.write(scaled);
  }
}

// The largest of every 2x2 pixels; a last odd row or column falls away.
template <int Rows, int Columns, int Channels, int Lanes, int Bits>
void MaxPool2x2(Stream<Lanes, Bits>& in, Stream<Lanes, Bits>& out) {
  const int kFolds = Channels / Lanes;
  Word<Lanes, Bits> best[(Columns + 1) / 2][kFolds];
  for (int y = 0; y < Rows; ++y) {
    for (int x = 0; x < Columns; ++x) {
      for (int fold = 0; fold < kFolds; ++fold) {
#pragma HLS PIPELINE II = 1
        const Word<Lanes, Bits> word = in.read();
        Word<Lanes, Bits> largest = word;
        if (y % 2 != 0 || x % 2 != 0) {
          for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
            const ap_uint<Bits> old = GetLane<Bits>(best[x / 2][fold], lane);
            if (old > GetLane<Bits>(word, lane)) SetLane<Bits>(largest, lane, old);
          }
        }
        best[x / 2][fold] = largest;
        if (y % 2 != 0 && x % 2 != 0) out.write(largest);
      }
    }
  }
}

// Pixel (y, x) of the output holds channel c of pixel (2y + dy, 2x + dx) as channel (2dy + dx) * Channels + c.
template <int Rows, int Columns, int Channels, int Lanes, int Bits>
void SpaceToDepth2x2(Stream<Lanes, Bits>& in, Stream<Lanes, Bits>& out) {
  const int kFolds = Channels / Lanes;
  Word<Lanes, Bits> row[Columns][kFolds];
  for (int y = 0; y < Rows; y += 2) {
    for (int x = 0; x < Columns; ++x) {
      for (int fold = 0; fold < kFolds; ++fold) {
#pragma HLS PIPELINE II = 1
        row[x][fold] = in.read();
      }
    }
    Word<Lanes, Bits> below[Columns][kFolds];
    for (int x = 0; x < Columns; ++x) {
      for (int fold = 0; fold < kFolds; ++fold) {
#pragma HLS PIPELINE II = 1
        below[x][fold] = in.read();
      }
    }
    for (int x = 0; x < Columns; x += 2) {
      for (int block = 0; block < 4; ++block) {
        for (int fold = 0; fold < kFolds; ++fold) {
#pragma HLS PIPELINE II = 1
          const int column = x + block % 2;
          out.write(block < 2 ? row[column][fold] : below[column][fold]);
        }
      }
    }
  }
}

// The channels of `first`, then those of `second`.
template <int Pixels, int FirstChannels, int FirstLanes, int FirstBits, int SecondChannels,
          int SecondLanes, int SecondBits, int OutLanes, int OutBits>
void Concat(Stream<FirstLanes, FirstBits>& first, Stream<SecondLanes, SecondBits>& second,
            Stream<OutLanes, OutBits>& out) {
  const int kChannels = FirstChannels + SecondChannels;
  for (int pixel = 0; pixel < Pixels; ++pixel) {
    ap_uint<OutBits> channel[kChannels];
    for (int fold = 0; fold < FirstChannels / FirstLanes; ++fold) {
#pragma HLS PIPELINE II = 1
      const Word<FirstLanes, FirstBits> word = first.read();
      for (int lane = 0; lane < FirstLanes; ++lane) {
        channel[fold * FirstLanes + lane] = GetLane<FirstBits>(word, lane);
      }
    }
    for (int fold = 0; fold < SecondChannels / SecondLanes; ++fold) {
#pragma HLS PIPELINE II = 1
      const Word<SecondLanes, SecondBits> word = second.read();
      for (int lane = 0; lane < SecondLanes; ++lane) {
        channel[FirstChannels + fold * SecondLanes + lane] = GetLane<SecondBits>(word, lane);
      }
    }
    for (int fold = 0; fold < kChannels / OutLanes; ++fold) {
#pragma HLS PIPELINE II = 1
      Word<OutLanes, OutBits> word = 0;
      for (int lane = 0; lane < OutLanes; ++lane) {
        SetLane<OutBits>(word, lane, channel[fold * OutLanes + lane]);
      }
      out.write(word);
    }
  }
}

}  // namespace mixq
