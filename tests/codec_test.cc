// The codec on a small model that the test fits itself: needs no data beside the project.
#include "codec/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <random>

#include "engine/run_model.h"
#include "image/metrics.h"
#include "image/writer.h"
#include "kernels/cpu_target.h"
#include "tests/codec_fixture.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(Codec, SameBytesAndPictureForAnyThreadCountAndCpuTarget) {
  const Image image = RenderTestPicture(150, 203, 7);
  const Coded first = RoundTrip(TestCodec(), image, 1);
  ASSERT_FALSE(first.bytes.empty());
  for (const int threads : {2, 8}) {
    const Coded again = RoundTrip(TestCodec(), image, threads);
    EXPECT_EQ(again.bytes, first.bytes) << threads << " threads";
    EXPECT_EQ(again.image.samples, first.image.samples) << threads << " threads";
  }
  for (const std::string& target : SupportedCpuTargets()) {
    ASSERT_TRUE(SetCpuTarget(target));
    auto codec = Codec::Create(TestNet());
    ASSERT_TRUE(codec);
    const Coded again = RoundTrip(*codec, image, 2);
    EXPECT_EQ(again.bytes, first.bytes) << target;
    EXPECT_EQ(again.image.samples, first.image.samples) << target;
  }
  ASSERT_TRUE(SetCpuTarget(""));
}

TEST(Codec, SegmentsChangeBytesButNotThePicture) {
  const Image image = RenderTestPicture(90, 70, 3);
  const Coded eight = RoundTrip(TestCodec(), image, 2);
  const Coded one = RoundTrip(TestCodec(), image, 2, {.latent_rows_per_segment = 1});
  EXPECT_NE(eight.bytes, one.bytes);
  EXPECT_EQ(eight.image.samples, one.image.samples);
}

// The picture that the reference kernels make of the rounded latents.
Image ReferencePicture(const IntNet& net, const Image& image) {
  const int64_t m = net.coding.size_multiple;
  const int64_t h = (image.info.height + m - 1) / m * m;
  const int64_t w = (image.info.width + m - 1) / m * m;
  const IntGraph& analysis = *net.Find("analysis");
  const int64_t in_max = analysis.tensor(analysis.inputs[0]).range.max;
  Tensor<int32_t> input({1, h, w, 3});
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      for (int c = 0; c < 3; ++c) {
        const int64_t v =
            image.At(std::min(y, image.info.height - 1), std::min(x, image.info.width - 1), c);
        const double real =
            static_cast<double>(v) * static_cast<double>(in_max) / image.info.MaxSample();
        input(0, y, x, c) = static_cast<int32_t>(std::floor(real + 0.5));
      }
    }
  }
  auto run = RunModel(net, std::move(input), {.reference = true}, Threads(1));
  EXPECT_TRUE(run) << run.error().message;
  const Tensor<int32_t>& out = *run->Find(run->result);
  const IntGraph& synthesis = *net.Find("synthesis");
  const double out_max = static_cast<double>(synthesis.tensor(synthesis.outputs[0]).range.max);
  Image made = MakeImage(image.info);
  for (int64_t y = 0; y < image.info.height; ++y) {
    for (int64_t x = 0; x < image.info.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        made.Row(y)[static_cast<size_t>(x * 3 + c)] = static_cast<uint16_t>(
            std::floor(double{1.0} * out(0, y, x, c) * image.info.MaxSample() / out_max + 0.5));
      }
    }
  }
  return made;
}

TEST(Codec, EqualsReferenceKernelsAtOddSizes) {
  for (const auto& [h, w] : {std::pair{1, 1}, {1, 17}, {33, 97}, {251, 189}}) {
    for (const int depth : {8, 16}) {
      const Image image = RenderTestPicture(h, w, 11, 3, depth);
      const Coded coded = RoundTrip(TestCodec(), image, 2);
      EXPECT_EQ(coded.image.info, image.info);
      EXPECT_EQ(coded.image.samples, ReferencePicture(TestNet(), image).samples)
          << h << "x" << w << " depth " << depth;
    }
  }
}

TEST(Codec, PictureIsCloseToTheOriginal) {
  const Image image = RenderTestPicture(200, 300, 5);
  const Coded coded = RoundTrip(TestCodec(), image, 2);
  auto psnr = Psnr(image, coded.image);
  ASSERT_TRUE(psnr);
  EXPECT_GT(*psnr, 28);
}

