// Writes the fuzzers' first inputs, each a few KB at most, by the project's own writers.
//   make_fuzz_seeds FOLDER      gives FOLDER/<fuzzer>/<seed>
#include <cstdio>
// After <cstdio>.
#include <jpeglib.h>
#include <lzma.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "accel/fusion/stream_writer.h"
#include "base/check.h"
#include "base/files.h"
#include "base/npy.h"
#include "codec/codec.h"
#include "entropy/rans.h"
#include "fuzz/byte_reader.h"
#include "fuzz/fusion_job.h"
#include "fuzz/rans_tables.h"
#include "fuzz/test_codec.h"
#include "image/synthetic.h"
#include "image/writer.h"
#include "net/model_file.h"
#include "net/test_nets.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

void Must(const Result<void>& result) {
  if (!result) std::fprintf(stderr, "make_fuzz_seeds: %s\n", result.error().message.c_str());
  LICHEN_CHECK(result.has_value());
}

void MakeModels(const fs::path& folder) {
  Must(SaveModel(folder / "codec", FuzzCodecNet()));
  Must(SaveModel(folder / "context_codec", FuzzContextNet()));
  Must(SaveModel(folder / "every_operator", SmallNet()));
  Must(SaveModel(folder / "float", SmallFloatNet()));
}

Image Picture(int64_t height, int64_t width, int channels, int bit_depth) {
  Image image = RenderTestPicture(height, width, 7, channels, bit_depth);
  image.info.metadata.icc = {'i', 'c', 'c', 0, 1, 2};
  image.info.metadata.icc_name = "name";
  image.info.metadata.exif = {'I', 'I', 42, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  return image;
}

// Baseline, or progressive with an interval of restarts.
std::vector<uint8_t> Jpeg(const Image& image, bool is_progressive) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  jpeg_mem_dest(&info, &bytes, &count);
  info.image_width = static_cast<JDIMENSION>(image.info.width);
  info.image_height = static_cast<JDIMENSION>(image.info.height);
  info.input_components = image.info.channels;
  info.in_color_space = image.info.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 50, TRUE);
  if (is_progressive) {
    jpeg_simple_progression(&info);
    info.restart_interval = 2;
  }
  jpeg_start_compress(&info, TRUE);
  const uint8_t exif[] = {'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 0, 0};
  jpeg_write_marker(&info, JPEG_APP0 + 1, exif, sizeof(exif));
  const uint8_t icc[] = {'I', 'C', 'C', '_', 'P', 'R', 'O', 'F', 'I', 'L', 'E', 0, 1, 1, 9, 9};
  jpeg_write_marker(&info, JPEG_APP0 + 2, icc, sizeof(icc));
  for (int64_t y = 0; y < image.info.height; ++y) {
    const auto samples = image.Row(y);
    std::vector<uint8_t> row(samples.begin(), samples.end());
    JSAMPROW rows[1] = {row.data()};
    jpeg_write_scanlines(&info, rows, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::vector<uint8_t> result(bytes, bytes + count);
  std::free(bytes);
  return result;
}

// Under names without ending, as the reader looks at the content only.
void MakePictures(const fs::path& folder) {
  for (const int depth : {8, 16}) {
    for (int channels = 1; channels <= 4; ++channels) {
      const Image image = Picture(7, 11, channels, depth);
      for (const char* ending : {"png", "pam"}) {
        const fs::path path = folder / fmt::format("{}_{}x{}.{}", ending, channels, depth, ending);
        Must(WriteImage(path, image));
      }
    }
  }
  Must(WriteImage(folder / "p6.ppm", Picture(5, 3, 3, 8)));
  Must(WriteImage(folder / "p5.pgm", Picture(5, 3, 1, 16)));
  Must(WriteFile(folder / "baseline.jpg", Jpeg(Picture(19, 33, 3, 8), false)));
  Must(WriteFile(folder / "progressive.jpg", Jpeg(Picture(19, 33, 3, 8), true)));
  Must(WriteFile(folder / "grey.jpg", Jpeg(Picture(9, 8, 1, 8), false)));
}

void MakeStreams(const fs::path& folder) {
  const fs::path picture = folder / "picture.png";
  for (const int depth : {8, 16}) {
    for (int channels = 1; channels <= 4; ++channels) {
      Must(WriteImage(picture, Picture(13, 18, channels, depth)));
      const auto encoded =
          EncodeFile(FuzzCodec(), picture, folder / fmt::format("{}x{}.lic", channels, depth),
                     {.latent_rows_per_segment = channels}, Threads(1));
      LICHEN_CHECK(encoded.has_value());
      const auto with_context = EncodeFile(
          FuzzContextCodec(), picture, folder / fmt::format("context_{}x{}.lic", channels, depth),
          {.latent_rows_per_segment = channels}, Threads(1));
      LICHEN_CHECK(with_context.has_value());
    }
  }
  fs::remove(picture);
}

void MakeSafetensors(const fs::path& folder) {
  const std::string header =
      R"({"__metadata__":{"note":"seed"},"a":{"dtype":"I16","shape":[2,3],"data_offsets":[0,12]},)"
      R"("b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},)"
      R"("c":{"dtype":"BOOL","shape":[],"data_offsets":[20,21]}})";
  std::vector<uint8_t> bytes(8);
  bytes[0] = static_cast<uint8_t>(header.size());
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (uint8_t i = 0; i < 21; ++i) bytes.push_back(i);
  Must(WriteFile(folder / "plain", bytes));
  std::vector<uint8_t> packed(bytes.size() + 1000);
  size_t count = 0;
  LICHEN_CHECK(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, nullptr, bytes.data(), bytes.size(),
                                       packed.data(), &count, packed.size()) == LZMA_OK);
  packed.resize(count);
  Must(WriteFile(folder / "xz", packed));
}

