#include "train/cnn/scenes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "train/picture_set.h"
#include "train/random.h"

namespace lichen {
namespace {

constexpr size_t kTestEvery = 5;
constexpr int64_t kStoredShortSidePx = 400;
constexpr double kMinSidePx = 12;  // of an object
constexpr uint64_t kTestKey = 0x74657374;

double Between(KeyedRandom& random, double low, double high) {
  return low + (high - low) * random.Uniform();
}

// A part of a photograph that is stretched over some pixels.
struct Region {
  const RgbPicture* picture = nullptr;
  double y = 0, x = 0;  // of its corner
  double step = 1;      // pixels of the photograph per pixel
  bool is_flipped = false;
};

// Between which two samples of a row or column a pixel lies.
struct Place {
  int64_t first = 0, second = 0;  // offsets in samples
  float share = 0;                // of the second
};

Place PlaceAt(double at, int64_t size, int64_t stride) {
  const double inside = std::clamp(at, 0.0, static_cast<double>(size - 1));
  const auto first = static_cast<int64_t>(inside);
  return {first * stride, std::min(first + 1, size - 1) * stride,
          static_cast<float>(inside - static_cast<double>(first))};
}

// Bilinear samples of a region.
class Stretched {
 public:
  // For pixels of rows [0, height) and columns [0, width).
  Stretched(const Region& region, int64_t height, int64_t width, double offset_y, double offset_x,
            double own_width)
      : samples_(region.picture->samples.data()) {
    const auto [h, w] = region.picture->size;
    for (int64_t r = 0; r < height; ++r) {
      const double row = static_cast<double>(r) - offset_y;
      rows_.push_back(PlaceAt(region.y + (row + 0.5) * region.step - 0.5, h, 3 * w));
    }
    for (int64_t c = 0; c < width; ++c) {
      const double own = static_cast<double>(c) - offset_x;
      const double column = region.is_flipped ? own_width - 1 - own : own;
      columns_.push_back(PlaceAt(region.x + (column + 0.5) * region.step - 0.5, w, 3));
    }
  }

  std::array<float, 3> At(int64_t row, int64_t column) const {
    const Place& r = rows_[static_cast<size_t>(row)];
    const Place& c = columns_[static_cast<size_t>(column)];
    const auto* const top = samples_ + r.first;
    const auto* const bottom = samples_ + r.second;
    std::array<float, 3> value;
    for (size_t k = 0; k < 3; ++k) {
      const auto between = [&](const auto* line) {
        const auto a = static_cast<float>(line[static_cast<size_t>(c.first) + k]);
        return a + c.share * (static_cast<float>(line[static_cast<size_t>(c.second) + k]) - a);
      };
      const float high = between(top);
      value[k] = high + r.share * (between(bottom) - high);
    }
    return value;
  }

