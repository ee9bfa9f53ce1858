// The codec with a hyper-prior and a row context, on a network of a few weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "codec/codec.h"
#include "codec/container.h"
#include "engine/row_context.h"
#include "engine/run_model.h"
#include "flow/evaluate.h"
#include "flow/fit_tables.h"
#include "flow/model_input.h"
#include "fuzz/test_codec.h"
#include "kernels/cpu_target.h"
#include "net/importer.h"
#include "tests/codec_fixture.h"
#include "tests/shared_data.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

ModelRun<int32_t> RunEngine(const IntNet& net, const Image& image, bool reference = false) {
  auto input = PictureInput(net, image);
  EXPECT_TRUE(input) << input.error().message;
  auto run = RunModel(net, std::move(*input), {.reference = reference}, Threads(2));
  EXPECT_TRUE(run) << run.error().message;
  return std::move(*run);
}

std::vector<uint16_t> PictureOf(const IntNet& net, const Tensor<int32_t>& output,
                                const Image& image) {
  auto made =
      OutputPicture(net, output, {image.info.height, image.info.width}, image.info.bit_depth);
  EXPECT_TRUE(made) << made.error().message;
  return made->samples;
}

Tensor<int32_t> Rows(const Tensor<int32_t>& whole, int64_t begin, int64_t end) {
  const Shape s = whole.shape();
  Tensor<int32_t> part({1, end - begin, s.w, s.c});
  std::copy_n(whole.view().Row(0, begin), part.span().size(), part.span().begin());
  return part;
}

// What the context makes of y if it begins anew every `rows` rows.
Tensor<int32_t> LatentsBySegments(const IntNet& net, const Tensor<int32_t>& y,
                                  const Tensor<int32_t>& parameters, int64_t rows) {
  Tensor<int32_t> y_hat(y.shape());
  for (int64_t begin = 0; begin < y.shape().h; begin += rows) {
    const int64_t end = std::min(begin + rows, y.shape().h);
    auto made = RunRowContext(net, Rows(y, begin, end), Rows(parameters, begin, end), Threads(1));
    EXPECT_TRUE(made) << made.error().message;
    std::ranges::copy(made->y_hat.span(), y_hat.view().Row(0, begin));
  }
  return y_hat;
}

TEST(ContextCodec, EqualsTheReferenceKernels) {
  const IntNet net = FuzzContextNet();
  for (const auto& [h, w] : {std::pair{1, 1}, {17, 40}, {70, 33}, {131, 150}}) {
    for (const int depth : {8, 16}) {
      const Image image = RenderTestPicture(h, w, 3, 3, depth);
      const auto run = RunEngine(net, image, true);
      const Coded coded = RoundTrip(FuzzContextCodec(), image, 2);
      EXPECT_EQ(coded.image.samples, PictureOf(net, *run.Find(run.result), image))
          << h << "x" << w << " depth " << depth;
    }
  }
}

// The network's figures must be lively, or the tests of it would show nothing.
TEST(ContextCodec, TheTestNetworkUsesItsParts) {
  const auto run = RunEngine(FuzzContextNet(), RenderTestPicture(131, 150, 3));
  for (const char* name : {"y", "z_hat", "hs_2", "means", "pdf_index", "symbols"}) {
    const auto values = run.Find(name)->span();
    const auto [low, high] = std::ranges::minmax(values);
    RecordProperty(name, fmt::format("{} to {}", low, high));
    EXPECT_GE(high - low, 3) << name;
  }
  const auto output = run.Find(run.result)->span();
  const auto [low, high] = std::ranges::minmax(output);
  EXPECT_GE(high - low, 50);
}