TEST(Codec, GreyReturnsAsGrey) {
  for (const int depth : {8, 16}) {
    const Image image = RenderTestPicture(61, 45, 2, 1, depth);
    const Coded coded = RoundTrip(TestCodec(), image, 1);
    EXPECT_EQ(coded.image.info.channels, 1);
    auto psnr = Psnr(image, coded.image);
    ASSERT_TRUE(psnr) << psnr.error().message;
    EXPECT_GT(*psnr, 28);
  }
}

TEST(Codec, AlphaIsLossless) {
  for (const int channels : {2, 4}) {
    for (const int depth : {8, 16}) {
      const Image image = RenderTestPicture(150, 77, 4, channels, depth);
      const Coded coded = RoundTrip(TestCodec(), image, 2, {.latent_rows_per_segment = 3});
      ASSERT_EQ(coded.image.info, image.info);
      for (int64_t y = 0; y < image.info.height; ++y) {
        for (int64_t x = 0; x < image.info.width; ++x) {
          ASSERT_EQ(coded.image.At(y, x, channels - 1), image.At(y, x, channels - 1))
              << y << " " << x;
        }
      }
    }
  }
}

TEST(Codec, SixteenBitsAreNotCutToEight) {
  auto fine = Codec::Create(MakeTestNet(0.05));
  ASSERT_TRUE(fine) << fine.error().message;
  const Image image = RenderTestPicture(64, 64, 9, 3, 16);
  const Coded coded = RoundTrip(*fine, image, 1);
  // Cutting to 8 bits alone would leave an error of 257 / sqrt(12), 58.9 dB.
  Image cut = image;
  for (uint16_t& v : cut.samples) v = static_cast<uint16_t>((v + 128) / 257 * 257);
  auto cut_psnr = Psnr(image, cut);
  ASSERT_TRUE(cut_psnr);
  int64_t fractional = 0;
  for (const uint16_t v : coded.image.samples) fractional += v % 257 != 0;
  EXPECT_GT(fractional, static_cast<int64_t>(coded.image.samples.size()) * 9 / 10);
}

TEST(Codec, IccAndExifReturnByteIdentical) {
  Image image = RenderTestPicture(20, 30, 1);
  std::mt19937 rng(5);
  for (int i = 0; i < 5000; ++i) {
    image.info.metadata.exif.push_back(static_cast<uint8_t>(rng()));
  }
  // A profile must carry its size and signature to pass as one.
  image.info.metadata.icc.resize(3000);
  for (size_t i = 128; i < 3000; ++i) image.info.metadata.icc[i] = static_cast<uint8_t>(rng());
  image.info.metadata.icc[2] = 3000 >> 8;
  image.info.metadata.icc[3] = 3000 & 255;
  std::copy_n("acsp", 4, image.info.metadata.icc.begin() + 36);
  std::copy_n("RGB ", 4, image.info.metadata.icc.begin() + 16);
  image.info.metadata.icc_name = "test profile";
  const Coded coded = RoundTrip(TestCodec(), image, 1);
  EXPECT_EQ(coded.image.info.metadata.icc, image.info.metadata.icc);
  EXPECT_EQ(coded.image.info.metadata.icc_name, image.info.metadata.icc_name);
  EXPECT_EQ(coded.image.info.metadata.exif, image.info.metadata.exif);
}

TEST(Codec, CropEqualsThePartOfTheWhole) {
  const Image image = RenderTestPicture(173, 140, 6, 4);
  const fs::path folder = TestFolder();
  ASSERT_TRUE(WriteImage(folder / "in.png", image));
  ASSERT_TRUE(EncodeFile(TestCodec(), folder / "in.png", folder / "x.lic",
                         {.latent_rows_per_segment = 4}, Threads(2)));
  ASSERT_TRUE(DecodeFile(TestCodec(), folder / "x.lic", folder / "all.png", {}, Threads(2)));
  auto whole = ReadImage(folder / "all.png");
  ASSERT_TRUE(whole);
  for (const Crop crop : {Crop{0, 0, 140, 173},
                          {5, 7, 1, 1},
                          {139, 172, 1, 1},
                          {30, 60, 50, 20},
                          {0, 100, 140, 73},
                          {77, 15, 3, 150}}) {
    ASSERT_TRUE(
        DecodeFile(TestCodec(), folder / "x.lic", folder / "crop.png", {.crop = crop}, Threads(2)));
    auto part = ReadImage(folder / "crop.png");
    ASSERT_TRUE(part);
    ASSERT_EQ(part->info.height, crop.height);
    ASSERT_EQ(part->info.width, crop.width);
    for (int64_t y = 0; y < crop.height; ++y) {
      for (int64_t x = 0; x < crop.width; ++x) {
        for (int c = 0; c < 4; ++c) {
          ASSERT_EQ(part->At(y, x, c), whole->At(crop.y + y, crop.x + x, c));
        }
      }
    }
  }
  for (const Crop crop : {Crop{0, 0, 141, 1}, {-1, 0, 3, 3}, {0, 173, 1, 1}, {0, 0, 0, 5}}) {
    EXPECT_FALSE(
        DecodeFile(TestCodec(), folder / "x.lic", folder / "no.png", {.crop = crop}, Threads(1)));
    EXPECT_FALSE(fs::exists(folder / "no.png"));
  }
}

