// Searches designs of the tile engine, and tile sizes of every layer, for the Pareto set.
//
// Contract: a complete point is a design that fits the board, with a tile for every layer of all
// graphs, and its estimated latency (all graphs, one after the other), DSP, DRAM bytes and energy.
// The set is the same with and without pruning, and does not depend on threads or processes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "accel/tile/design.h"
#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "net/int_net.h"
#include "target/board.h"

namespace lichen {

// The values that each parameter takes.
struct TileSpace {
  std::vector<int64_t> pif;
  std::vector<int64_t> pof;
  std::vector<int64_t> poy;
  std::vector<int64_t> pox;
  std::vector<int64_t> weight_buffer_words;  // 0: as many as the layer with the most weights has
  std::vector<int64_t> input_buffer_words;
  std::vector<int64_t> middle_buffer_words;
  std::vector<int64_t> output_buffer_words;
  std::vector<int64_t> tile_rows;     // groups of poy rows
  std::vector<int64_t> tile_columns;  // groups of pox columns; those of the whole width too
  int64_t operand_bits = 16;
  double clock_mhz = 200;
  int64_t least_macs = 1;  // per cycle
};
TileSpace DefaultSpace(int64_t operand_bits);

enum class Objective { kLatency, kDsp, kDram, kEnergy };
// "latency,dsp,dram,energy", in any order.
Result<std::vector<Objective>> ParseObjectives(const std::string& text);
std::string Name(Objective objective);

struct TilePoint {
  tile::Design design;  // with the tile of every layer
  int64_t cycles = 0;
  double latency_ms = 0;
  std::vector<double> graph_ms;  // of each graph
  int64_t dram_bytes = 0;
  double energy_mj = 0;
  Resources resources;
};

struct ExploreOptions {
  std::vector<Objective> objectives;
  bool is_pruned = true;
  std::filesystem::path journal;  // empty: none. Finished arrays are taken from it
  int64_t part = 0;               // of `parts`: this process looks at every parts-th array
  int64_t parts = 1;
  std::function<void(int64_t done, int64_t total)> progress;  // from any thread
};

struct ExploreResult {
  std::vector<TilePoint> points;  // by latency
  int64_t arrays = 0;             // choices of pif, pof, poy, pox
  int64_t evaluated = 0;          // complete points
  int64_t pruned = 0;             // complete points that a bound made unnecessary
  double seconds = 0;             // of all threads together, without arrays from the journal
};

Result<ExploreResult> ExploreTile(const IntNet& net, const Board& board, Size2 picture,
                                  const TileSpace& space, const ExploreOptions& options,
                                  const Threads& threads);

// The Pareto set of several processes' parts.
ExploreResult Merge(std::vector<ExploreResult> parts, const std::vector<Objective>& objectives);

std::string ToCsv(const ExploreResult& result);
std::string ToJson(const ExploreResult& result);
// The way back of ToJson(), from other processes of this program.
Result<ExploreResult> ParseExploreResult(const std::string& json);

}  // namespace lichen
