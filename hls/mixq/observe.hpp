// C simulation only: writes what a stream carries to a file, and leaves the stream as it was.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "stream_ops.hpp"

namespace mixq {

// Where files of the streams go.
inline std::string& ObservedFolder() {
  static std::string folder = ".";
  return folder;
}

// FOLDER/NAME.bin: 32-bit little-endian integers in the order row, column, channel.
template <int Pixels, int Channels, int Lanes, int Bits, bool IsSigned>
void Observe(Stream<Lanes, Bits>& stream, const char* name) {
  std::vector<uint8_t> bytes;
  for (int i = 0; i < Pixels * (Channels / Lanes); ++i) {
    const Word<Lanes, Bits> word = stream.read();
    for (int lane = 0; lane < Lanes; ++lane) {
      const ap_uint<Bits> raw = GetLane<Bits>(word, lane);
      const int64_t value = IsSigned ? ap_int<Bits>(raw).to_int64() : raw.to_int64();
      for (int shift = 0; shift < 32; shift += 8)
        bytes.push_back(static_cast<uint8_t>(value >> shift));
    }
    stream.write(word);
  }
  const std::string path = ObservedFolder() + "/" + name + ".bin";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool is_written = file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (!file || std::fclose(file) != 0 || !is_written) {
    std::fprintf(stderr, "%s: cannot be written\n", path.c_str());
    std::exit(1);
  }
}

}  // namespace mixq
