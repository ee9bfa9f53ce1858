// Inside the codec: a model's compiled graphs, prepared tables, and sample conversions.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "codec/codec.h"
#include "engine/engine.h"
#include "engine/row_context.h"
#include "entropy/rans.h"

namespace lichen {

// A graph that is compiled when it is first run, or by Compile(): an encoder needs no synthesis.
class CodecGraph {
 public:
  // Keeps a reference to the graph.
  explicit CodecGraph(const IntGraph& graph) : graph_(graph) {}
  const IntGraph& graph() const { return graph_; }
  const CompiledGraph& compiled() const {
    Compile(Threads(1));
    return *compiled_;
  }
  void Compile(const Threads& threads) const {
    std::call_once(once_, [&] { compiled_.emplace(graph_, threads); });
  }

 private:
  const IntGraph& graph_;
  mutable std::once_flag once_;
  mutable std::optional<CompiledGraph> compiled_;
};

// What a model with a hyper-prior and a row context has beyond the others.
struct HyperParts {
  CodecGraph analysis;
  CodecGraph synthesis;
  CodecGraph context;
  CodecGraph entropy_parameters;
  PreparedTables tables;  // set `hyper_latent`
  int64_t channels;       // of z_hat
  double min_bits_per_pixel;
};

struct Codec::Impl {
  std::unique_ptr<const IntNet> net;
  CodecGraph analysis;
  CodecGraph synthesis;
  PreparedTables tables;
  LatentCoding coding;
  int64_t downscale;
  int64_t latent_channels;
  int64_t picture_channels;
  ValueRange input_range;   // of the analysis: sample 0 is 0, the largest sample range.max
  ValueRange output_range;  // of the synthesis, likewise
  ValueRange latent_range;  // of y
  // What a latent pixel (all channels) costs at least: the sum of -log2 of the largest probabilities.
  double min_bits_per_pixel;
  std::unique_ptr<HyperParts> hyper;  // null: latents are coded with a table per channel

  // Of the model; computed when it is first asked for.
  const Sha256Digest& Identity() const;
  // Does beforehand, with several threads, what takes long: identity and compiled graphs.
  void Prepare(bool encoder, const Threads& threads) const;
  // The picture's size as the networks see it: padded to coding.size_multiple.
  Size2 PaddedSize(const ImageInfo& info) const;
  Size2 LatentSize(const ImageInfo& info) const;
  // Of z_hat.
  Result<Size2> HyperSize(const ImageInfo& info) const;
  // Error unless the graphs give just these sizes for the picture.
  Result<void> CheckSizes(const ImageInfo& info) const;
  // What an encoder takes that is free to choose.
  int64_t DefaultSegmentRows(const ImageInfo& info) const;
  ContextGraphs Context() const;

  mutable std::once_flag identity_once = {};
  mutable Sha256Digest identity = {};
};

// Table: sample -> the network's input, nearest. Entries for 0 to max_sample.
std::vector<int32_t> InputLut(int max_sample, int64_t input_max);
// Table: the network's output, from 0 to output_max -> sample, nearest (floor(x + 1/2)).
std::vector<uint16_t> OutputLut(int64_t output_max, int max_sample);

}  // namespace lichen
