// Which rows each segment of a bitstream holds.
//
// A segment holds latent rows and the alpha of the picture rows that they stand for. With a
// hyper-prior it also holds the rows of z_hat that its latents need and no segment before it holds,
// so that encoder and decoder go through the picture once, from the top.
#pragma once

#include <cstdint>

#include "codec/codec_impl.h"
#include "codec/container.h"
#include "engine/engine.h"

namespace lichen {

class SegmentLayout {
 public:
  // The codec must have accepted the picture (CheckSizes). Keeps a reference to the codec.
  SegmentLayout(const Codec::Impl& codec, const ImageInfo& info, int64_t latent_rows_per_segment);

  int64_t count() const { return count_; }
  Size2 latent_size() const { return latent_; }
  Size2 hyper_size() const { return hyper_; }
  int64_t SegmentOf(int64_t latent_row) const;
  int64_t SegmentOfPictureRow(int64_t y) const;
  // Rows of padding alone belong to the last segment.
  RowRange LatentRows(int64_t segment) const;
  RowRange PictureRows(int64_t segment) const;
  RowRange HyperRows(int64_t segment) const;

 private:
  int64_t HyperEnd(int64_t segment) const;

  const Codec::Impl& codec_;
  int64_t rows_per_segment_;
  int64_t height_;
  int64_t count_;
  Size2 padded_;
  Size2 latent_;
  Size2 hyper_;
};

}  // namespace lichen
