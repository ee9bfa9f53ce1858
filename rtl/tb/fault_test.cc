#include "fault_test.h"

#include <cstdio>
#include <string>

#include "accel/tile/instruction.h"
#include "driver.h"
#include "tile_harness.h"

namespace lichen::rtl {
namespace {

constexpr uint64_t kLoadAddress = 0x4000;
constexpr uint64_t kStoreAddress = 0x8000;
constexpr uint64_t kBytes = 64;

// Reads some elements and, when they are there, writes some.
std::vector<uint8_t> Program() {
  tile::Load load;
  load.sync.signal = tile::Bit(tile::Token::kLoadToCompute);
  load.address_bytes = kLoadAddress;
  load.row_stride_bytes = kBytes;
  load.rows = load.valid_rows = 1;
  load.row_words = load.chunks = load.stride_y = load.stride_x = 1;
  load.valid_elements = 1;
  tile::Store store;
  store.sync.wait = load.sync.signal;
  store.address_bytes = kStoreAddress;
  store.row_stride_bytes = kBytes;
  store.rows = 1;
  store.run = store.valid_elements = 4;
  store.element_bytes = 2;
  std::vector<uint8_t> program;
  for (const tile::Instruction& instruction :
       {tile::Instruction(load), tile::Instruction(store), tile::Instruction(tile::End{})}) {
    const tile::EncodedInstruction bytes = tile::Encode(instruction);
    program.insert(program.end(), bytes.begin(), bytes.end());
  }
  return program;
}

struct Case {
  const char* name;
  uint64_t fault_begin;
  uint64_t fault_end;
  uint32_t errors;
  const char* text;  // of the driver
};

bool CheckCase(const Case& c) {
  MemoryModel model;
  model.fault_begin = c.fault_begin;
  model.fault_end = c.fault_end;
  TileHarness engine(1 << 16, model);
  engine.set_timeout_cycles(10'000);
  Driver driver(engine);
  std::string complaint = driver.Load(Program());
  uint64_t cycles = 0;
  if (complaint.empty()) complaint = driver.Run(cycles);
  const uint32_t status = kStatusDone | (c.errors != 0 ? kStatusError : 0);
  const uint32_t errors = engine.Read32(kErrors);
  const bool is_right =
      complaint == c.text && errors == c.errors && engine.Read32(kStatus) == status && cycles > 0;
  if (!is_right) {
    std::printf("fault %s: errors %u, driver '%s'\n", c.name, errors, complaint.c_str());
  }
  return is_right;
}

}  // namespace

bool CheckFaults() {
  const char* read = "the engine reports a read that memory answered with an error";
  const char* write = "the engine reports a write that memory answered with an error";
  const Case cases[] = {
      {"nowhere", 0, 0, 0, ""},
      {"beside what is used", kLoadAddress + kBytes, kStoreAddress, 0, ""},
      {"of a load", kLoadAddress, kLoadAddress + 1, kErrorRead, read},
      {"of the program", 0, 1, kErrorRead, read},
      {"of a store", kStoreAddress, kStoreAddress + 1, kErrorWrite, write},
      {"of both", kLoadAddress, kStoreAddress + 1, kErrorRead | kErrorWrite,
       "the engine reports a read that memory answered with an error, and a write that memory "
       "answered with an error"},
  };
  bool is_right = true;
  for (const Case& c : cases) is_right = CheckCase(c) && is_right;
  return is_right;
}

}  // namespace lichen::rtl
