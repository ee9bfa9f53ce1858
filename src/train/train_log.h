// The record of a run: one JSON object per line.
//
// Lines are {"event": "start" | "resume" | "skipped" | "checkpoint" | "end", ...} or, every
// log_steps steps, {"step", "loss", "bpp", "mse", "psnr", "rates": [{"lambda", "bpp", "mse",
// "psnr"}], "learning_rate", "gradient_norm", "pictures_per_second", "seconds"}, each the mean since
// the line before.
#pragma once

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/result.h"

namespace lichen {

class TrainLog {
 public:
  // A resumed log loses the steps after `step`, which will be made again.
  static Result<TrainLog> Create(const std::filesystem::path& path);
  static Result<TrainLog> Resume(const std::filesystem::path& path, int64_t step);
  TrainLog(TrainLog&& other) noexcept;
  ~TrainLog();

  Result<void> Write(const nlohmann::ordered_json& line);

 private:
  TrainLog(std::FILE* file, std::filesystem::path path) : file_(file), path_(std::move(path)) {}
  static Result<TrainLog> Append(const std::filesystem::path& path);

  std::FILE* file_;
  std::filesystem::path path_;
};

}  // namespace lichen