// Padding to more than one latent row: the surplus rows belong to the last segment.
TEST(Codec, PaddingBeyondTheLatentGridReturns) {
  IntNet net = TestNet();
  net.coding.size_multiple = 64;
  auto codec = Codec::Create(net);
  ASSERT_TRUE(codec) << codec.error().message;
  for (const auto& [h, w] : {std::pair{5, 7}, {66, 30}}) {
    const Image image = RenderTestPicture(h, w, 12);
    const Coded coded = RoundTrip(*codec, image, 2, {.latent_rows_per_segment = 2});
    EXPECT_EQ(coded.image.samples, ReferencePicture(net, image).samples) << h << "x" << w;
  }
}

// Right at multiples of the ratio, wrong elsewhere: the synthesis would give too few rows.
TEST(Codec, RefusesAModelWhoseSizesDoNotAgree) {
  IntNet net = TestNet();
  net.coding.size_multiple = 1;
  auto codec = Codec::Create(net);
  ASSERT_TRUE(codec) << codec.error().message;
  const fs::path folder = TestFolder();
  ASSERT_TRUE(WriteImage(folder / "in.png", RenderTestPicture(13, 13, 1)));
  auto encoded = EncodeFile(*codec, folder / "in.png", folder / "x.lic", {}, Threads(1));
  ASSERT_FALSE(encoded);
  EXPECT_THAT(encoded.error().message, HasSubstr("cannot code a picture of 13x13"));
  EXPECT_FALSE(fs::exists(folder / "x.lic"));
}

TEST(Codec, LatentsOutsideTheTablesAreEscaped) {
  // A picture of extremes, coded with tables that were fitted to one flat picture.
  IntNet net = MakeTestNet(4);
  Calibration flat;
  flat.pictures.push_back({"flat", MakeImage({.height = 64, .width = 64})});
  auto tables = FitLatentTables(net, flat, {}, Threads(1));
  ASSERT_TRUE(tables);
  net.tables = {*tables};
  auto codec = Codec::Create(net);
  ASSERT_TRUE(codec) << codec.error().message;
  Image noise = MakeImage({.height = 40, .width = 40});
  std::mt19937 rng(3);
  for (uint16_t& v : noise.samples) v = rng() % 2 ? 255 : 0;
  const Coded coded = RoundTrip(*codec, noise, 2);
  EXPECT_EQ(coded.image.samples, ReferencePicture(net, noise).samples);
}

// A small encoded file for the tests of damage.
class DamagedFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TestFolder();
    ASSERT_TRUE(WriteImage(folder_ / "in.png", RenderTestPicture(24, 20, 8, 4)));
    ASSERT_TRUE(EncodeFile(TestCodec(), folder_ / "in.png", folder_ / "good.lic",
                           {.latent_rows_per_segment = 2}, Threads(1)));
    auto bytes = ReadFile(folder_ / "good.lic");
    ASSERT_TRUE(bytes);
    bytes_ = std::move(*bytes);
  }
  // Decodes these bytes; expects an error and no output file.
  void ExpectError(std::span<const uint8_t> bytes, const std::string& what) {
    ASSERT_TRUE(WriteFile(folder_ / "bad.lic", bytes));
    auto decoded =
        DecodeFile(TestCodec(), folder_ / "bad.lic", folder_ / "out.png", {}, Threads(1));
    ASSERT_FALSE(decoded) << what;
    EXPECT_THAT(decoded.error().message, HasSubstr("bad.lic")) << what;
    EXPECT_FALSE(fs::exists(folder_ / "out.png")) << what;
  }
  fs::path folder_;
  std::vector<uint8_t> bytes_;
};

