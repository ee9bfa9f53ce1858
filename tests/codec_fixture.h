// A small codec for tests, fitted to the project's own test pictures.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/test_path.h"
#include "codec/codec.h"
#include "flow/quantise_codec.h"
#include "image/reader.h"
#include "image/synthetic.h"
#include "image/writer.h"
#include "quant/klt.h"
#include "quant/quantise.h"

namespace lichen {

inline Calibration TestCalibration() {
  Calibration calibration;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    calibration.pictures.push_back(
        {"picture" + std::to_string(seed), RenderTestPicture(128, 160, seed)});
  }
  return calibration;
}

inline IntNet MakeTestNet(double step = 12) {
  const Threads threads(2);
  const Calibration calibration = TestCalibration();
  auto fitted = FitKlt(calibration, {.block = 4, .channels = 32, .step = step});
  EXPECT_TRUE(fitted) << fitted.error().message;
  auto quantised = Quantise(*fitted, calibration, {}, threads);
  EXPECT_TRUE(quantised) << quantised.error().message;
  auto tables = FitLatentTables(quantised->net, calibration, {}, threads);
  EXPECT_TRUE(tables) << tables.error().message;
  quantised->net.tables.push_back(std::move(*tables));
  return std::move(quantised->net);
}

inline const IntNet& TestNet() {
  static const IntNet net = MakeTestNet();
  return net;
}

inline const Codec& TestCodec() {
  static const Codec codec = [] {
    auto made = Codec::Create(TestNet());
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }();
  return codec;
}

// An empty folder of its own for each test.
inline std::filesystem::path TestFolder() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  const auto folder = TestPath(std::string(info->test_suite_name()) + "_" + info->name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

struct Coded {
  std::vector<uint8_t> bytes;
  Image image;
};

// Encodes and decodes through files; expects success.
inline Coded RoundTrip(const Codec& codec, const Image& image, int threads,
                       const EncodeOptions& options = {}) {
  const std::filesystem::path folder = TestFolder();
  Coded coded;
  auto fail = [](const Error& error) { ADD_FAILURE() << error.message; };
  if (auto r = WriteImage(folder / "in.png", image); !r) return fail(r.error()), std::move(coded);
  auto encoded = EncodeFile(codec, folder / "in.png", folder / "x.lic", options, Threads(threads));
  if (!encoded) return fail(encoded.error()), std::move(coded);
  auto bytes = ReadFile(folder / "x.lic");
  if (!bytes) return fail(bytes.error()), std::move(coded);
  EXPECT_EQ(bytes->size(), encoded->file_bytes);
  auto decoded = DecodeFile(codec, folder / "x.lic", folder / "out.png", {}, Threads(threads));
  if (!decoded) return fail(decoded.error()), std::move(coded);
  auto out = ReadImage(folder / "out.png");
  if (!out) return fail(out.error()), std::move(coded);
  coded.bytes = std::move(*bytes);
  coded.image = std::move(*out);
  return coded;
}

}  // namespace lichen