TEST(ContextCodec, ContextBeginsAnewWithEverySegment) {
  const IntNet net = FuzzContextNet();
  const Image image = RenderTestPicture(160, 90, 5);
  const auto run = RunEngine(net, image);
  const CompiledGraph synthesis(*net.Find("synthesis"));
  for (const int64_t rows : {1, 3, 8, 39, 100}) {
    std::vector<Tensor<int32_t>> inputs;
    inputs.push_back(LatentsBySegments(net, *run.Find("y"), *run.Find("hs_2"), rows));
    auto made = RunWhole(synthesis, inputs, {160, 96}, Threads(1));
    ASSERT_TRUE(made) << made.error().message;
    const Coded coded = RoundTrip(FuzzContextCodec(), image, 2, {.latent_rows_per_segment = rows});
    EXPECT_EQ(coded.image.samples, PictureOf(net, made->back(), image)) << rows << " rows";
  }
}

TEST(ContextCodec, SameBytesAndPictureForAnyThreadCountAndCpuTarget) {
  const Image image = RenderTestPicture(150, 203, 7, 4);
  const EncodeOptions options{.latent_rows_per_segment = 10};
  const Coded first = RoundTrip(FuzzContextCodec(), image, 1, options);
  ASSERT_FALSE(first.bytes.empty());
  for (const int threads : {2, 3, 8}) {
    for (int again = 0; again < 5; ++again) {
      const Coded other = RoundTrip(FuzzContextCodec(), image, threads, options);
      ASSERT_EQ(other.bytes, first.bytes) << threads << " threads";
      ASSERT_EQ(other.image.samples, first.image.samples) << threads << " threads";
    }
  }
  for (const std::string& target : SupportedCpuTargets()) {
    ASSERT_TRUE(SetCpuTarget(target));
    auto codec = Codec::Create(FuzzContextNet());
    ASSERT_TRUE(codec);
    const Coded other = RoundTrip(*codec, image, 2, options);
    EXPECT_EQ(other.bytes, first.bytes) << target;
    EXPECT_EQ(other.image.samples, first.image.samples) << target;
  }
  ASSERT_TRUE(SetCpuTarget(""));
}

TEST(ContextCodec, SmallPicturesAreOneSegment) {
  const fs::path folder = TestFolder();
  // 40 latent rows, then more than one segment can be worth.
  for (const auto& [height, segments] : {std::pair{160, 1}, {4 * 128 * 2, 2}, {4 * 128 * 3, 3}}) {
    ASSERT_TRUE(WriteImage(folder / "in.png", RenderTestPicture(height, 20, 1)));
    auto stats = EncodeFile(FuzzContextCodec(), folder / "in.png", folder / "x.lic",
                            {.measure_ideal = true}, Threads(1));
    ASSERT_TRUE(stats) << stats.error().message;
    auto file = InputFile::Open(folder / "x.lic");
    ASSERT_TRUE(file);
    auto header = ReadHeader(*file);
    ASSERT_TRUE(header);
    EXPECT_EQ(static_cast<int>(header->segments.size()), segments);
    EXPECT_TRUE(header->has_hyper);
    EXPECT_EQ(stats->file_bytes, header->size_bytes + stats->latent_bytes + stats->hyper_bytes);
    EXPECT_GT(stats->hyper_bytes, 0);
    EXPECT_LE(stats->ideal_bits / 8, static_cast<double>(stats->latent_bytes + stats->hyper_bytes));
  }
}

