#include "image/png_reader.h"

#include <spng.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "image/png_chunks.h"

namespace lichen {
namespace {

constexpr uint64_t kMaxInterlacedBytes = uint64_t{16} << 30;
constexpr int kColorTypePalette = SPNG_COLOR_TYPE_INDEXED;

struct SpngFree {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

// Turns decoded bytes of one row (native byte order, packed below 8 bits) into samples.
class RowExpander {
 public:
  RowExpander() = default;
  RowExpander(const PngLayout& layout, const spng_plte& palette, const spng_trns& transparency)
      : layout_(layout), palette_(palette), transparency_(transparency) {}

  Result<void> Expand(const uint8_t* bytes, int64_t width, std::span<uint16_t> samples) const {
    if (layout_.color_type == kColorTypePalette) return ExpandPalette(bytes, width, samples);
    if (!layout_.has_transparency) {
      CopySamples(bytes, samples);
      return {};
    }
    const int colours = layout_.color_type == SPNG_COLOR_TYPE_GRAYSCALE ? 1 : 3;
    CopySamples(bytes, samples.first(static_cast<size_t>(width * colours)));
    AddAlpha(colours, width, samples);
    return {};
  }

 private:
  // Sample x of a row of packed 1, 2, 4 or 8 bit samples.
  int Packed(const uint8_t* bytes, int64_t x) const {
    const int bits = layout_.bit_depth;
    const int per_byte = 8 / bits;
    const int shift = 8 - bits * (static_cast<int>(x % per_byte) + 1);
    return bytes[x / per_byte] >> shift & ((1 << bits) - 1);
  }

  void CopySamples(const uint8_t* bytes, std::span<uint16_t> samples) const {
    if (layout_.bit_depth == 16) {
      std::memcpy(samples.data(), bytes, samples.size_bytes());
    } else if (layout_.bit_depth == 8) {
      std::copy_n(bytes, samples.size(), samples.data());
    } else {
      const int factor = 255 / ((1 << layout_.bit_depth) - 1);
      for (size_t i = 0; i < samples.size(); ++i) {
        samples[i] = static_cast<uint16_t>(Packed(bytes, static_cast<int64_t>(i)) * factor);
      }
    }
  }

  // Spreads colour samples that lie at the front of the row, from the last pixel to the first.
  void AddAlpha(int colours, int64_t width, std::span<uint16_t> samples) const {
    const int bits = layout_.bit_depth;
    const int mask = (1 << bits) - 1;
    const int factor = bits < 8 ? 255 / mask : 1;
    const uint16_t opaque = bits == 16 ? 65535 : 255;
    const uint16_t raw[3] = {colours == 1 ? transparency_.gray : transparency_.red,
                             transparency_.green, transparency_.blue};
    for (int64_t x = width - 1; x >= 0; --x) {
      bool is_key = true;
      for (int c = colours - 1; c >= 0; --c) {
        const uint16_t sample = samples[static_cast<size_t>(x * colours + c)];
        is_key = is_key && sample == (raw[c] & mask) * factor;
        samples[static_cast<size_t>(x * (colours + 1) + c)] = sample;
      }
      samples[static_cast<size_t>(x * (colours + 1) + colours)] = is_key ? 0 : opaque;
    }
  }

  Result<void> ExpandPalette(const uint8_t* bytes, int64_t width,
                             std::span<uint16_t> samples) const {
    uint16_t* out = samples.data();
    for (int64_t x = 0; x < width; ++x) {
      const uint32_t index = static_cast<uint32_t>(Packed(bytes, x));
      if (index >= palette_.n_entries) {
        return Fail("pixel {} has palette index {}, but the palette has {} entries", x, index,
                    palette_.n_entries);
      }
      const spng_plte_entry& entry = palette_.entries[index];
      *out++ = entry.red;
      *out++ = entry.green;
      *out++ = entry.blue;
      if (layout_.has_transparency) {
        *out++ = index < transparency_.n_type3_entries ? transparency_.type3_alpha[index] : 255;
      }
    }
    return {};
  }

  PngLayout layout_;
  spng_plte palette_{};
  spng_trns transparency_{};
};

ImageInfo InfoOf(PngLayout* layout) {
  static constexpr int kChannels[] = {1, 0, 3, 3, 2, 0, 4};
  ImageInfo info;
  info.height = layout->height;
  info.width = layout->width;
  info.channels = kChannels[layout->color_type] + (layout->has_transparency ? 1 : 0);
  info.bit_depth = layout->bit_depth == 16 ? 16 : 8;
  info.metadata = std::exchange(layout->metadata, {});
  return info;
}

class PngReader : public ImageReader {
 public:
  PngReader(ImageInfo info, ByteSource source)
      : ImageReader(std::move(info)), stream_(std::move(source)) {}

