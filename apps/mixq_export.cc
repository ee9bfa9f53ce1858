#include "apps/mixq_export.h"

#include "accel/mixq/emit.h"
#include "accel/mixq/folding.h"
#include "apps/bundle_tools.h"
#include "apps/model_choice.h"
#include "base/files.h"
#include "flow/model_input.h"
#include "image/reader.h"
#include "image/synthetic.h"
#include "net/check.h"
#include "net/model_file.h"

namespace lichen {
namespace {

// The size that the model states; another one given is an error.
Result<Size2> OnlySize(const MixqExportOptions& o, const IntNet& net) {
  LICHEN_TRY(const Size2 size, PictureSize(o.size, net, o.model));
  if (o.size.empty() || !net.metadata.contains("input_size")) return size;
  LICHEN_TRY(const Size2 stated, PictureSize("", net, o.model));
  if (size == stated) return size;
  return Fail("--size {}: {} is for pictures of {}x{}; leave --size out", o.size, o.model, stated.h,
              stated.w);
}

Result<Image> PictureFor(const MixqExportOptions& o, Size2 size, int64_t channels) {
  if (!o.image.empty()) return ReadImage(o.image);
  return RenderTestPicture(size.h, size.w, 1, channels == 1 ? 1 : 3);
}

// The picture as the testbench reads it: bytes in the order row, column, channel.
Result<std::vector<uint8_t>> PictureBytes(const IntNet& net, const Image& picture, Size2 size) {
  LICHEN_TRY(const Tensor<int32_t> input, PictureInput(net, picture));
  if (input.shape().h != size.h || input.shape().w != size.w) {
    return Fail("the picture is {}x{}, the network is for {}x{}", input.shape().h, input.shape().w,
                size.h, size.w);
  }
  std::vector<uint8_t> bytes;
  for (const int32_t value : input.span()) bytes.push_back(static_cast<uint8_t>(value));
  return bytes;
}

}  // namespace

Result<Exit> ExportMixq(const MixqExportOptions& o, const CommonOptions& common) {
  if (o.simd_pe.empty()) {
    return FailUsage("--format {} needs --simd-pe FILE: simd and pe of every layer", kMixqFormat);
  }
  LICHEN_TRY(const std::vector<uint8_t> model_bytes, ReadFile(o.model));
  LICHEN_TRY(const Model model, LoadModel(o.model));
  const auto* net = std::get_if<IntNet>(&model);
  if (!net) {
    return Fail("{}: is a float network; {} takes integer ones: train it with bitw and bita",
                o.model, kMixqFormat);
  }
  LICHEN_TRY_VOID(InPlace(o.model, CheckIntNet(*net)));
  // Before the size: a codec states none.
  if (!net->Find("main")) {
    return Fail(
        "{}: has no graph 'main': it is a codec, {} takes CNNs; `lichen compile` and `lichen emit` "
        "take codecs",
        o.model, kMixqFormat);
  }
  LICHEN_TRY(const Size2 size, OnlySize(o, *net));
  LICHEN_TRY(mixq::Network network, InPlace(o.model, mixq::FromGraph(*net, size)));
  LICHEN_TRY_VOID(mixq::LoadFoldings(o.simd_pe, network));
  LICHEN_TRY(const Image picture,
             PictureFor(o, size, network.place(network.graph->inputs[0]).channels));
  LICHEN_TRY(std::vector<uint8_t> input, PictureBytes(*net, picture, size));
  std::vector<accel::BundleFile> files = mixq::Emit(network);
  files.push_back({mixq::kModelName, model_bytes});
  files.push_back({mixq::kInputName, std::move(input)});
  LICHEN_TRY_VOID(WriteBundle(o.output, files));
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const mixq::Layer& layer : network.layers) {
    layers.push_back({{"name", layer.name},
                      {"variable", layer.Variable()},
                      {"simd", layer.folding.simd},
                      {"pe", layer.folding.pe}});
  }
  if (common.json) {
    PrintJson({{"model", o.model},
               {"format", kMixqFormat},
               {"output", o.output},
               {"layers", layers},
               {"files", files.size()}});
  }
  PrintText(common, "{}: {} layers for {}, {} files; `lichen verify {}` compares every layer\n",
            o.output, layers.size(), kMixqFormat, files.size(), o.output);
  return Exit::kDone;
}

}  // namespace lichen