TEST(ContextCodec, CropEqualsThePartOfTheWhole) {
  const Image image = RenderTestPicture(173, 140, 6, 4);
  const fs::path folder = TestFolder();
  ASSERT_TRUE(WriteImage(folder / "in.png", image));
  for (const int64_t rows : {0, 1, 6, 11}) {
    ASSERT_TRUE(EncodeFile(FuzzContextCodec(), folder / "in.png", folder / "x.lic",
                           {.latent_rows_per_segment = rows}, Threads(2)));
    ASSERT_TRUE(
        DecodeFile(FuzzContextCodec(), folder / "x.lic", folder / "all.png", {}, Threads(2)));
    auto whole = ReadImage(folder / "all.png");
    ASSERT_TRUE(whole);
    for (const Crop crop : {Crop{0, 0, 140, 173},
                            {5, 7, 1, 1},
                            {139, 172, 1, 1},
                            {30, 60, 50, 20},
                            {77, 15, 3, 150}}) {
      auto decoded = DecodeFile(FuzzContextCodec(), folder / "x.lic", folder / "crop.png",
                                {.crop = crop}, Threads(2));
      ASSERT_TRUE(decoded) << decoded.error().message;
      auto part = ReadImage(folder / "crop.png");
      ASSERT_TRUE(part);
      for (int64_t y = 0; y < crop.height; ++y) {
        const auto want =
            whole->Row(crop.y + y)
                .subspan(static_cast<size_t>(crop.x) * 4, static_cast<size_t>(crop.width) * 4);
        ASSERT_TRUE(std::ranges::equal(part->Row(y), want)) << rows << " rows, row " << y;
      }
    }
  }
}

TEST(ContextCodec, GreyAndAlphaReturn) {
  for (const int channels : {1, 2, 4}) {
    for (const int depth : {8, 16}) {
      const Image image = RenderTestPicture(61, 45, 2, channels, depth);
      const Coded coded = RoundTrip(FuzzContextCodec(), image, 2, {.latent_rows_per_segment = 3});
      ASSERT_EQ(coded.image.info, image.info);
      if (!image.info.HasAlpha()) continue;
      for (int64_t y = 0; y < image.info.height; ++y) {
        for (int64_t x = 0; x < image.info.width; ++x) {
          ASSERT_EQ(coded.image.At(y, x, channels - 1), image.At(y, x, channels - 1));
        }
      }
    }
  }
}

TEST(ContextCodec, RefusesWhatItCannotCode) {
  const auto message = [](const IntNet& net) {
    auto codec = Codec::Create(net);
    EXPECT_FALSE(codec);
    return codec ? std::string() : codec.error().message;
  };
  IntNet net = FuzzContextNet();
  net.tables.clear();
  EXPECT_THAT(message(net), HasSubstr("lichen fit"));
  net.tables = {FuzzContextNet().tables[0]};
  EXPECT_THAT(message(net), HasSubstr("lichen fit"));
  net = FuzzContextNet();
  net.tables[0].tables.pop_back();
  EXPECT_THAT(message(net), HasSubstr("8 indices"));
  net = FuzzContextNet();
  net.coding.symbol_range.max = 16;
  EXPECT_THAT(message(net), HasSubstr("no escape"));
  net = FuzzContextNet();
  std::erase_if(net.graphs, [](const IntGraph& graph) { return graph.name == "hyper_synthesis"; });
  EXPECT_THAT(message(net), HasSubstr("hyper_synthesis"));
  net = FuzzContextNet();
  for (IntGraph& graph : net.graphs) {
    if (graph.name != "context") continue;
    graph.nodes[0].geometry.pad_top = 2;
    graph.nodes[0].geometry.pad_bottom = 0;
  }
  EXPECT_THAT(message(net), HasSubstr("not causal"));
}

class DamagedContextFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TestFolder();
    ASSERT_TRUE(WriteImage(folder_ / "in.png", RenderTestPicture(22, 18, 8, 4)));
    ASSERT_TRUE(EncodeFile(FuzzContextCodec(), folder_ / "in.png", folder_ / "good.lic",
                           {.latent_rows_per_segment = 2}, Threads(1)));
    auto bytes = ReadFile(folder_ / "good.lic");
    ASSERT_TRUE(bytes);
    bytes_ = std::move(*bytes);
  }
  void ExpectError(std::span<const uint8_t> bytes, const std::string& what) {
    ASSERT_TRUE(WriteFile(folder_ / "bad.lic", bytes));
    auto decoded =
        DecodeFile(FuzzContextCodec(), folder_ / "bad.lic", folder_ / "out.png", {}, Threads(2));
    ASSERT_FALSE(decoded) << what;
    EXPECT_THAT(decoded.error().message, HasSubstr("bad.lic")) << what;
    EXPECT_FALSE(fs::exists(folder_ / "out.png")) << what;
  }
  fs::path folder_;
  std::vector<uint8_t> bytes_;
};

