#include "image/metrics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "image/image_test_support.h"
#include "image/synthetic.h"

namespace lichen {
namespace {

TEST(Psnr, FollowsItsFormulaAndLeavesAlphaOut) {
  Image a = MakeImage({.height = 2, .width = 2, .channels = 4});
  Image b = a;
  b.samples[0] = 6;    // red of the first pixel
  b.samples[3] = 200;  // its alpha
  EXPECT_DOUBLE_EQ(*Psnr(a, b), 10 * std::log10(255.0 * 255.0 / (36.0 / 12)));
  b.samples[0] = 0;
  EXPECT_TRUE(std::isinf(*Psnr(a, b)));
  a.info.bit_depth = b.info.bit_depth = 16;
  b.samples[0] = 65535;
  EXPECT_DOUBLE_EQ(*Psnr(a, b), 10 * std::log10(12.0));
}

TEST(Metrics, RefusePicturesOfDifferentKinds) {
  const Image a = MakeImage({.height = 2, .width = 3});
  const Image b = MakeImage({.height = 3, .width = 2});
  const Image grey = MakeImage({.height = 2, .width = 3, .channels = 1});
  EXPECT_FALSE(Psnr(a, b).has_value());
  EXPECT_FALSE(MsSsim(a, grey).has_value());
}

// The definition in double precision: a direct 11x11 window at every place.
struct PlainPlane {
  int64_t height, width;
  std::vector<double> v;
  double At(int64_t y, int64_t x) const { return v[static_cast<size_t>(y * width + x)]; }
  PlainPlane Halved() const {
    PlainPlane half{(height + 1) / 2, (width + 1) / 2, {}};
    for (int64_t y = 0; y < height; y += 2) {
      for (int64_t x = 0; x < width; x += 2) {
        const int64_t y1 = std::min(y + 1, height - 1), x1 = std::min(x + 1, width - 1);
        half.v.push_back((At(y, x) + At(y, x1) + At(y1, x) + At(y1, x1)) / 4);
      }
    }
    return half;
  }
};

std::pair<double, double> PlainSsim(const PlainPlane& a, const PlainPlane& b) {
  double gauss[11], sum = 0;
  for (int i = 0; i < 11; ++i) sum += gauss[i] = std::exp(-(i - 5) * (i - 5) / 4.5);
  const double c1 = 6.5025, c2 = 58.5225;
  double ssim = 0, contrast = 0;
  int64_t count = 0;
  for (int64_t y = 0; y + 11 <= a.height; ++y) {
    for (int64_t x = 0; x + 11 <= a.width; ++x, ++count) {
      double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
      for (int i = 0; i < 11; ++i) {
        for (int j = 0; j < 11; ++j) {
          const double w = gauss[i] * gauss[j] / (sum * sum);
          const double va = a.At(y + i, x + j), vb = b.At(y + i, x + j);
          ma += w * va, mb += w * vb, aa += w * va * va, bb += w * vb * vb, ab += w * va * vb;
        }
      }
      const double cs = (2 * (ab - ma * mb) + c2) / (aa - ma * ma + bb - mb * mb + c2);
      contrast += cs;
      ssim += cs * (2 * ma * mb + c1) / (ma * ma + mb * mb + c1);
    }
  }
  return {ssim / static_cast<double>(count), contrast / static_cast<double>(count)};
}

double PlainMsSsim(const Image& a, const Image& b, int scales) {
  const double weights[] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
  double weight_sum = 0;
  for (int s = 0; s < scales; ++s) weight_sum += weights[s];
  double mean = 0;
  for (int c = 0; c < a.info.ColourChannels(); ++c) {
    PlainPlane pa{a.info.height, a.info.width, {}}, pb = pa;
    for (int64_t y = 0; y < a.info.height; ++y) {
      for (int64_t x = 0; x < a.info.width; ++x) {
        pa.v.push_back(a.At(y, x, c) * 255.0 / a.info.MaxSample());
        pb.v.push_back(b.At(y, x, c) * 255.0 / a.info.MaxSample());
      }
    }
    double product = 1;
    for (int s = 0; s < scales; ++s) {
      const auto [ssim, contrast] = PlainSsim(pa, pb);
      product *= std::pow(s + 1 == scales ? ssim : contrast, weights[s] / weight_sum);
      pa = pa.Halved();
      pb = pb.Halved();
    }
    mean += product / a.info.ColourChannels();
  }
  return mean;
}

Image Disturbed(const Image& image, int amount, uint64_t seed) {
  std::mt19937_64 random(seed);
  Image other = image;
  for (uint16_t& s : other.samples) {
    const int noise = static_cast<int>(random() % (2 * amount + 1)) - amount;
    s = static_cast<uint16_t>(std::clamp(s + noise, 0, image.info.MaxSample()));
  }
  return other;
}

TEST(MsSsim, AgreesWithItsDefinition) {
  for (const auto& [height, width, scales] : {std::tuple{177, 203, 5},
                                              {176, 176, 5},
                                              {175, 300, 4},
                                              {47, 91, 3},
                                              {23, 23, 2},
                                              {21, 30, 1},
                                              {11, 11, 1}}) {
    const Image a = RenderTestPicture(height, width, 5);
    const Image b = Disturbed(a, 30, 6);
    EXPECT_EQ(MsSsimMeter(a.info).scale_count(), scales);
    EXPECT_NEAR(*MsSsim(a, b), PlainMsSsim(a, b, scales), 1e-6) << height << 'x' << width;
  }
}

TEST(MsSsim, TreatsSixteenBitsAsEight) {
  const Image a = RenderTestPicture(200, 200, 5, 4);
  Image b = Disturbed(a, 20, 6);
  Image wide_a = a, wide_b = b;
  wide_a.info.bit_depth = wide_b.info.bit_depth = 16;
  for (uint16_t& s : wide_a.samples) s = static_cast<uint16_t>(s * 257);
  for (uint16_t& s : wide_b.samples) s = static_cast<uint16_t>(s * 257);
  EXPECT_NEAR(*MsSsim(wide_a, wide_b), *MsSsim(a, b), 1e-6);
}

TEST(MsSsim, IsOneForEqualAndDefinedForTinyPictures) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 40}, {10, 3}, {300, 5}}) {
    const Image a = RenderTestPicture(height, width, 5);
    EXPECT_NEAR(*MsSsim(a, a), 1, 1e-6);
    const double other = *MsSsim(a, Disturbed(a, 90, 1));
    EXPECT_GE(other, 0);
    EXPECT_LT(other, 1);
  }
}

}  // namespace
}  // namespace lichen
