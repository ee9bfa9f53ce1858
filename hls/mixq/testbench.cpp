// C simulation: ./a.out [PICTURE [FOLDER]] runs the network on a picture and writes every layer's output.
//
// PICTURE (input.bin): bytes in the order row, column, channel. FOLDER (.): takes a file for each layer, NAME.bin, of
// 32-bit little-endian integers in that order.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "network.hpp"
#include "observe.hpp"

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "input.bin";
  if (argc > 2) mixq::ObservedFolder() = argv[2];
  const size_t size = size_t{INPUT_ROW} * INPUT_COL * INPUT_CH;
  std::vector<uint8_t> picture(size + 1);
  std::FILE* file = std::fopen(path, "rb");
  const size_t read = file ? std::fread(picture.data(), 1, picture.size(), file) : 0;
  if (file) std::fclose(file);
  if (read != size) {
    std::fprintf(stderr, "%s: must be a file of %zu bytes: %d rows, %d columns, %d channels\n",
                 path, size, INPUT_ROW, INPUT_COL, INPUT_CH);
    return 1;
  }
  mixq::Stream<INPUT_CH, 8> in("in");
  mixq::Stream<OUTPUT_LANES, OUTPUT_BIT> out("out");
  for (size_t at = 0; at < size; at += INPUT_CH) {
    mixq::Word<INPUT_CH, 8> word = 0;
    for (int c = 0; c < INPUT_CH; ++c) mixq::SetLane<8>(word, c, ap_uint<8>(picture[at + c]));
    in.write(word);
  }
  network(in, out);
  while (!out.empty()) out.read();
  return 0;
}
