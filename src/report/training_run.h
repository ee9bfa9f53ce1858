// The record of a training run: what the JSON-lines log of `lichen train` tells (docs/formats.md).
//
// Contract: text is not trusted. A line that is no object, lacks its keys or has them of the wrong
// type is an error that names the line. A last line without line feed that does not parse is what a
// killed run leaves: it is left out, with a note. Unknown keys and events are passed over; numbers
// that are null (not finite) become NaN. A resumed run drops the steps that it makes again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace lichen {

struct TrainingPoint {
  struct Rate {
    double lambda = 0;
    double bpp = 0;
    double mse = 0;
    double psnr_db = 0;
  };
  int64_t step = 0;
  double loss = 0;
  double bpp = 0;
  double mse = 0;
  double psnr_db = 0;
  double score = 0;  // the run's score_name, of training; NaN: none, as of a codec
  double cost = 0;   // of a search for widths; NaN: none
  double learning_rate = 0;
  double gradient_norm = 0;
  double pictures_per_second = 0;
  double seconds = 0;  // since the first start, pauses left out
  std::vector<Rate> rates;
  std::string stage;  // empty: the log names none
};

struct TrainingRun {
  struct Stage {
    int64_t first_step = 0;  // steps behind this one belong to it
    std::string name;
  };
  struct Skipped {
    std::string file;
    std::string reason;
  };
  std::string name;                   // of the log
  std::vector<TrainingPoint> points;  // steps ascend
  std::vector<Stage> stages;
  std::vector<std::pair<std::string, std::string>> recipe;  // "training.batch", "8"; as logged
  std::string device;
  std::string score_name;  // accuracy (a classifier) or iou (a detector); empty: a codec
  double test_score = 0;   // of the last test; NaN: none
  int64_t test_step = 0;
  int64_t test_pictures = 0;
  int64_t pictures = 0;
  std::vector<Skipped> skipped;
  int64_t resumes = 0;
  int64_t checkpoints = 0;
  bool has_ended = false;
  std::vector<std::string> notes;

  // The recipe's value, or "".
  std::string RecipeValue(std::string_view key) const;
};

Result<TrainingRun> ParseTrainingRun(std::string_view text, std::string name);
// Errors name the file.
Result<TrainingRun> LoadTrainingRun(const std::filesystem::path& path);

}  // namespace lichen
