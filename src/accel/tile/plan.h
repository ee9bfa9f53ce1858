// A compiled network: instructions, constants and where everything lies in memory.
//
// Contract: plain data. Compile() makes it, Verify() proves it, simulator and emitters take only
// plans that passed. A plan file (.plan) embeds network and design.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/instruction.h"
#include "accel/tile/mapping.h"
#include "base/result.h"
#include "net/int_net.h"
#include "target/board.h"

namespace lichen::tile {

// A tensor in memory: element (y, x, c) at address_bytes + y * row_stride_bytes +
// (x * pixel_elements + c) * element_bytes.
struct TensorPlace {
  TensorId tensor;
  std::string name;
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  int64_t pixel_elements = 0;
  int64_t element_bytes = 0;
  bool is_unsigned = false;
  int64_t address_bytes = 0;
  int64_t row_stride_bytes = 0;
};

struct PlannedLayer {
  Layer layer;  // its nodes point into Plan::net
  Mapping mapping;
  size_t input = 0;  // of Plan::tensors
  size_t output = 0;
  bool is_last_writer = true;  // of its output: others that Concat joins came before
  size_t end_instruction = 0;  // the next layer's weights may be fetched before
};

struct Plan {
  Design design;
  Board board;
  IntNet net;
  std::string graph;
  Size2 picture;  // as given; padded to the model's size_multiple for the graphs
  Size2 reference;
  std::vector<TensorPlace> tensors;  // the graph's input first
  std::vector<PlannedLayer> layers;
  std::vector<Instruction> program;
  std::vector<uint8_t> constants;  // memory from address 0: program, then weights and parameters
  int64_t memory_bytes = 0;

  const TensorPlace& input() const { return tensors.front(); }
  const TensorPlace& output() const { return tensors[layers.back().output]; }
};

struct Compiled {
  Fit fit;  // "no" names layer or resource, and both numbers
  Plan plan;
};

// Error: the network holds what the engine cannot run.
// `keeps_tensors`: no tensor's memory is used again, so that all can be looked at afterwards.
Result<Compiled> Compile(IntNet net, const std::string& graph, const Design& design,
                         const Board& board, Size2 picture, bool keeps_tensors = false);

// The instructions in an order in which units that follow tokens may finish them: of those that may
// come next, the first of the program. Error: they wait for each other.
Result<std::vector<size_t>> FinishOrder(const std::vector<Instruction>& program);

// Proves of the instructions, as decoded from `constants`: tokens neither deadlock nor let a unit
// overtake another, buffers and memory are never exceeded, every output is written once, nothing is
// read before it is written.
Result<void> Verify(const Plan& plan);

Result<void> SavePlan(const std::filesystem::path& path, const Plan& plan);
// Compiles again what the file holds, and refuses it where it differs.
Result<Plan> LoadPlan(const std::filesystem::path& path);

}  // namespace lichen::tile