 private:
  const uint8_t* samples_;
  std::vector<Place> rows_, columns_;
};

// Somewhere in the photograph, for height x width pixels, using `share` of the largest that fits.
Region SomeRegion(const RgbPicture& picture, double height, double width, double share,
                  KeyedRandom& random) {
  const auto h = static_cast<double>(picture.size.h), w = static_cast<double>(picture.size.w);
  Region region{.picture = &picture};
  region.step = std::min(h / height, w / width) * share;
  region.y = Between(random, 0, h - height * region.step);
  region.x = Between(random, 0, w - width * region.step);
  region.is_flipped = random.Below(2) == 1;
  return region;
}

// A labelled box, a little larger or smaller and elsewhere, within the scene.
Box SomeBox(const std::vector<Box>& boxes, KeyedRandom& random) {
  const Box& like = boxes[static_cast<size_t>(random.Below(static_cast<int64_t>(boxes.size())))];
  const double w = std::clamp((like.xmax - like.xmin) * Between(random, 0.8, 1.25), kMinSidePx,
                              kSceneWidth * 0.9);
  const double h = std::clamp((like.ymax - like.ymin) * Between(random, 0.8, 1.25), kMinSidePx,
                              kSceneHeight * 0.9);
  const double cx = (like.xmin + like.xmax) / 2 + Between(random, -80, 80);
  const double cy = (like.ymin + like.ymax) / 2 + Between(random, -50, 50);
  const double x = std::clamp(cx - w / 2, 0.0, kSceneWidth - w);
  const double y = std::clamp(cy - h / 2, 0.0, kSceneHeight - h);
  return {x, x + w, y, y + h};
}

// A saturated colour.
std::array<float, 3> SomeColour(KeyedRandom& random) {
  const double hue = random.Uniform() * 2 * std::numbers::pi;
  std::array<float, 3> colour;
  for (size_t c = 0; c < 3; ++c) {
    colour[c] = static_cast<float>(
        127.5 + 127.5 * std::cos(hue - static_cast<double>(c) * 2 * std::numbers::pi / 3));
  }
  return colour;
}

}  // namespace

Result<SceneSet> SceneSet::Open(const std::filesystem::path& folder, std::vector<Box> boxes,
                                uint64_t seed, const Threads& threads) {
  LICHEN_TRY(const std::vector<std::filesystem::path> files, FilesOfFolder(folder));
  if (boxes.empty()) return Fail("there is no box that tells of the objects' sizes");
  std::vector<std::optional<RgbPicture>> pictures(files.size());
  threads.For(static_cast<int64_t>(files.size()), [&](int64_t i) {
    Result<RgbPicture> picture = ReadRgbPicture(files[static_cast<size_t>(i)], kStoredShortSidePx);
    if (picture) pictures[static_cast<size_t>(i)] = std::move(*picture);
  });
  SceneSet set;
  size_t count = 0;
  for (std::optional<RgbPicture>& picture : pictures) {
    if (!picture) continue;
    (count++ % kTestEvery == kTestEvery - 1 ? set.test_ : set.training_)
        .push_back(std::move(*picture));
  }
  if (set.test_.size() < 2) {
    return Fail("{}: {} photographs are too few; at least {} are needed", folder.string(), count,
                2 * kTestEvery);
  }
  set.boxes_ = std::move(boxes);
  set.seed_ = seed;
  return set;
}

int64_t SceneSet::photograph_count(Split split) const {
  return static_cast<int64_t>((split == Split::kTraining ? training_ : test_).size());
}

Scene SceneSet::Make(Split split, int64_t number) const {
  const std::vector<RgbPicture>& pictures = split == Split::kTraining ? training_ : test_;
  KeyedRandom random(
      {seed_, split == Split::kTraining ? 0 : kTestKey, static_cast<uint64_t>(number)});
  const auto count = static_cast<int64_t>(pictures.size());
  const int64_t ground = random.Below(count);
  const int64_t texture = (ground + 1 + random.Below(count - 1)) % count;
  Scene scene = {.picture = MakeImage({.height = kSceneHeight, .width = kSceneWidth}),
                 .box = SomeBox(boxes_, random)};
  const Region background = SomeRegion(pictures[static_cast<size_t>(ground)], kSceneHeight,
                                       kSceneWidth, Between(random, 0.6, 1), random);
  const Box& b = scene.box;
  const double height = b.ymax - b.ymin, width = b.xmax - b.xmin;
  const Region object = SomeRegion(pictures[static_cast<size_t>(texture)], height, width,
                                   Between(random, 0.2, 1), random);
  const std::array<float, 3> colour = SomeColour(random);
  const auto tint = static_cast<float>(Between(random, 0.25, 0.6));
  // |x|^p + |y|^p <= 1, from a rhombus with hollow sides to nearly a rectangle.
  const double power = std::exp(Between(random, std::log(1.2), std::log(8.0)));
  const Stretched behind(background, kSceneHeight, kSceneWidth, 0, 0, kSceneWidth);
  const Stretched before(object, kSceneHeight, kSceneWidth, b.ymin, b.xmin, width);
  // |t|^power of a pixel's place t in the box, -1 to 1; 1 is outside.
  const auto outwards = [&](int64_t count, double low, double extent) {
    std::vector<double> powers;
    for (int64_t i = 0; i < count; ++i) {
      const double t = std::abs((static_cast<double>(i) - low + 0.5) / extent * 2 - 1);
      powers.push_back(t < 1 ? std::pow(t, power) : 2);
    }
    return powers;
  };
  const std::vector<double> down = outwards(kSceneHeight, b.ymin, height);
  const std::vector<double> across = outwards(kSceneWidth, b.xmin, width);
  for (int64_t y = 0; y < kSceneHeight; ++y) {
    const auto row = scene.picture.Row(y);
    for (int64_t x = 0; x < kSceneWidth; ++x) {
      const bool is_inside = down[static_cast<size_t>(y)] + across[static_cast<size_t>(x)] <= 1;
      std::array<float, 3> value = (is_inside ? before : behind).At(y, x);
      for (size_t c = 0; c < 3; ++c) {
        if (is_inside) value[c] += tint * (colour[c] - value[c]);
        row[static_cast<size_t>(x) * 3 + c] = static_cast<uint16_t>(value[c] + 0.5F);
      }
    }
  }
  return scene;
}

}  // namespace lichen
