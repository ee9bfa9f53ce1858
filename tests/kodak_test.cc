// The X-LIC network at 16 bits on Kodak: how much the integers cost, and that streams are as short
// as the tables allow. Calibrated on ../shared/data/train, of which every tenth picture is enough here;
// `lichen quantize` takes all.
#include <gtest/gtest.h>

#include "base/test_path.h"
#include "codec/codec.h"
#include "flow/evaluate.h"
#include "flow/quantise_codec.h"
#include "image/reader.h"
#include "net/importer.h"
#include "tests/shared_data.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

struct Models {
  FloatNet float_net;
  IntNet int_net;
};

// Imported and quantised once for all tests of this file.
const Models& XlicModels() {
  static const Models models = [] {
    auto imported = Import("xlic", SharedData() / "weights/xlic");
    EXPECT_TRUE(imported) << imported.error().message;
    Models made;
    made.float_net = std::get<FloatNet>(std::move(*imported));
    const Threads threads(2);
    auto calibration = LoadCalibration(SharedData() / "data/train", {.max_pictures = 24}, threads);
    EXPECT_TRUE(calibration) << calibration.error().message;
    auto quantised =
        QuantiseCodec(made.float_net, *calibration, {.measured_pictures = 1}, {}, threads);
    EXPECT_TRUE(quantised) << quantised.error().message;
    made.int_net = std::move(quantised->net);
    return made;
  }();
  return models;
}

class Kodak : public testing::Test {
 protected:
  void SetUp() override {
    LICHEN_NEEDS_SHARED("data/kodak");
    LICHEN_NEEDS_SHARED("data/train");
    LICHEN_NEEDS_SHARED("weights/xlic");
    folder_ = TestPath("kodak");
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(Kodak, IntegersCostNextToNothing) {
  const Models& models = XlicModels();
  const Threads threads(2);
  auto pictures = ListPictures(SharedData() / "data/kodak");
  ASSERT_TRUE(pictures);
  ASSERT_EQ(pictures->pictures.size(), 24);
  const EvaluateOptions options{.work_folder = folder_};
  auto integer = EvaluateCodec(models.int_net, *pictures, options, threads);
  ASSERT_TRUE(integer) << integer.error().message;
  auto floating = EvaluateFloat(models.float_net, models.int_net, *pictures, options, threads);
  ASSERT_TRUE(floating) << floating.error().message;
  const double loss_db =
      floating->Mean(&PictureScore::psnr_db) - integer->Mean(&PictureScore::psnr_db);
  const double size_ratio =
      integer->Mean(&PictureScore::file_bytes) / floating->Mean(&PictureScore::file_bytes);
  const double over_ideal =
      8 * integer->Mean(&PictureScore::file_bytes) / integer->Mean(&PictureScore::ideal_bits) - 1;
  const double saturated =
      integer->Mean(&PictureScore::saturated_latents) / integer->Mean(&PictureScore::symbols);
  RecordProperty("psnr_loss_db", std::to_string(loss_db));
  RecordProperty("size_ratio", std::to_string(size_ratio));
  EXPECT_LE(loss_db, 0.01);
  EXPECT_NEAR(size_ratio, 1, 0.002);
  EXPECT_LE(over_ideal, 0.01);
  EXPECT_GE(over_ideal, 0);
  EXPECT_LE(saturated, 1e-6);
  EXPECT_GT(integer->Mean(&PictureScore::psnr_db), 34.5);
}

TEST_F(Kodak, DecodedPicturesAreTheSameForAllThreadCounts) {
  auto codec = Codec::Create(XlicModels().int_net);
  ASSERT_TRUE(codec);
  const fs::path picture = SharedData() / "data/kodak/kodim04.png";
  std::vector<uint16_t> first;
  for (const int count : {1, 2, 8}) {
    ASSERT_TRUE(EncodeFile(*codec, picture, folder_ / "x.lic", {}, Threads(count)));
    ASSERT_TRUE(DecodeFile(*codec, folder_ / "x.lic", folder_ / "x.ppm", {}, Threads(count)));
    auto decoded = ReadImage(folder_ / "x.ppm");
    ASSERT_TRUE(decoded);
    if (first.empty()) first = decoded->samples;
    EXPECT_EQ(decoded->samples, first) << count << " threads";
  }
}

}  // namespace
}  // namespace lichen