  Result<void> Start(const PngLayout& layout) {
    interlaced_ = layout.interlaced;
    context_.reset(spng_ctx_new(0));
    if (!context_) return Fail("{}: libspng cannot be started", Path());
    spng_ctx* context = context_.get();
    spng_set_image_limits(context, kMaxSidePx, kMaxSidePx);
    spng_set_chunk_limits(context, 1 << 20, 1 << 20);
    spng_set_crc_action(context, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
    LICHEN_TRY_VOID(Check(spng_set_png_stream(context, &PngReader::Feed, this)));
    spng_ihdr header{};
    LICHEN_TRY_VOID(Check(spng_get_ihdr(context, &header)));
    spng_plte palette{};
    if (layout.color_type == kColorTypePalette) {
      LICHEN_TRY_VOID(Check(spng_get_plte(context, &palette)));
    }
    spng_trns transparency{};
    if (layout.has_transparency) {
      LICHEN_TRY_VOID(Check(spng_get_trns(context, &transparency)));
    }
    expander_ = RowExpander(layout, palette, transparency);
    size_t total_bytes = 0;
    LICHEN_TRY_VOID(Check(spng_decoded_image_size(context, SPNG_FMT_PNG, &total_bytes)));
    row_bytes_ = total_bytes / static_cast<size_t>(layout.height);
    if (interlaced_ && total_bytes > kMaxInterlacedBytes) {
      return Fail(
          "{}: is an interlaced PNG, which must be held whole, and needs {} bytes ({} are "
          "allowed); save it without interlacing",
          Path(), total_bytes, kMaxInterlacedBytes);
    }
    if (!interlaced_) {
      LICHEN_TRY_VOID(
          Check(spng_decode_image(context, nullptr, 0, SPNG_FMT_PNG, SPNG_DECODE_PROGRESSIVE)));
    }
    return {};
  }

 private:
  static int Feed(spng_ctx*, void* user, void* destination, size_t length) {
    PngReader* self = static_cast<PngReader*>(user);
    const auto filled = self->stream_.Read({static_cast<uint8_t*>(destination), length});
    if (!filled) self->feed_error_ = filled.error();
    if (!filled) return SPNG_IO_ERROR;
    return *filled ? 0 : SPNG_IO_EOF;
  }

  const std::string& Path() const { return stream_.source().path(); }

  Result<void> Check(int status) const {
    if (status == 0) return {};
    if (feed_error_) return tl::unexpected(*feed_error_);
    return Fail("{}: row {}, near byte {}: {}; the file is damaged, get a whole copy of it", Path(),
                next_row(), stream_.source().position_bytes(), spng_strerror(status));
  }

  Result<void> DoReadRow(int64_t y, std::span<uint16_t> samples) override {
    const bool is_last = y + 1 == info().height;
    if (pixels_.empty()) pixels_.resize(row_bytes_ * (interlaced_ ? info().height : 1));
    const uint8_t* row = pixels_.data();
    if (interlaced_) {
      if (y == 0) {
        LICHEN_TRY_VOID(Check(
            spng_decode_image(context_.get(), pixels_.data(), pixels_.size(), SPNG_FMT_PNG, 0)));
      }
      row += row_bytes_ * static_cast<size_t>(y);
    } else {
      const int status = spng_decode_row(context_.get(), pixels_.data(), row_bytes_);
      if (status != (is_last ? SPNG_EOI : 0)) {
        LICHEN_TRY_VOID(Check(status == 0 ? SPNG_EINTERNAL : status));
      }
    }
    if (is_last) LICHEN_TRY_VOID(Check(spng_decode_chunks(context_.get())));
    return InPlace(fmt::format("{}: row {}", Path(), y),
                   expander_.Expand(row, info().width, samples));
  }

  PngCriticalStream stream_;
  std::optional<Error> feed_error_;
  std::unique_ptr<spng_ctx, SpngFree> context_;
  RowExpander expander_;
  bool interlaced_ = false;
  size_t row_bytes_ = 0;
  std::vector<uint8_t> pixels_;  // one row; all of them when interlaced
};

}  // namespace

bool LooksLikePng(std::span<const uint8_t> start) {
  return start.size() >= 8 && std::equal(kPngSignature.begin(), kPngSignature.end(), start.begin());
}

Result<std::unique_ptr<ImageReader>> OpenPng(ByteSource source) {
  LICHEN_TRY(PngLayout layout, ScanPng(source));
  LICHEN_TRY_VOID(source.Seek(0));
  const std::string path = source.path();
  ImageInfo info = InfoOf(&layout);
  LICHEN_TRY_VOID(InPlace(path, CheckImageInfo(info)));
  auto reader = std::make_unique<PngReader>(std::move(info), std::move(source));
  LICHEN_TRY_VOID(reader->Start(layout));
  return reader;
}

}  // namespace lichen
