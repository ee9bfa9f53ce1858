#include "net/importer.h"

#include <array>

#include "net/check.h"
#include "net/import/sources.h"

namespace lichen {
namespace {

constexpr std::array<ImportSource, 6> kSources = {{
    {"xlic", "folder with ana_w.bin, ana_b.bin, syn_w.bin, syn_b.bin",
     "X-LIC's bls2017 transforms, float32", "", ImportXlic},
    {"streamlic", ".safetensors or .safetensors.xz file",
     "StreamLIC's 12-bit codec with its row-autoregressive context", "", ImportStreamlic},
    {"mixq", ".safetensors or .safetensors.xz file",
     "a DeepBurning-MixQ network with mixed operand widths", "", ImportMixq},
    {"ultranet-qbin", ".qbin file", "a trained UltraNet detector, 4-bit weights and activations",
     "bits=weight widths of the nine layers, e.g. 8,4,4,4,4,4,4,4,8 (default: from the values)",
     ImportUltranetQbin},
    {"sjtu-bypass", ".npz file", "SJTU_microe's trained UltraNet_Bypass, quantised to 4 bits", "",
     ImportSjtuBypass},
    {"skynet-skrskr", "folder with SkyNet.wt and SkyNet.bm",
     "SkrSkr's trained SkyNet detector, 6-bit weights and 8-bit activations", "",
     ImportSkynetSkrskr},
}};

std::string KnownSources() {
  std::string list;
  for (const ImportSource& source : kSources) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", source.name);
  }
  return list;
}

// True where "key=" opens one of the source's options.
bool TakesOption(const ImportSource& source, std::string_view key) {
  const std::string opening = fmt::format("{}=", key);
  return source.options.starts_with(opening) ||
         source.options.find("; " + opening) != std::string_view::npos;
}

}  // namespace

std::span<const ImportSource> ImportSources() { return kSources; }

Result<Model> Import(std::string_view name, const std::filesystem::path& path,
                     const ImportOptions& options) {
  for (const ImportSource& source : kSources) {
    if (source.name != name) continue;
    for (const auto& [key, value] : options) {
      if (TakesOption(source, key)) continue;
      return FailUsage("source {} has no option '{}'{}{}", name, key,
                       source.options.empty() ? "" : "; its options: ", source.options);
    }
    LICHEN_TRY(Model model, source.import(path, options));
    if (const auto* net = std::get_if<IntNet>(&model)) {
      LICHEN_TRY_VOID(InPlace(path.string(), CheckIntNet(*net)));
    } else {
      LICHEN_TRY_VOID(InPlace(path.string(), CheckFloatNet(std::get<FloatNet>(model))));
    }
    return model;
  }
  return FailUsage("unknown source '{}'; known are {}", name, KnownSources());
}

}  // namespace lichen
