#include "image/synthetic.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace lichen {
namespace {

constexpr int32_t kTop = 65535;  // samples are drawn with 16 bits

// SplitMix64: a hash of one word.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// A random number in [0, 65535] for a lattice point.
int32_t Lattice(uint64_t seed, int64_t y, int64_t x) {
  const uint64_t place = static_cast<uint64_t>(y) << 32 ^ static_cast<uint64_t>(x);
  return static_cast<int32_t>(Mix(seed ^ Mix(place)) >> 48);
}

int32_t Blend(int32_t a, int32_t b, int64_t weight_q16) {
  return static_cast<int32_t>(a + ((b - a) * weight_q16 >> 16));
}

// 3t^2 - 2t^3 for t in [0, 1].
int64_t Smooth(int64_t t_q16) { return (t_q16 * t_q16 >> 16) * (3 * 65536 - 2 * t_q16) >> 16; }

// One octave of value noise along a row: random lattice values, smoothly joined. Random values
// are looked up once per lattice cell. Adds noise (-32768..32767) * gain / 65536 to each sample.
void AddNoise(uint64_t seed, int64_t y, int64_t cell_px, int64_t gain, std::span<int32_t> row) {
  const int64_t cell_y = y / cell_px;
  const int64_t weight_y = Smooth(((y % cell_px) << 16) / cell_px);
  const auto column = [&](int64_t cell_x) {
    return Blend(Lattice(seed, cell_y, cell_x), Lattice(seed, cell_y + 1, cell_x), weight_y);
  };
  const int64_t width = static_cast<int64_t>(row.size());
  int32_t right = column(0);
  for (int64_t start = 0; start < width; start += cell_px) {
    const int32_t left = right;
    right = column(start / cell_px + 1);
    for (int64_t x = start; x < std::min(start + cell_px, width); ++x) {
      const int64_t weight_x = Smooth(((x - start) << 16) / cell_px);
      row[static_cast<size_t>(x)] +=
          static_cast<int32_t>((Blend(left, right, weight_x) - 32768) * gain >> 16);
    }
  }
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  int64_t Below(int64_t limit) {
    state_ = Mix(state_);
    return static_cast<int64_t>((state_ >> 32) * static_cast<uint64_t>(limit) >> 32);
  }

 private:
  uint64_t state_;
};

}  // namespace

TestPicture::TestPicture(int64_t height, int64_t width, uint64_t seed, int channels, int bit_depth)
    : info_{.height = height, .width = width, .channels = channels, .bit_depth = bit_depth},
      seed_(Mix(seed)) {
  LICHEN_CHECK(CheckImageInfo(info_).has_value());
  Random random(seed_);
  const auto Near = [&](int32_t r, int32_t g, int32_t b) {
    const auto shift = [&](int32_t v) {
      return static_cast<int32_t>(
          std::clamp<int64_t>(v + random.Below(16000) - 8000, 0, int64_t{kTop}));
    };
    return Colour{shift(r), shift(g), shift(b)};
  };
  sky_top_ = Near(18000, 30000, 50000);
  sky_bottom_ = Near(46000, 50000, 56000);
  ground_far_ = Near(30000, 36000, 20000);
  ground_near_ = Near(22000, 18000, 12000);
  const int64_t side = std::min(height, width);
  const int64_t shape_count = 12 + random.Below(8);
  for (int64_t i = 0; i < shape_count; ++i) {
    Shape shape;
    static constexpr Shape::Kind kKinds[] = {Shape::Kind::kDisc, Shape::Kind::kBox,
                                             Shape::Kind::kDisc, Shape::Kind::kBox,
                                             Shape::Kind::kStripes};
    shape.kind = kKinds[i % 5];
    shape.y = random.Below(height);
    shape.x = random.Below(width);
    shape.half_y = 1 + side / 60 + random.Below(side / 9 + 1);
    shape.half_x = shape.kind == Shape::Kind::kDisc ? shape.half_y
                                                    : 1 + side / 60 + random.Below(side / 7 + 1);
    shape.period = 2 + random.Below(7);
    const int32_t grey = static_cast<int32_t>(12000 + random.Below(36000));  // colours stay muted
    shape.colour = Near(grey, grey, grey);
    if (i % 4 == 0) shape.colour = Near(grey, grey / 2, grey / 3);
    shapes_.push_back(shape);
  }
}

