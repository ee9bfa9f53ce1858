#include "net/exporter.h"

#include <array>
#include <string>

#include "net/check.h"
#include "net/export/formats.h"

namespace lichen {
namespace {

constexpr std::array<ExportFormat, 2> kFormats = {{
    {"xlic", "folder with ana_w.bin, ana_b.bin, syn_w.bin, syn_b.bin",
     "float bls2017 transforms, as X-LIC takes them", ExportXlic},
    {"streamlic", ".safetensors file",
     "a 12-bit integer codec of StreamLIC's layers, with its probability tables", ExportStreamlic},
}};

std::string KnownFormats() {
  std::string list;
  for (const ExportFormat& format : kFormats) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", format.name);
  }
  return list;
}

}  // namespace

std::span<const ExportFormat> ExportFormats() { return kFormats; }

Result<void> Export(std::string_view name, const Model& model,
                    const std::filesystem::path& output) {
  for (const ExportFormat& format : kFormats) {
    if (format.name != name) continue;
    if (const auto* net = std::get_if<IntNet>(&model)) {
      LICHEN_TRY_VOID(CheckIntNet(*net));
    } else {
      LICHEN_TRY_VOID(CheckFloatNet(std::get<FloatNet>(model)));
    }
    return format.write(model, output);
  }
  return FailUsage("unknown format '{}'; known are {}", name, KnownFormats());
}

}  // namespace lichen