TEST_F(DamagedContextFile, TruncatedAtEveryByteIsAnError) {
  for (size_t size = 0; size < bytes_.size(); ++size) {
    ExpectError(std::span(bytes_).first(size), fmt::format("{} bytes", size));
  }
  bytes_.push_back(0);
  ExpectError(bytes_, "one byte more");
}

TEST_F(DamagedContextFile, EachFlippedByteIsAnError) {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    std::vector<uint8_t> bad = bytes_;
    bad[i] ^= static_cast<uint8_t>(1 << (i % 8));
    ExpectError(bad, fmt::format("byte {}", i));
  }
}

// Headers whose checksum is right but whose content lies.
TEST_F(DamagedContextFile, LyingHeaderWithRightChecksumIsAnError) {
  LicHeader header;
  {
    auto file = InputFile::Open(folder_ / "good.lic");
    ASSERT_TRUE(file);
    auto read = ReadHeader(*file);
    ASSERT_TRUE(read);
    header = std::move(*read);
  }
  ASSERT_EQ(header.segments.size(), 3);
  const std::span<const uint8_t> payload = std::span(bytes_).subspan(header.size_bytes);
  const auto expect = [&](LicHeader changed, const std::string& what) {
    // Where the parts move, so that the lie passes the checksums.
    uint64_t at = 0;
    for (SegmentEntry& entry : changed.segments) {
      if (at + entry.SizeBytes() <= payload.size()) {
        entry.hash = HashBytes(payload.subspan(at, entry.SizeBytes()));
      }
      at += entry.SizeBytes();
    }
    std::vector<uint8_t> bytes = SerializeHeader(changed);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    ExpectError(bytes, what);
  };
  LicHeader wide = header;
  wide.info.width = 5000;
  expect(wide, "width");
  LicHeader no_alpha = header;
  no_alpha.info.channels = 3;
  expect(no_alpha, "alpha dropped");
  LicHeader old = header;
  old.has_hyper = false;
  expect(old, "version");
  LicHeader more_hyper = header;
  ++more_hyper.segments[0].hyper_bytes;
  --more_hyper.segments[0].latent_bytes;
  expect(more_hyper, "hyper-latents with a byte of the latents");
  LicHeader less_hyper = header;
  less_hyper.segments[0].latent_bytes += less_hyper.segments[0].hyper_bytes;
  less_hyper.segments[0].hyper_bytes = 0;
  expect(less_hyper, "no hyper-latents");
  LicHeader huge = header;
  huge.info.width = 1 << 24;
  huge.info.height = 1 << 24;
  huge.latent_rows_per_segment = 65535;
  huge.segments.resize(65);
  expect(huge, "size");
}

// Fitted to pictures: shorter than with Gaussians, and equal to them where nothing was seen.
TEST(ContextTables, FitTheSymbolsOfPictures) {
  IntNet net = FuzzContextNet();
  net.tables.clear();
  const Calibration calibration = TestCalibration();
  auto fitted = FitCodecTables(net, calibration, {.prior_count = 16}, Threads(2));
  ASSERT_TRUE(fitted) << fitted.error().message;
  auto gaussian = FitCodecTables(net, calibration, {.gaussian = true}, Threads(2));
  ASSERT_TRUE(gaussian) << gaussian.error().message;
  ASSERT_EQ(fitted->size(), 2);
  EXPECT_EQ((*fitted)[0].name, "latent");
  EXPECT_EQ((*fitted)[1], (*gaussian)[1]);
  const TableSet plain =
      GaussianTables({.table_count = net.coding.index_max + 1, .max_symbol = 15});
  EXPECT_EQ((*gaussian)[0].tables, plain.tables);
  EXPECT_NE((*fitted)[0].tables, plain.tables);
  const auto bytes = [&](const std::vector<TableSet>& tables) {
    net.tables = tables;
    auto codec = Codec::Create(net);
    EXPECT_TRUE(codec) << codec.error().message;
    const Coded coded = RoundTrip(*codec, calibration.pictures[1].image, 1);
    return coded.bytes.size();
  };
  EXPECT_LT(bytes(*fitted), bytes(*gaussian));
}

