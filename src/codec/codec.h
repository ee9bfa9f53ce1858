// Pictures <-> `.lic` bitstreams with the integer engine: encoder, decoder, and the ideal size.
//
// Contract: pictures stream through by rows, so memory grows with the width (but for an analysis
// elsewhere). The bitstream and the decoded picture depend on model, picture and options alone: not on
// threads or CPU target.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/files.h"
#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "codec/container.h"
#include "image/reader.h"
#include "image/writer.h"
#include "net/int_net.h"

namespace lichen {

// A model made ready to encode and decode; share one among runs.
class Codec {
 public:
  // Error: the net is no codec: graphs `analysis` and `synthesis`, table set `latent` with a table
  // per latent channel. Or with a hyper-prior and a row context: also graphs `hyper_analysis`,
  // `hyper_synthesis`, `context` and `entropy_parameters`, set `latent` with a table per index,
  // set `hyper_latent` with a table per hyper-latent channel.
  static Result<Codec> Create(IntNet net);
  Codec(Codec&&) noexcept;
  Codec& operator=(Codec&&) noexcept;
  ~Codec();

  const Sha256Digest& identity() const;
  // Does with several threads what the first picture would otherwise wait for: the identity, and
  // what an encoder or a decoder needs of the graphs.
  void Prepare(bool encoder, const Threads& threads) const;
  int64_t latent_channels() const;
  int64_t picture_channels() const;  // 1 or 3
  // Latent rows and columns are ceil(size / downscale).
  int64_t downscale() const;
  // Whether latents are coded with a hyper-prior and a row context.
  bool has_context() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Codec(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Done and total picture rows; called now and then from the coding thread.
using Progress = std::function<void(int64_t done, int64_t total)>;

// The graph `analysis`, computed elsewhere (by an accelerator): its input, which is the padded picture,
// to its output y, bit for bit.
using AnalysisRun = std::function<Result<Tensor<int32_t>>(const Tensor<int32_t>& picture)>;

struct EncodeOptions {
  int64_t latent_rows_per_segment = 0;  // 0: 8, or with a row context about 128
  bool measure_ideal = false;           // fill EncodeStats::ideal_bits
  Progress progress;
  // If given, it takes the engine's place, and the picture is held whole. Error: what it gives has
  // another shape than y, or values outside of y's range.
  AnalysisRun analysis;
};

struct EncodeStats {
  uint64_t file_bytes = 0;
  uint64_t latent_bytes = 0;      // rANS segments
  uint64_t hyper_bytes = 0;       // those of the hyper-latents
  double ideal_bits = 0;          // of latents and hyper-latents under the model's tables
  int64_t symbols = 0;            // of the latents
  int64_t saturated_latents = 0;  // values of y at the bounds of their range
};

// Reads all rows of `reader` and writes the bitstream to `out` (not committed).
Result<EncodeStats> EncodeImage(const Codec& codec, ImageReader& reader, OutputFile& out,
                                const EncodeOptions& options, const Threads& threads);

// A part of a picture, in pixels.
struct Crop {
  int64_t x = 0;
  int64_t y = 0;
  int64_t width = 0;
  int64_t height = 0;
};

struct DecodeOptions {
  std::optional<Crop> crop;
  Progress progress;
};

// Receives the decoded picture row by row: `begin` once with its size and metadata, before `row`.
// Rows come in order, but perhaps from another thread than the caller's.
struct ImageSink {
  std::function<Result<void>(const ImageInfo& info)> begin;
  std::function<Result<void>(int64_t y, std::span<const uint16_t> samples)> row;
};

// Errors name the file's place: header, table, or segment with its byte offset.
Result<void> DecodeImage(const Codec& codec, const InputFile& file, const DecodeOptions& options,
                         const ImageSink& sink, const Threads& threads);

// The convenience of both with paths; nothing is left at `output` on failure.
Result<EncodeStats> EncodeFile(const Codec& codec, const std::filesystem::path& input,
                               const std::filesystem::path& output, const EncodeOptions& options,
                               const Threads& threads);
Result<void> DecodeFile(const Codec& codec, const std::filesystem::path& input,
                        const std::filesystem::path& output, const DecodeOptions& options,
                        const Threads& threads);

}  // namespace lichen
