// Testbench of the HLS engine: runs a program in a memory image, and compares what it leaves with vectors.
//
// Usage: tb VECTORS               a folder: memory.bin, tensors.txt, expected.bin; exit code 1: a tensor differs
//        tb MEMORY_IN MEMORY_OUT  runs the program at address 0 of the image and writes the memory
//
// tensors.txt: the number of bytes of memory (memory.bin may end before), then a line for each tensor: address, bytes
// from row to row, height, width, channels, elements from pixel to pixel, bytes of an element, name. expected.bin: the
// elements of all, in this order: rows, pixels, channels.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "tile_engine.h"

namespace {

using tile_hls::Beat;
using tile_hls::kBeatBytes;

typedef std::vector<unsigned char> Bytes;

bool ReadBytes(const std::string& path, Bytes& bytes) {
  std::ifstream in(path.c_str(), std::ios::binary);
  if (!in) {
    std::cerr << path << ": cannot be read\n";
    return false;
  }
  bytes.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  return true;
}

// Runs the program at address 0; false: it holds an unknown instruction.
bool RunEngine(Bytes& memory) {
  memory.resize((memory.size() + kBeatBytes - 1) / kBeatBytes * kBeatBytes);
  std::vector<Beat> beats(memory.size() / kBeatBytes);
  for (size_t i = 0; i < memory.size(); i += 8) {
    uint64_t half = 0;
    for (int k = 7; k >= 0; --k) half = half << 8 | memory[i + k];
    const int low = i % kBeatBytes == 0 ? 0 : 64;
    beats[i / kBeatBytes].range(low + 63, low) = half;
  }
  ap_uint<32> errors = 0;
  tile_engine(beats.data(), beats.data(), beats.data(), beats.data(), 0, &errors);
  for (size_t i = 0; i < memory.size(); i += 8) {
    const int low = i % kBeatBytes == 0 ? 0 : 64;
    uint64_t half = beats[i / kBeatBytes].range(low + 63, low).to_uint64();
    for (int k = 0; k < 8; ++k, half >>= 8) memory[i + k] = static_cast<unsigned char>(half);
  }
  if (errors == 0) return true;
  std::cerr << "the engine reports errors " << errors.to_uint() << "\n";
  return false;
}

struct TensorPlace {
  uint64_t address, row_stride, height, width, channels, pixel_elements, element_bytes;
  std::string name;
};

std::istream& operator>>(std::istream& in, TensorPlace& t) {
  in >> t.address >> t.row_stride >> t.height >> t.width >> t.channels >> t.pixel_elements >>
      t.element_bytes;
  return std::getline(in >> std::ws, t.name);
}

// Prints the first element that differs and how many do; moves `at` behind the tensor's bytes.
bool IsEqual(const TensorPlace& t, const Bytes& memory, const Bytes& expected, size_t& at) {
  uint64_t different = 0;
  for (uint64_t y = 0; y < t.height; ++y) {
    for (uint64_t x = 0; x < t.width; ++x) {
      for (uint64_t c = 0; c < t.channels; ++c) {
        const uint64_t from =
            t.address + y * t.row_stride + (x * t.pixel_elements + c) * t.element_bytes;
        bool is_equal = true;
        for (uint64_t k = 0; k < t.element_bytes; ++k, ++at) {
          is_equal = is_equal && at < expected.size() && from + k < memory.size() &&
                     memory[from + k] == expected[at];
        }
        if (!is_equal && different++ == 0) {
          std::cout << t.name << ": differs from row " << y << ", column " << x << ", channel " << c
                    << " on\n";
        }
      }
    }
  }
  std::cout << t.name << ": " << different << " of " << t.height * t.width * t.channels
            << " elements differ\n";
  return different == 0;
}

int CompareVectors(const std::string& folder) {
  Bytes memory;
  Bytes expected;
  std::ifstream places((folder + "/tensors.txt").c_str());
  uint64_t memory_bytes = 0;
  if (!ReadBytes(folder + "/memory.bin", memory) ||
      !ReadBytes(folder + "/expected.bin", expected) || !(places >> memory_bytes)) {
    std::cerr << folder << ": is no folder of vectors\n";
    return 2;
  }
  memory.resize(memory_bytes);
  if (!RunEngine(memory)) return 1;
  bool is_equal = true;
  int count = 0;
  size_t at = 0;
  for (TensorPlace place; places >> place; ++count) {
    is_equal = IsEqual(place, memory, expected, at) && is_equal;
  }
  is_equal = is_equal && count > 0 && at == expected.size();
  std::cout << (is_equal ? "all tensors equal\n" : "NOT EQUAL\n");
  return is_equal ? 0 : 1;
}

int RunImage(const std::string& in, const std::string& out) {
  Bytes memory;
  if (!ReadBytes(in, memory)) return 2;
  const size_t bytes = memory.size();
  if (!RunEngine(memory)) return 1;
  std::ofstream file(out.c_str(), std::ios::binary);
  file.write(reinterpret_cast<const char*>(memory.data()), static_cast<std::streamsize>(bytes));
  return file ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return CompareVectors(argv[1]);
  if (argc == 3) return RunImage(argv[1], argv[2]);
  std::cerr << "usage: tb VECTORS, or tb MEMORY_IN MEMORY_OUT\n";
  return 2;
}