TEST(ContextTables, CountsOfAnIndexThatNeverOccurredAreItsGaussian) {
  std::vector<SymbolCounts> counts(4);
  counts[1].Add(3, 100000);
  counts[1].Add(0, 5);
  const GaussianOptions options{.table_count = 4, .max_symbol = 31};
  const TableSet fitted = FitGaussianTables(counts, options, 10);
  const TableSet plain = GaussianTables(options);
  for (const size_t i : {0, 2, 3}) EXPECT_EQ(fitted.tables[i], plain.tables[i]);
  const ProbabilityTable& table = fitted.tables[1];
  EXPECT_GT(table.frequencies[static_cast<size_t>(3 - table.min_symbol)], 65000);
  EXPECT_TRUE(CheckTables(fitted));
}

TEST(ContextCodec, IsEvaluated) {
  const fs::path folder = TestFolder();
  ASSERT_TRUE(WriteImage(folder / "a.png", RenderTestPicture(64, 80, 1)));
  auto pictures = ListPictures(folder);
  ASSERT_TRUE(pictures);
  auto score = EvaluateCodec(FuzzContextNet(), *pictures, {.work_folder = folder}, Threads(2));
  ASSERT_TRUE(score) << score.error().message;
  const PictureScore& p = score->pictures[0];
  EXPECT_GT(p.hyper_bytes, 0);
  EXPECT_GT(p.file_bytes, p.hyper_bytes + p.latent_bytes);
  EXPECT_LE(p.ideal_bits / 8, static_cast<double>(p.hyper_bytes + p.latent_bytes));
}

// The network of StreamLIC's size with random weights, on the crop that its golden output is of.
TEST(GoldenStreamlic, FileRoundTripEqualsTheEngine) {
  const std::string path = "golden/streamlic/streamlic_a.safetensors.xz";
  LICHEN_NEEDS_SHARED(path);
  LICHEN_NEEDS_SHARED("data/kodak/kodim20.png");
  auto model = Import("streamlic", SharedData() / path);
  ASSERT_TRUE(model) << model.error().message;
  IntNet net = std::get<IntNet>(std::move(*model));
  net.tables.clear();
  EXPECT_FALSE(Codec::Create(net));
  auto whole = ReadImage(SharedData() / "data/kodak/kodim20.png");
  ASSERT_TRUE(whole) << whole.error().message;
  Image image = MakeImage({.height = 150, .width = 200});
  for (int64_t y = 0; y < 150; ++y) {
    std::ranges::copy(whole->Row(y + 200).subspan(3 * 300, 3 * 200), image.Row(y).begin());
  }
  Calibration calibration;
  calibration.pictures.push_back({"crop", image});
  auto tables = FitCodecTables(net, calibration, {}, Threads(2));
  ASSERT_TRUE(tables) << tables.error().message;
  net.tables = std::move(*tables);
  auto codec = Codec::Create(net);
  ASSERT_TRUE(codec) << codec.error().message;
  const auto run = RunEngine(net, image);
  const Coded coded = RoundTrip(*codec, image, 2);
  EXPECT_EQ(coded.image.samples, PictureOf(net, *run.Find(run.result), image));
}

}  // namespace
}  // namespace lichen
