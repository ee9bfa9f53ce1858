// A compiled network: program, constants and where everything lies in memory.
//
// Contract: plain data. Compile() makes it, Verify() proves it, simulator and emitters take only
// plans that passed. A plan file (.plan) embeds network and design.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "accel/fusion/design.h"
#include "accel/fusion/instruction.h"
#include "accel/fusion/mapping.h"
#include "base/result.h"
#include "base/tensor.h"
#include "net/int_net.h"
#include "target/board.h"

namespace lichen::fusion {

// One plane of a tensor: picture row y begins at address + (border.top + y) * row_stride, its
// elements after the left border's.
struct PlanePlace {
  Plane plane;
  int64_t address_bytes = 0;
  int64_t row_stride_bytes = 0;
  int64_t row_beats = 0;
};

struct TensorPlace {
  TensorId tensor;
  std::string name;
  Size2 size;
  int64_t channels = 0;
  Border border;
  std::vector<PlanePlace> planes;
};

struct PlannedLayer {
  Layer layer;  // its nodes point into Plan::net
  Mapping mapping;
  size_t input = 0;  // of Plan::tensors
  size_t output = 0;
  size_t end_instruction = 0;  // the layer's last STORE is the one before
};

struct Plan {
  Design design;
  Board board;
  IntNet net;
  std::string graph;
  Size2 picture;
  std::vector<TensorPlace> tensors;  // what the host gives first
  std::vector<PlannedLayer> layers;
  std::vector<Instruction> program;
  std::vector<uint8_t> constants;  // memory from address 0: program, weights, steps, parameters
  int64_t memory_bytes = 0;

  const TensorPlace& input() const { return tensors.front(); }
  const TensorPlace& output() const { return tensors[layers.back().output]; }
};

struct Compiled {
  Fit fit;  // "no" names layer or resource, and both numbers
  Plan plan;
};

// Error: the network holds what the machine cannot run.
Result<Compiled> Compile(IntNet net, const std::string& graph, const Design& design,
                         const Board& board, Size2 picture);

// Calls `visit(index, i0, i1)` for each LOAD, WEIGHT, COMPUTE and STORE in the order of execution.
// Error: loops that do not nest, end before they begin, or run more than 2^24 instructions; no END.
Result<void> ForEachExecuted(
    const std::vector<Instruction>& program,
    const std::function<Result<void>(size_t index, uint64_t i0, uint64_t i1)>& visit);

// Proves of the instructions, as decoded from `constants`: executed one by one none waits for a token
// that only a later one gives, so the units cannot block each other; every page is filled before it is
// read and free before it is filled; buffers and memory are not exceeded; every output is written
// once, and nothing is read before it is written.
Result<void> Verify(const Plan& plan);

// The memory as a host prepares it: constants, and the input in its place.
Result<std::vector<uint8_t>> MakeMemory(const Plan& plan, const Tensor<int32_t>& input);
Tensor<int32_t> ReadTensor(const TensorPlace& place, std::span<const uint8_t> memory);

Result<void> SavePlan(const std::filesystem::path& path, const Plan& plan);
// Compiles again what the file holds, and refuses it where it differs.
Result<Plan> LoadPlan(const std::filesystem::path& path);

}  // namespace lichen::fusion