void MakeArrays(const fs::path& folder) {
  const std::vector<int64_t> maxima = {1, 200, 30000, 60000, 1 << 20, int64_t{1} << 40};
  for (size_t i = 0; i < maxima.size(); ++i) {
    Must(WriteNpy(folder / fmt::format("integers_{}", i),
                  {.shape = {1, 2, 3}, .integers = {0, 1, 0, 1, 0, maxima[i]}}));
  }
  Must(WriteNpy(folder / "floats", {.shape = {2}, .is_float = true, .floats = {0.5F, -3}}));
}

void MakeSegments(const fs::path& folder) {
  for (const uint8_t choice : {0x00, 0x44, 0x83, 0xC1}) {
    const TableSet set = FuzzRansTables(choice);
    const auto tables = PreparedTables::Create(set);
    LICHEN_CHECK(tables.has_value());
    SmallRandom random(choice);
    // The longest goes wide.
    for (const size_t count : {0, 5, 700, 12000}) {
      std::vector<int16_t> symbols(count);
      for (size_t i = 0; i < count; ++i) {
        const ProbabilityTable& table = set.tables[i % set.tables.size()];
        const int32_t far = table.has_escape ? 9 : 0;
        symbols[i] =
            static_cast<int16_t>(random.Int(table.min_symbol - far, table.MaxSymbol() + far));
      }
      const auto segment = EncodeSymbols(*tables, symbols, TableIndices::PerChannel());
      LICHEN_CHECK(segment.has_value());
      std::vector<uint8_t> bytes = {choice, static_cast<uint8_t>(count >> 8),
                                    static_cast<uint8_t>(count), 6};
      bytes.insert(bytes.end(), segment->begin(), segment->end());
      Must(WriteFile(folder / fmt::format("tables_{:02x}_{}", choice, count), bytes));
    }
  }
}

void MakeNodes(const fs::path& folder) {
  SmallRandom random(1);
  for (int i = 0; i < 256; ++i) {
    std::vector<uint8_t> bytes(64);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.Bits() >> 56);
    Must(WriteFile(folder / fmt::format("random_{:03}", i), bytes));
  }
}

// Two bytes for the job, and its stream.
void MakeFusionStreams(const fs::path& folder) {
  for (const uint8_t widths : {0, 5, 6, 10, 11, 15}) {
    for (const uint8_t shape : {0x00, 0x0D, 0x97}) {
      const auto prepared = fusion::Prepare(FuzzFusionJob(widths, shape));
      LICHEN_CHECK(prepared.has_value());
      const auto text = fusion::WriteStream(prepared->job);
      LICHEN_CHECK(text.has_value());
      std::vector<uint8_t> bytes = {widths, shape};
      bytes.insert(bytes.end(), text->view().begin(), text->view().end());
      if (bytes.size() > 8000) continue;
      Must(WriteFile(folder / fmt::format("pair_{}_shape_{:02x}", widths, shape), bytes));
    }
  }
}

}  // namespace
}  // namespace lichen

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_fuzz_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  lichen::MakeModels(folder / "model_file_fuzz");
  lichen::MakePictures(folder / "image_fuzz");
  lichen::MakeStreams(folder / "lic_fuzz");
  lichen::MakeSafetensors(folder / "safetensors_fuzz");
  lichen::MakeArrays(folder / "npy_fuzz");
  lichen::MakeSegments(folder / "rans_fuzz");
  lichen::MakeNodes(folder / "operators_fuzz");
  lichen::MakeFusionStreams(folder / "fusion_stream_fuzz");
  return 0;
}
