// lichen info: what a .lichen model or a .lic bitstream holds.
#include <algorithm>
#include <array>

#include "apps/command.h"
#include "base/files.h"
#include "base/hash.h"
#include "codec/container.h"
#include "flow/model_input.h"
#include "net/json.h"
#include "net/model_file.h"
#include "net/text.h"

namespace lichen {
namespace {

struct Options {
  std::string file;
  std::string size;
};

enum class FileKind { kModel, kBitstream };

// By the first bytes; files too short for any of both count as what they begin as.
Result<FileKind> KindOf(const std::string& path) {
  LICHEN_TRY(const InputFile file, InputFile::Open(path));
  std::array<uint8_t, 8> start{};
  const size_t size = std::min<uint64_t>(start.size(), file.size_bytes());
  LICHEN_TRY_VOID(file.ReadAt(0, std::span(start).first(size)));
  constexpr std::array<uint8_t, 8> kModelMagic = {0x89, 'L', 'I', 'C', 'H', 'E', 'N', '\n'};
  if (size >= 5 &&
      std::equal(start.begin(), start.begin() + static_cast<int64_t>(size), kModelMagic.begin())) {
    return FileKind::kModel;
  }
  if (size >= 4 && std::equal(start.begin(), start.begin() + 4, kModelMagic.begin())) {
    return FileKind::kBitstream;
  }
  return Fail("{}: byte 0: is neither a .lichen model nor a .lic bitstream", path);
}

Result<Exit> ModelInfo(const Options& options, const CommonOptions& common) {
  Size2 size;
  if (!options.size.empty()) {
    LICHEN_TRY(size, ParseSize(options.size));
  }
  LICHEN_TRY(const Model model, LoadModel(options.file));
  if (common.json) {
    LICHEN_TRY(const nlohmann::json json, InPlace(options.file, ToJson(model, size)));
    nlohmann::ordered_json out = {{"file", options.file}};
    out.update(nlohmann::ordered_json(json));
    PrintJson(out);
    return Exit::kDone;
  }
  LICHEN_TRY(const std::string text, InPlace(options.file, ToText(model, size)));
  PrintText(common, "{}", text);
  return Exit::kDone;
}

Result<Exit> BitstreamInfo(const Options& options, const CommonOptions& common) {
  if (!options.size.empty()) return FailUsage("--size is for models; a bitstream has its own");
  LICHEN_TRY(const InputFile file, InputFile::Open(options.file));
  LICHEN_TRY(const LicHeader header, ReadHeader(file));
  uint64_t latent_bytes = 0, hyper_bytes = 0, alpha_bytes = 0;
  for (const SegmentEntry& segment : header.segments) {
    latent_bytes += segment.latent_bytes;
    hyper_bytes += segment.hyper_bytes;
    alpha_bytes += segment.alpha_bytes;
  }
  const ImageInfo& info = header.info;
  const double bpp =
      8.0 * static_cast<double>(file.size_bytes()) / static_cast<double>(info.width * info.height);
  const std::string identity = ToHex(header.model_identity);
  if (common.json) {
    nlohmann::ordered_json json = {{"file", options.file},
                                   {"kind", "bitstream"},
                                   {"bytes", file.size_bytes()},
                                   {"bpp", bpp},
                                   {"width", info.width},
                                   {"height", info.height},
                                   {"channels", info.channels},
                                   {"bit_depth", info.bit_depth},
                                   {"model_identity", identity},
                                   {"downscale", header.downscale},
                                   {"latent_rows_per_segment", header.latent_rows_per_segment},
                                   {"header_bytes", header.size_bytes},
                                   {"latent_bytes", latent_bytes},
                                   {"hyper_bytes", hyper_bytes},
                                   {"alpha_bytes", alpha_bytes},
                                   {"icc_bytes", info.metadata.icc.size()},
                                   {"exif_bytes", info.metadata.exif.size()},
                                   {"segments", nlohmann::ordered_json::array()}};
    for (const SegmentEntry& segment : header.segments) {
      json["segments"].push_back({{"offset_bytes", segment.offset_bytes},
                                  {"latent_bytes", segment.latent_bytes},
                                  {"hyper_bytes", segment.hyper_bytes},
                                  {"alpha_bytes", segment.alpha_bytes}});
    }
    PrintJson(json);
    return Exit::kDone;
  }
  PrintText(common, "{}: {}, {} bytes, {:.4f} bit per pixel\n", options.file, Describe(info),
            file.size_bytes(), bpp);
  PrintText(common, "model     {}\n", identity);
  PrintText(common, "segments  {} of {} latent rows ({} picture rows)\n", header.segments.size(),
            header.latent_rows_per_segment, header.latent_rows_per_segment * header.downscale);
  PrintText(common,
            "bytes     header {}, latents {}, {}alpha {}; within the header ICC {}, Exif {}\n",
            header.size_bytes, latent_bytes,
            header.has_hyper ? fmt::format("hyper-latents {}, ", hyper_bytes) : "", alpha_bytes,
            info.metadata.icc.size(), info.metadata.exif.size());
  return Exit::kDone;
}

Result<Exit> RunInfo(const Options& options, const CommonOptions& common) {
  LICHEN_TRY(const FileKind kind, KindOf(options.file));
  return kind == FileKind::kModel ? ModelInfo(options, common) : BitstreamInfo(options, common);
}

}  // namespace

void AddInfoCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "info", "Tell what a .lichen model or a .lic bitstream holds",
                 [options](const CommonOptions& common) { return RunInfo(*options, common); });
  command->add_option("FILE", options->file, "A .lichen model or a .lic bitstream")->required();
  command
      ->add_option("--size", options->size,
                   "Also give the sizes and multiply-accumulates of a model's layers for a "
                   "picture of this size")
      ->type_name("HEIGHTxWIDTH");
}

}  // namespace lichen
