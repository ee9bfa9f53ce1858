#include "data/labelled_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <numeric>

#include "base/files.h"
#include "base/test_path.h"
#include "data/cifar10.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;
using testing::HasSubstr;

class LabelledPicturesFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TestPath("data");
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Put(const std::string& name, const Bytes& bytes) {
    ASSERT_TRUE(WriteFile(folder_ / name, std::span<const uint8_t>(bytes)));
  }

  std::string ErrorOf(Split split) {
    const auto pictures = ReadLabelledPictures(folder_, split);
    return pictures ? "no error" : pictures.error().message;
  }

  fs::path folder_;
};

Bytes Idx(const Bytes& sides, const Bytes& values) {
  Bytes bytes = {0, 0, 8, static_cast<uint8_t>(sides.size())};
  for (const uint8_t side : sides) bytes.insert(bytes.end(), {0, 0, 0, side});
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

Bytes Gzip(const Bytes& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(LabelledPicturesFile, ReadsIdxPlainAndGzip) {
  Bytes samples(2 * 3 * 4);
  std::iota(samples.begin(), samples.end(), 0);
  Put("t10k-images-idx3-ubyte", Idx({2, 3, 4}, samples));
  Put("t10k-labels-idx1-ubyte.gz", Gzip(Idx({2}, {9, 0})));
  const auto pictures = ReadLabelledPictures(folder_, Split::kTest);
  ASSERT_TRUE(pictures) << pictures.error().message;
  EXPECT_EQ(pictures->height, 3);
  EXPECT_EQ(pictures->width, 4);
  EXPECT_EQ(pictures->channels, 1);
  EXPECT_EQ(pictures->labels, Bytes({9, 0}));
  EXPECT_EQ(pictures->Samples(1)[0], 12);
}

TEST_F(LabelledPicturesFile, RefusesDamagedIdx) {
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("holds no pictures with classes"));
  const Bytes samples(2 * 3 * 4);
  Put("t10k-images-idx3-ubyte", Idx({2, 3, 4}, samples));
  Put("t10k-labels-idx1-ubyte", Idx({2}, {1, 10}));
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("label 10 of picture 1 is not 0 to 9"));
  Put("t10k-labels-idx1-ubyte", Idx({3}, {1, 2, 3}));
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("has 3 labels for 2 pictures"));
  Put("t10k-labels-idx1-ubyte", Idx({3}, {1, 2}));
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("promises 3 elements, 2 bytes follow"));
  Put("t10k-labels-idx1-ubyte", {0, 0, 8});
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("has 3 bytes, its header 8"));
  Bytes gzip = Gzip(Idx({2}, {1, 2}));
  gzip.resize(gzip.size() - 3);
  Put("t10k-labels-idx1-ubyte", gzip);
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("gzip data is truncated"));
  Put("t10k-images-idx3-ubyte",
      {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255});
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("0 bytes follow"));
  EXPECT_THAT(ErrorOf(Split::kTraining), HasSubstr("train-images-idx3-ubyte: cannot be opened"));
}

TEST_F(LabelledPicturesFile, ReadsCifar10Binaries) {
  Bytes record(3073);
  record[0] = 7;
  record[1 + 33] = 11;         // red of y 1, x 1
  record[1 + 2048 + 33] = 13;  // its blue
  Put("test_batch.bin", record);
  const auto pictures = ReadLabelledPictures(folder_, Split::kTest);
  ASSERT_TRUE(pictures) << pictures.error().message;
  ASSERT_EQ(pictures->count(), 1);
  EXPECT_EQ(pictures->labels[0], 7);
  EXPECT_EQ(pictures->Samples(0)[33 * 3], 11);
  EXPECT_EQ(pictures->Samples(0)[33 * 3 + 2], 13);
  fs::remove(folder_ / "test_batch.bin");
  Put("test_batch.bin.gz", Gzip(record));
  const auto unpacked = ReadLabelledPictures(folder_, Split::kTest);
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  EXPECT_EQ(unpacked->samples, pictures->samples);
  record[0] = 10;
  Put("test_batch.bin", record);
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("test_batch.bin: label 10 of picture 0"));
  record.pop_back();
  Put("test_batch.bin", record);
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("3072 bytes are no multiple of 3073"));
  EXPECT_THAT(ErrorOf(Split::kTraining), HasSubstr("data_batch_1.bin"));
}

TEST_F(LabelledPicturesFile, RefusesDamagedPacks) {
  const auto text = [](std::string_view s) { return Bytes(s.begin(), s.end()); };
  Put(kCifar10Pack, text("CIFJPG2\n"));
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("does not begin with CIFJPG1"));
  Put(kCifar10Pack, text("CIFJPG1\n"));
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("ends before picture 0"));
  Bytes pack = text("CIFJPG1\n");
  pack.insert(pack.end(), {12, 1, 0, 0});
  Put(kCifar10Pack, pack);
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("label 12 of picture 0"));
  pack[8] = 2;
  Put(kCifar10Pack, pack);
  EXPECT_THAT(ErrorOf(Split::kTraining), HasSubstr("picture 0: is no JPEG"));
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("ends before picture 1"));
  pack[9] = 2;
  Put(kCifar10Pack, pack);
  EXPECT_THAT(ErrorOf(Split::kTest), HasSubstr("ends in picture 0"));
}

TEST(LabelledPicturesShared, AreWhatTheyShouldBe) {
  const fs::path data = fs::path(LICHEN_SOURCE_DIR) / "../shared/data";
  if (!fs::exists(data)) GTEST_SKIP() << data << " is absent";
  const auto digits = ReadLabelledPictures(data / "mnist", Split::kTest);
  ASSERT_TRUE(digits) << digits.error().message;
  EXPECT_EQ(digits->count(), 10000);
  EXPECT_EQ(digits->labels[0], 7);
  const auto objects = ReadLabelledPictures(data / "cifar10", Split::kTest);
  ASSERT_TRUE(objects) << objects.error().message;
  EXPECT_EQ(objects->count(), 10000);
  EXPECT_THAT(objects->source, HasSubstr("JPEG-degraded"));
  std::vector<int> classes(10);
  for (const uint8_t label : objects->labels) ++classes[label];
  EXPECT_THAT(classes, testing::Each(1000));
}

}  // namespace
}  // namespace lichen
