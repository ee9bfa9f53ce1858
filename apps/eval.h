// lichen eval: its options, and its tasks.
#pragma once

#include <string>
#include <vector>

#include "apps/command.h"

namespace lichen {

struct EvalOptions {
  std::string folder;
  std::string task = "codec";
  std::vector<std::string> models;
  std::vector<std::string> plans;  // of the fusion machine, to classify by simulation
  std::string tables;              // model whose tables code the latents of float models
  std::string labels;              // of detection
  std::string rd_curves;           // "": those beside the project, where present
  std::string csv;
  std::string plot;
  std::string keep;  // folder for the encoded files
  int64_t segment_rows = 0;
};

Result<Exit> EvalCodec(const EvalOptions& options, const CommonOptions& common);
Result<Exit> EvalClassify(const EvalOptions& options, const CommonOptions& common);
Result<Exit> EvalDetect(const EvalOptions& options, const CommonOptions& common);

}  // namespace lichen