TEST_F(DamagedFile, TruncatedAtEveryByteIsAnError) {
  for (size_t size = 0; size < bytes_.size(); ++size) {
    ExpectError(std::span(bytes_).first(size), fmt::format("{} bytes", size));
  }
  bytes_.push_back(0);
  ExpectError(bytes_, "one byte more");
}

TEST_F(DamagedFile, EachFlippedByteIsAnError) {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    std::vector<uint8_t> bad = bytes_;
    bad[i] ^= static_cast<uint8_t>(1 << (i % 8));
    ExpectError(bad, fmt::format("byte {}", i));
  }
}

// A header whose checksum is right but whose content lies.
TEST_F(DamagedFile, HugeSizesAllocateNothing) {
  for (const auto& [at, value] : {std::pair{8, 0x00FFFFFFu},
                                  {12, 0x00FFFFFFu},
                                  {12, 0xFFFFFFFFu},
                                  {52, 0x03000000u},
                                  {16, 0xFFFFu}}) {
    std::vector<uint8_t> bad = bytes_;
    if (at == 52) bad[5] |= 0x80;  // metadata
    for (int i = 0; i < 4; ++i) {
      bad[static_cast<size_t>(at + i)] = static_cast<uint8_t>(value >> (8 * i));
    }
    struct rusage before {};
    getrusage(RUSAGE_SELF, &before);
    ExpectError(bad, fmt::format("{} at {}", value, at));
    struct rusage after {};
    getrusage(RUSAGE_SELF, &after);
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024);
  }
}

TEST_F(DamagedFile, WrongModelIsNamed) {
  auto other = Codec::Create(MakeTestNet(20));
  ASSERT_TRUE(other);
  auto decoded = DecodeFile(*other, folder_ / "good.lic", folder_ / "out.png", {}, Threads(1));
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().message, HasSubstr("model"));
  EXPECT_FALSE(fs::exists(folder_ / "out.png"));
}

TEST_F(DamagedFile, DirectoryMissingAndUnreadableFilesAreErrors) {
  EXPECT_FALSE(DecodeFile(TestCodec(), folder_, folder_ / "out.png", {}, Threads(1)));
  EXPECT_FALSE(DecodeFile(TestCodec(), folder_ / "none.lic", folder_ / "out.png", {}, Threads(1)));
  EXPECT_FALSE(EncodeFile(TestCodec(), folder_, folder_ / "out.lic", {}, Threads(1)));
  EXPECT_FALSE(EncodeFile(TestCodec(), folder_ / "good.lic", folder_ / "out.lic", {}, Threads(1)));
  EXPECT_FALSE(fs::exists(folder_ / "out.lic"));
  if (geteuid() != 0) {  // root reads everything
    fs::permissions(folder_ / "good.lic", fs::perms::none);
    EXPECT_FALSE(
        DecodeFile(TestCodec(), folder_ / "good.lic", folder_ / "out.png", {}, Threads(1)));
  }
  EXPECT_FALSE(fs::exists(folder_ / "out.png"));
}

// The header of a file that is whole, with one number changed and its checksum made right again.
TEST_F(DamagedFile, LyingHeaderWithRightChecksumIsAnError) {
  LicHeader header;
  {
    auto file = InputFile::Open(folder_ / "good.lic");
    ASSERT_TRUE(file);
    auto read = ReadHeader(*file);
    ASSERT_TRUE(read);
    header = std::move(*read);
  }
  const std::span<const uint8_t> payload = std::span(bytes_).subspan(header.size_bytes);
  const auto with = [&](const LicHeader& changed) {
    std::vector<uint8_t> bytes = SerializeHeader(changed);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
  };
  LicHeader wide = header;
  wide.info.width = 5000;
  ExpectError(with(wide), "width");
  LicHeader no_alpha = header;
  no_alpha.info.channels = 3;
  ExpectError(with(no_alpha), "alpha dropped");
  LicHeader deep = header;
  deep.info.bit_depth = 16;
  ExpectError(with(deep), "depth");
  LicHeader swapped = header;
  std::swap(swapped.segments[0], swapped.segments[1]);
  ExpectError(with(swapped), "segments swapped");
}

}  // namespace
}  // namespace lichen
