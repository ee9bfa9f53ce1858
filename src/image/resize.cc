#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lichen {
namespace {

constexpr int64_t kMaxSamples = int64_t{1} << 30;

// An output position mixes inputs `low` and `high`: (1 - high_weight) * low + high_weight * high.
struct Mix {
  int64_t low = 0;
  int64_t high = 0;
  float high_weight = 0;
};

std::vector<Mix> Mixes(int64_t from, int64_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  std::vector<Mix> mixes(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const float centre = (static_cast<float>(i) + 0.5f) * scale - 0.5f;
    const float clamped = std::clamp(centre, 0.0f, static_cast<float>(from - 1));
    Mix& mix = mixes[static_cast<size_t>(i)];
    mix.low = static_cast<int64_t>(clamped);
    mix.high = std::min(mix.low + 1, from - 1);
    mix.high_weight = clamped - static_cast<float>(mix.low);
  }
  return mixes;
}

// A black picture like `image`, but of the new size.
Result<Image> OfSize(const Image& image, int64_t height, int64_t width) {
  LICHEN_TRY_VOID(CheckImage(image));
  ImageInfo info = image.info;
  info.height = height;
  info.width = width;
  LICHEN_TRY_VOID(CheckImageInfo(info));
  if (info.RowSamples() > kMaxSamples / height) {
    return Fail("{} is too large to be held whole; name a smaller size", Describe(info));
  }
  return MakeImage(std::move(info));
}

}  // namespace

Result<Image> ResizeNearest(const Image& image, int64_t height, int64_t width) {
  LICHEN_TRY(Image resized, OfSize(image, height, width));
  const auto channels = static_cast<size_t>(image.info.channels);
  for (int64_t y = 0; y < height; ++y) {
    const auto from = image.Row((2 * y + 1) * image.info.height / (2 * height));
    const auto to = resized.Row(y);
    for (int64_t x = 0; x < width; ++x) {
      const auto at = static_cast<size_t>((2 * x + 1) * image.info.width / (2 * width));
      std::copy_n(&from[at * channels], channels, &to[static_cast<size_t>(x) * channels]);
    }
  }
  return resized;
}

Result<Image> ResizeBilinear(const Image& image, int64_t height, int64_t width) {
  LICHEN_TRY(Image resized, OfSize(image, height, width));
  const std::vector<Mix> rows = Mixes(image.info.height, height);
  const std::vector<Mix> columns = Mixes(image.info.width, width);
  const int channels = image.info.channels;
  for (int64_t y = 0; y < height; ++y) {
    const Mix& row = rows[static_cast<size_t>(y)];
    const uint16_t* above = image.Row(row.low).data();
    const uint16_t* below = image.Row(row.high).data();
    uint16_t* out = resized.Row(y).data();
    for (int64_t x = 0; x < width; ++x) {
      const Mix& column = columns[static_cast<size_t>(x)];
      for (int c = 0; c < channels; ++c) {
        const auto mixed_column = [&](const uint16_t* samples) {
          const float left = samples[column.low * channels + c];
          const float right = samples[column.high * channels + c];
          return (1 - column.high_weight) * left + column.high_weight * right;
        };
        const float mixed =
            (1 - row.high_weight) * mixed_column(above) + row.high_weight * mixed_column(below);
        // nearbyint rounds half to even unless someone changed the rounding mode.
        *out++ = static_cast<uint16_t>(std::nearbyint(mixed));
      }
    }
  }
  return resized;
}

Result<std::vector<uint8_t>> PlanarBgr(const Image& image) {
  LICHEN_TRY_VOID(CheckImage(image));
  if (image.info.channels != 3 || image.info.bit_depth != 8) {
    return Fail("planes of 8-bit RGB are needed, but the picture is {}; convert it",
                Describe(image.info));
  }
  const size_t pixels = image.samples.size() / 3;
  std::vector<uint8_t> planes(image.samples.size());
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      planes[(2 - c) * pixels + i] = static_cast<uint8_t>(image.samples[3 * i + c]);
    }
  }
  return planes;
}

}  // namespace lichen
