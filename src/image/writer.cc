#include "image/writer.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "base/check.h"
#include "image/png_writer.h"
#include "image/pnm_writer.h"

namespace lichen {
namespace {

std::string LowerExtension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

}  // namespace

Result<void> ImageWriter::WriteRow(std::span<const uint16_t> samples) {
  LICHEN_CHECK(next_row_ < info_.height);
  LICHEN_CHECK(samples.size() == static_cast<size_t>(info_.RowSamples()));
  ++next_row_;
  return DoWriteRow(samples);
}

Result<void> ImageWriter::Finish() {
  LICHEN_CHECK(next_row_ == info_.height);
  return DoFinish();
}

Result<void> CheckWritable(const std::filesystem::path& path, const ImageInfo& info) {
  const std::string extension = LowerExtension(path);
  LICHEN_TRY_VOID(InPlace(path.string(), CheckImageInfo(info)));
  if (extension == ".png" || extension == ".pam") return {};
  const bool grey_fits = extension == ".pgm" || extension == ".pnm";
  const bool rgb_fits = extension == ".ppm" || extension == ".pnm";
  if (!grey_fits && !rgb_fits) {
    return Fail(
        "{}: pictures are written as .png, .ppm, .pgm, .pnm or .pam; choose a name that ends "
        "so",
        path.string());
  }
  if ((info.channels == 1 && grey_fits) || (info.channels == 3 && rgb_fits)) return {};
  return Fail("{}: {} does not fit in a {} file; write .png or .pam", path.string(), Describe(info),
              extension);
}

bool HoldsMetadata(const std::filesystem::path& path) { return LowerExtension(path) == ".png"; }

Result<std::unique_ptr<ImageWriter>> CreateImageWriter(const std::filesystem::path& path,
                                                       const ImageInfo& info) {
  LICHEN_TRY_VOID(CheckWritable(path, info));
  const std::string extension = LowerExtension(path);
  if (extension == ".png") return CreatePngWriter(path, info);
  return CreatePnmWriter(path, info, extension == ".pam");
}

Result<void> WriteImage(const std::filesystem::path& path, const Image& image) {
  LICHEN_TRY_VOID(InPlace(path.string(), CheckImage(image)));
  LICHEN_TRY(const auto writer, CreateImageWriter(path, image.info));
  for (int64_t y = 0; y < image.info.height; ++y) {
    LICHEN_TRY_VOID(writer->WriteRow(image.Row(y)));
  }
  return writer->Finish();
}

}  // namespace lichen
