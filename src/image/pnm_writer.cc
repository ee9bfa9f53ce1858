#include "image/pnm_writer.h"

#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/files.h"

namespace lichen {
namespace {

std::string Header(const ImageInfo& info, bool as_pam) {
  if (!as_pam) {
    return fmt::format("P{}\n{} {}\n{}\n", info.channels == 1 ? 5 : 6, info.width, info.height,
                       info.MaxSample());
  }
  static constexpr const char* kTypes[] = {"GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"};
  return fmt::format("P7\nWIDTH {}\nHEIGHT {}\nDEPTH {}\nMAXVAL {}\nTUPLTYPE {}\nENDHDR\n",
                     info.width, info.height, info.channels, info.MaxSample(),
                     kTypes[info.channels - 1]);
}

class PnmWriter : public ImageWriter {
 public:
  PnmWriter(const ImageInfo& info, OutputFile file) : ImageWriter(info), file_(std::move(file)) {}

 private:
  Result<void> DoWriteRow(std::span<const uint16_t> samples) override {
    const size_t sample_bytes = info().bit_depth == 16 ? 2 : 1;
    row_bytes_.resize(samples.size() * sample_bytes);
    for (size_t i = 0; i < samples.size(); ++i) {
      if (sample_bytes == 2) {
        row_bytes_[2 * i] = static_cast<uint8_t>(samples[i] >> 8);
        row_bytes_[2 * i + 1] = static_cast<uint8_t>(samples[i]);
      } else {
        row_bytes_[i] = static_cast<uint8_t>(samples[i]);
      }
    }
    return file_.Write(row_bytes_);
  }

  Result<void> DoFinish() override { return file_.Commit(); }

  OutputFile file_;
  std::vector<uint8_t> row_bytes_;
};

}  // namespace

Result<std::unique_ptr<ImageWriter>> CreatePnmWriter(const std::filesystem::path& path,
                                                     const ImageInfo& info, bool as_pam) {
  LICHEN_CHECK(as_pam || info.channels == 1 || info.channels == 3);
  LICHEN_TRY(OutputFile file, OutputFile::Create(path));
  const std::string header = Header(info, as_pam);
  LICHEN_TRY_VOID(
      file.Write(std::span(reinterpret_cast<const uint8_t*>(header.data()), header.size())));
  return std::make_unique<PnmWriter>(info, std::move(file));
}

}  // namespace lichen
