// Runs Yosys on a bundle's blocks, as `lichen emit --synth` does.
#pragma once

#include <filesystem>

#include "accel/tile/synthesis.h"
#include "apps/command.h"

namespace lichen {

// Leaves scripts, logs and report.json in BUNDLE/synth. Error where Yosys is not installed or fails.
Result<tile::SynthesisReport> Synthesise(const std::filesystem::path& bundle,
                                         const tile::Design& design, const CommonOptions& common);
// The table of blocks and what follows from it.
std::string ToText(const tile::SynthesisReport& report, const Board& board);

}  // namespace lichen
