// The sub-commands compile, simulate, emit and verify for plans of the fusion machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/command.h"

namespace lichen {

struct FusionCompileOptions {
  std::string model;
  std::string design;
  std::string board;
  std::string size;  // empty: what the model says
  std::string graph;
  std::string output;
};
Result<Exit> CompileFusion(const FusionCompileOptions& options, const CommonOptions& common);

struct FusionSimulateOptions {
  std::string plan;
  std::string image;
  std::string memory;
  std::string values;  // bricks or fast
};
Result<Exit> SimulateFusion(const FusionSimulateOptions& options, const CommonOptions& common);

Result<Exit> EmitFusion(const std::string& plan, const std::string& output,
                        const CommonOptions& common);

struct FusionVerifyOptions {
  std::string bundle;
  std::vector<std::string> images;  // none: a rendered one
  std::string memory;
  uint64_t seed = 0;
  bool is_edited = false;
};
Result<Exit> VerifyFusion(const FusionVerifyOptions& options, const CommonOptions& common);

}  // namespace lichen
