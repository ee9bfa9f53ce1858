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

  // Bilinear sample of channel c for pixel (py, px) of `width` columns.
  double At(double py, double px, double width, size_t c) const {
    const double sy =
        std::clamp(y + (py + 0.5) * step - 0.5, 0.0, static_cast<double>(picture->size.h - 1));
    const double column = is_flipped ? width - 1 - px : px;
    const double sx =
        std::clamp(x + (column + 0.5) * step - 0.5, 0.0, static_cast<double>(picture->size.w - 1));
    const auto y0 = static_cast<int64_t>(sy), x0 = static_cast<int64_t>(sx);
    const int64_t y1 = std::min(y0 + 1, picture->size.h - 1);
    const int64_t x1 = std::min(x0 + 1, picture->size.w - 1);
    const auto sample = [&](int64_t at_y, int64_t at_x) {
      return static_cast<double>(
          picture->samples[static_cast<size_t>((at_y * picture->size.w + at_x) * 3) + c]);
    };
    const double fy = sy - static_cast<double>(y0), fx = sx - static_cast<double>(x0);
    const double top = sample(y0, x0) + fx * (sample(y0, x1) - sample(y0, x0));
    const double bottom = sample(y1, x0) + fx * (sample(y1, x1) - sample(y1, x0));
    return top + fy * (bottom - top);
  }
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
std::array<double, 3> SomeColour(KeyedRandom& random) {
  const double hue = random.Uniform() * 2 * std::numbers::pi;
  std::array<double, 3> colour;
  for (size_t c = 0; c < 3; ++c) {
    colour[c] = 127.5 + 127.5 * std::cos(hue - static_cast<double>(c) * 2 * std::numbers::pi / 3);
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
  const std::array<double, 3> colour = SomeColour(random);
  const double tint = Between(random, 0.25, 0.6);
  // |x|^p + |y|^p <= 1, from a rhombus with hollow sides to nearly a rectangle.
  const double power = std::exp(Between(random, std::log(1.2), std::log(8.0)));
  for (int64_t y = 0; y < kSceneHeight; ++y) {
    const auto row = scene.picture.Row(y);
    for (int64_t x = 0; x < kSceneWidth; ++x) {
      const double py = static_cast<double>(y) - b.ymin, px = static_cast<double>(x) - b.xmin;
      const double v = std::abs((py + 0.5) / height * 2 - 1);
      const double u = std::abs((px + 0.5) / width * 2 - 1);
      const bool is_inside = u < 1 && v < 1 && std::pow(u, power) + std::pow(v, power) <= 1;
      for (size_t c = 0; c < 3; ++c) {
        const double value = is_inside ? object.At(py, px, width, c) * (1 - tint) + colour[c] * tint
                                       : background.At(static_cast<double>(y),
                                                       static_cast<double>(x), kSceneWidth, c);
        row[static_cast<size_t>(x) * 3 + c] = static_cast<uint16_t>(std::lround(value));
      }
    }
  }
  return scene;
}

}  // namespace lichen
