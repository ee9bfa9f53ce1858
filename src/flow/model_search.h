// Finds the model of a family whose file of a picture meets a rate or a quality.
//
// Contract: models are tried by a binary search over their order, by real bytes or by the PSNR of the
// really decoded picture, so about log2(n) + 1 of n models encode. The file of the model that is
// taken appears at `output` whole or not at all; files of the others lie in a temporary folder
// that is removed.
#pragma once

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "codec/codec.h"

namespace lichen {

struct EncodeTarget {
  enum class Kind {
    kBpp,   // the largest file of at most this many bits per pixel
    kPsnr,  // the smallest file of at least this PSNR in dB
  };
  Kind kind = Kind::kBpp;
  double value = 0;
};

struct ModelTrial {
  size_t model = 0;  // place in the order
  EncodeStats stats;
  double bpp = 0;
  double psnr_db = std::numeric_limits<double>::quiet_NaN();  // measured for kPsnr alone

  double Figure(EncodeTarget::Kind kind) const {
    return kind == EncodeTarget::Kind::kBpp ? bpp : psnr_db;
  }
};

struct ModelSearch {
  std::vector<ModelTrial> trials;  // in the order of the search
  size_t chosen = 0;               // of the trials
  bool is_met = false;  // whether the chosen one meets the target; else it is the nearest
};

// The search alone. Models 0 to model_count - 1 stand by rising rate; `try_model` is called at most
// once for each. Where rates of this picture do not rise in that order, the best of those tried wins.
Result<ModelSearch> SearchModels(size_t model_count, const EncodeTarget& target,
                                 const std::function<Result<ModelTrial>(size_t)>& try_model);

// Encodes `input` to `output` with the model found; `load` gives model i.
Result<ModelSearch> EncodeToTarget(size_t model_count,
                                   const std::function<Result<Codec>(size_t)>& load,
                                   const std::filesystem::path& input,
                                   const std::filesystem::path& output, const EncodeTarget& target,
                                   const EncodeOptions& options, const Threads& threads);

}  // namespace lichen