void TestPicture::PaintShape(const Shape& shape, int64_t y, std::vector<Colour>& row) const {
  const int64_t dy = y - shape.y;
  if (dy < -shape.half_y || dy > shape.half_y) return;
  const int64_t start = std::max<int64_t>(0, shape.x - shape.half_x);
  const int64_t end = std::min<int64_t>(info_.width, shape.x + shape.half_x + 1);
  const int64_t radius_squared = shape.half_y * shape.half_y;
  for (int64_t x = start; x < end; ++x) {
    const int64_t dx = x - shape.x;
    int64_t light_q16 = 65536;
    int64_t cover_q16 = 65536;
    if (shape.kind == Shape::Kind::kDisc) {
      const int64_t inside = radius_squared - dx * dx - dy * dy;
      if (inside <= 0) continue;
      // About one pixel of soft edge, and light from the upper left.
      cover_q16 = std::min<int64_t>(65536, inside * 32768 / shape.half_y);
      light_q16 = 45000 - (dx + dy) * 14000 / shape.half_y;
    } else if (shape.kind == Shape::Kind::kBox) {
      light_q16 = 60000 + dy * 12000 / shape.half_y;
    } else {
      const bool is_dark = ((x + y / 3) / shape.period) % 2 == 0;
      light_q16 = is_dark ? 22000 : 65536;
    }
    Colour& pixel = row[static_cast<size_t>(x)];
    const auto lit = [&](int32_t v) { return static_cast<int32_t>(v * light_q16 >> 16); };
    pixel.r = Blend(pixel.r, lit(shape.colour.r), cover_q16);
    pixel.g = Blend(pixel.g, lit(shape.colour.g), cover_q16);
    pixel.b = Blend(pixel.b, lit(shape.colour.b), cover_q16);
  }
}

int32_t TestPicture::Alpha(int64_t y, int64_t x) const {
  const int64_t dy = 4 * y - info_.height;
  const int64_t dx = 4 * x - info_.width;
  const int64_t side = std::min(info_.height, info_.width);
  if (dy * dy + dx * dx < side * side / 4) return 0;
  return static_cast<int32_t>(kTop - kTop * y / (2 * info_.height));
}

void TestPicture::RenderRow(int64_t y, std::span<uint16_t> samples) const {
  LICHEN_CHECK(y >= 0 && y < info_.height);
  LICHEN_CHECK(samples.size() == static_cast<size_t>(info_.RowSamples()));
  const size_t width = static_cast<size_t>(info_.width);
  const int64_t side = std::min(info_.height, info_.width);

  // Hills: the horizon wanders around 3/5 of the height.
  std::vector<int32_t> hills(width);
  AddNoise(seed_ + 1, 0, std::max<int64_t>(4, side / 3), 65536, hills);
  AddNoise(seed_ + 2, 0, std::max<int64_t>(3, side / 17), 9000, hills);
  // Ground: four octaves of noise, down to single pixels. Sky: clouds, coarse and weak.
  std::vector<int32_t> ground(width);
  std::vector<int32_t> clouds(width);
  for (int octave = 0; octave < 4; ++octave) {
    AddNoise(seed_ + 3 + octave, y, std::max<int64_t>(2, side / (12 << (2 * octave))),
             24000 >> octave, ground);
  }
  AddNoise(seed_ + 8, y, std::max<int64_t>(4, side / 5), 20000, clouds);
  AddNoise(seed_ + 9, y, std::max<int64_t>(4, side / 23), 7000, clouds);

  std::vector<Colour> row(width);
  const int64_t depth_q16 = (y << 16) / info_.height;
  const auto mixed = [&](const Colour& a, const Colour& b, int32_t light) {
    return Colour{Blend(a.r, b.r, depth_q16) + light, Blend(a.g, b.g, depth_q16) + light,
                  Blend(a.b, b.b, depth_q16) + light};
  };
  for (size_t x = 0; x < width; ++x) {
    const int64_t horizon = (info_.height * 3 / 5) + (info_.height * hills[x] >> 18);
    row[x] = y < horizon ? mixed(sky_top_, sky_bottom_, clouds[x])
                         : mixed(ground_far_, ground_near_, ground[x]);
  }
  for (const Shape& shape : shapes_) PaintShape(shape, y, row);

  const int shift = 16 - info_.bit_depth;
  uint16_t* out = samples.data();
  for (size_t x = 0; x < width; ++x) {
    const uint64_t grain = Mix(seed_ ^ Mix(static_cast<uint64_t>(y) << 32 | x));
    const auto put = [&](int32_t value, int channel) {
      const int32_t noise = static_cast<int32_t>(grain >> (16 * channel) & 1023) - 512;
      *out++ = static_cast<uint16_t>(std::clamp(value + noise, 0, kTop) >> shift);
    };
    if (info_.ColourChannels() == 3) {
      put(row[x].r, 0);
      put(row[x].g, 1);
      put(row[x].b, 2);
    } else {
      put((row[x].r * 2 + row[x].g * 5 + row[x].b) / 8, 0);
    }
    if (info_.HasAlpha()) {
      *out++ = static_cast<uint16_t>(Alpha(y, static_cast<int64_t>(x)) >> shift);
    }
  }
}

Image RenderTestPicture(int64_t height, int64_t width, uint64_t seed, int channels, int bit_depth) {
  const TestPicture picture(height, width, seed, channels, bit_depth);
  Image image = MakeImage(picture.info());
  for (int64_t y = 0; y < height; ++y) picture.RenderRow(y, image.Row(y));
  return image;
}

void RenderTestRow(int64_t height, int64_t width, uint64_t seed, int64_t y,
                   std::span<uint16_t> samples) {
  TestPicture(height, width, seed).RenderRow(y, samples);
}

}  // namespace lichen
