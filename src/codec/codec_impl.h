// Inside the codec: a model's compiled graphs, prepared tables, and sample conversions.
#pragma once

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "codec/codec.h"
#include "engine/engine.h"
#include "entropy/rans.h"

namespace lichen {

// A graph that is compiled when it is first run: an encoder needs no synthesis.
class CodecGraph {
 public:
  explicit CodecGraph(IntGraph graph) : graph_(std::move(graph)) {}
  const IntGraph& graph() const { return graph_; }
  const CompiledGraph& compiled() const {
    std::call_once(once_, [this] { compiled_.emplace(graph_); });
    return *compiled_;
  }

 private:
  IntGraph graph_;
  mutable std::once_flag once_;
  mutable std::optional<CompiledGraph> compiled_;
};

struct Codec::Impl {
  CodecGraph analysis;
  CodecGraph synthesis;
  PreparedTables tables;
  LatentCoding coding;
  Sha256Digest identity;
  int64_t downscale;
  int64_t latent_channels;
  int64_t picture_channels;
  ValueRange input_range;   // of the analysis: sample 0 is 0, the largest sample range.max
  ValueRange output_range;  // of the synthesis, likewise
  ValueRange latent_range;  // of y
  // What a latent pixel (all channels) costs at least: the sum of -log2 of the largest probabilities.
  double min_bits_per_pixel;

  // The picture's size as the networks see it: padded to coding.size_multiple.
  Size2 PaddedSize(const ImageInfo& info) const;
  Size2 LatentSize(const ImageInfo& info) const;
  // Error unless both graphs give just these sizes for the picture.
  Result<void> CheckSizes(const ImageInfo& info) const;
};

// Table: sample -> the network's input, nearest. Entries for 0 to max_sample.
std::vector<int32_t> InputLut(int max_sample, int64_t input_max);
// Table: the network's output, from 0 to output_max -> sample, nearest (floor(x + 1/2)).
std::vector<uint16_t> OutputLut(int64_t output_max, int max_sample);

}  // namespace lichen
