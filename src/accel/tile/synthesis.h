// Synthesis of an engine block by block with Yosys: the scripts, and what their netlists say.
//
// Contract: scripts run in a bundle's folder and write below synth/. Every block is the module that the
// engine's parameters make of it, alone (out of context); blocks in it are left out. Of arrays of more than two pixel
// lanes one and two lanes are synthesised, and the others count as much as the second. Epilogue
// lanes are equal, so one is synthesised.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/estimate.h"
#include "base/result.h"
#include "target/netlist.h"

namespace lichen::tile {

std::string_view Name(Block block);  // of its module

struct SynthesisJob {
  std::string name;  // of synth/NAME.ys, NAME.log, NAME.json, NAME.ltp
  Block block;
  int64_t array_lanes = 0;  // of a part of the array; 0: the whole block
  std::string script;
};

// Makes synth/engine.il, and synth/modules.txt for SynthesisJobs().
std::string ElaborationScript(const Design& design);
// The long ones first. Error where `modules` lacks a block.
Result<std::vector<SynthesisJob>> SynthesisJobs(const Design& design, std::string_view modules);

// What a job left: its netlist, and Yosys's own count of the longest path.
struct SynthesisResult {
  Netlist netlist;
  int64_t ltp = 0;
};
Result<SynthesisResult> ReadResult(std::string_view netlist_json, std::string_view ltp_text);

struct BlockReport {
  int64_t instances = 1;
  bool is_scaled = false;
  CellCounts synthesised;  // of all instances
  CellCounts estimated;
  int64_t levels = 0;  // inside, ports taken for registers
  int64_t ltp = 0;     // the same by Yosys: every carry cell and wide multiplexer is a level
};
struct SynthesisReport {
  std::array<BlockReport, kBlockCount> blocks;
  CellCounts synthesised;
  CellCounts estimated;
  int64_t levels = 0;  // of the whole engine, across its blocks
  bool dsp_equal = false;
  bool bram_equal = false;
  bool lut_within_20 = false;
  bool ff_within_20 = false;
};
// `results` in the order of `jobs`.
SynthesisReport MakeReport(const Design& design, const std::vector<SynthesisJob>& jobs,
                           const std::vector<SynthesisResult>& results);

std::string ToJson(const SynthesisReport& report, const Design& design);

}  // namespace lichen::tile
