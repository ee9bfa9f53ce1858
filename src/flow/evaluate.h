// Scores codecs on a folder of pictures: real file sizes, PSNR, MS-SSIM, times.
//
// Contract: an integer model encodes each picture to a real file in the given work folder, whose size counts, and
// decodes that file. A float model is scored on its rounded latents, coded with the tables of an integer
// model in segments and behind a header of the same sizes as the codec's, so that both rates compare.
// Pictures are held whole, so that times are those of the codec alone: no PNG reading, no writing.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "codec/codec.h"
#include "entropy/prepared_tables.h"
#include "image/image.h"
#include "net/model.h"
#include "quant/calibration.h"
#include "report/rd_curve.h"

namespace lichen {

struct PictureScore {
  std::string picture;  // file name
  int64_t width = 0;
  int64_t height = 0;
  uint64_t file_bytes = 0;
  double bpp = 0;
  double ideal_bits = 0;  // of latents and hyper-latents under the tables
  uint64_t latent_bytes = 0;
  uint64_t hyper_bytes = 0;
  int64_t symbols = 0;
  int64_t saturated_latents = 0;
  double psnr_db = 0;
  double ms_ssim = 0;
  double encode_seconds = 0;
  double decode_seconds = 0;
};

struct ModelScore {
  std::string model;
  bool is_float = false;
  std::vector<PictureScore> pictures;

  // The sum and the mean over the pictures of one field.
  template <class Number>
  Number Sum(Number PictureScore::*field) const {
    Number sum = 0;
    for (const PictureScore& p : pictures) sum += p.*field;
    return sum;
  }
  template <class Number>
  double Mean(Number PictureScore::*field) const {
    if (pictures.empty()) return 0;
    return static_cast<double>(Sum(field)) / static_cast<double>(pictures.size());
  }
  RdPoint MeanPoint() const { return {Mean(&PictureScore::bpp), Mean(&PictureScore::psnr_db)}; }
};

struct PictureFolder {
  std::vector<std::filesystem::path> pictures;  // by name
  std::vector<SkippedFile> skipped;
};
// The readable pictures of a folder; sub-folders are not entered. Error if there is none.
Result<PictureFolder> ListPictures(const std::filesystem::path& folder);

struct EvaluateOptions {
  int64_t latent_rows_per_segment = 0;  // as of EncodeOptions
  std::filesystem::path work_folder;    // for the encoded files; must exist
  bool keep_files = false;              // leave work_folder/<picture>.lic there
  std::function<void(int64_t done, int64_t total)> progress;
};

Result<ModelScore> EvaluateCodec(const IntNet& net, const PictureFolder& folder,
                                 const EvaluateOptions& options, const Threads& threads);

// `tables` is the model whose tables (set `latent`) code the latents.
Result<ModelScore> EvaluateFloat(const FloatNet& net, const IntNet& tables,
                                 const PictureFolder& folder, const EvaluateOptions& options,
                                 const Threads& threads);

}  // namespace lichen
