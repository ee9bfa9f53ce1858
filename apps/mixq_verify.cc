// The C simulation of an export beside the CPU engine.
#include <cstdlib>
#include <cstring>

#include "accel/common/bundle.h"
#include "accel/mixq/emit.h"
#include "apps/bundle_tools.h"
#include "apps/mixq_export.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "base/shell_quote.h"
#include "engine/run_model.h"
#include "flow/model_input.h"
#include "image/reader.h"
#include "net/model_file.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

struct LayerResult {
  std::string name;
  int64_t values = 0;
  int64_t differences = 0;
};

// Macro of network.hpp, as a number.
Result<int64_t> ReadMacro(const fs::path& path, std::string_view name) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, 1 << 20));
  const std::string text(bytes.begin(), bytes.end());
  const std::string wanted = fmt::format("#define {} ", name);
  const size_t at = text.find(wanted);
  const int64_t value = at == text.npos ? 0 : std::atoll(text.c_str() + at + wanted.size());
  if (value < 1 || value > 1 << 20) {
    return Fail("{}: has no {}; export the network again", path.string(), name);
  }
  return value;
}

Result<Tensor<int32_t>> FromBytes(const fs::path& folder, std::span<const uint8_t> bytes) {
  Shape shape{.n = 1};
  LICHEN_TRY(shape.h, ReadMacro(folder / "network.hpp", "INPUT_ROW"));
  LICHEN_TRY(shape.w, ReadMacro(folder / "network.hpp", "INPUT_COL"));
  LICHEN_TRY(shape.c, ReadMacro(folder / "network.hpp", "INPUT_CH"));
  if (std::ssize(bytes) != shape.h * shape.w * shape.c) {
    return Fail("{}: has {} bytes, the network reads {} x {} x {}",
                (folder / mixq::kInputName).string(), bytes.size(), shape.h, shape.w, shape.c);
  }
  Tensor<int32_t> input(shape);
  std::ranges::copy(bytes, input.span().begin());
  return input;
}

// The picture: `image`, written as the simulation reads it, or the one of the export.
Result<Tensor<int32_t>> Input(const fs::path& folder, const IntNet& net, const std::string& image,
                              fs::path& file) {
  file = folder / mixq::kInputName;
  LICHEN_TRY(const std::vector<uint8_t> stored, ReadFile(file));
  LICHEN_TRY(Tensor<int32_t> input, FromBytes(folder, stored));
  if (image.empty()) return input;
  LICHEN_TRY(const Image picture, ReadImage(image));
  LICHEN_TRY(Tensor<int32_t> other, PictureInput(net, picture));
  if (other.shape() != input.shape()) {
    return Fail("{}: is {}x{}, the export is for {}x{}", image, other.shape().h, other.shape().w,
                input.shape().h, input.shape().w);
  }
  std::vector<uint8_t> bytes;
  for (const int32_t value : other.span()) bytes.push_back(static_cast<uint8_t>(value));
  file = folder / "build/input.bin";
  LICHEN_TRY_VOID(WriteFile(file, std::span<const uint8_t>(bytes)));
  return other;
}

Result<void> Simulate(const fs::path& folder, const fs::path& input) {
  if (std::system("command -v g++ >/dev/null 2>&1") != 0) {
    return Fail("g++ is not installed (Debian: apt-get install g++)");
  }
  const fs::path build = folder / "build";
  std::error_code error;
  fs::remove_all(build / "layers", error);
  fs::create_directories(build / "layers", error);
  LICHEN_TRY_VOID(RunShell(fmt::format("cd {} && {}", ShellQuoted(folder.string()),
                                       mixq::BuildCommand("build/simulation")),
                           build / "build.log", "building the C simulation with g++"));
  return RunShell(
      fmt::format("{} {} {}", ShellQuoted((build / "simulation").string()),
                  ShellQuoted(input.string()), ShellQuoted((build / "layers").string())),
      build / "run.log", "running the C simulation");
}

Result<LayerResult> Compare(const fs::path& path, const std::string& name,
                            const Tensor<int32_t>& expected) {
  const auto values = expected.span();
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, 4 * values.size() + 1));
  if (bytes.size() != 4 * values.size()) {
    return Fail("{}: has {} bytes, the engine gives {} values", path.string(), bytes.size(),
                values.size());
  }
  LayerResult layer{.name = name, .values = std::ssize(values)};
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t value = 0;
    for (size_t k = 0; k < 4; ++k) value |= uint32_t{bytes[4 * i + k]} << (8 * k);
    layer.differences += static_cast<int32_t>(value) != values[i];
  }
  return layer;
}

}  // namespace

bool IsMixqExport(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / mixq::kWeightsName, error) &&
         fs::exists(folder / mixq::kModelName, error) &&
         fs::exists(folder / accel::kManifestName, error);
}

Result<Exit> VerifyMixq(const fs::path& folder, const std::string& image, bool is_edited,
                        const CommonOptions& common) {
  LICHEN_TRY_VOID(CheckManifest(folder, is_edited));
  LICHEN_TRY(const Model model, LoadModel((folder / mixq::kModelName).string()));
  const auto* net = std::get_if<IntNet>(&model);
  const IntGraph* graph = net ? net->Find("main") : nullptr;
  if (!graph) return Fail("{}: its model is no CNN; export it again", folder.string());
  ProgressLine progress("computing");
  fs::path file;
  std::error_code error;
  fs::create_directories(folder / "build", error);
  LICHEN_TRY(Tensor<int32_t> input, Input(folder, *net, image, file));
  LICHEN_TRY(const ModelRun<int32_t> run,
             RunModel(*net, std::move(input), {}, Threads(common.threads)));
  progress.Stage("building and running the C simulation");
  LICHEN_TRY_VOID(Simulate(folder, file));
  bool is_equal = true;
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  Table table{.header = {"layer", "values", "equal in C simulation"}, .rows = {}};
  for (const IntNode& node : graph->nodes) {
    const std::string& name = graph->tensor(node.output).name;
    const Tensor<int32_t>* expected = run.Find(name);
    if (!expected) return Fail("the engine gives no tensor {}", name);
    LICHEN_TRY(const LayerResult layer,
               Compare(folder / "build/layers" / (name + ".bin"), name, *expected));
    is_equal = is_equal && layer.differences == 0;
    layers.push_back(
        {{"name", name}, {"values", layer.values}, {"differences", layer.differences}});
    table.rows.push_back(
        {name, fmt::format("{}", layer.values),
         layer.differences == 0 ? "yes" : fmt::format("NO: {} differ", layer.differences)});
  }
  if (common.json) {
    PrintJson({{"targets", {"mixq-hls"}}, {"layers", layers}, {"equal", is_equal}});
  }
  PrintText(common, "{}{}\n", ToText(table),
            is_equal ? "every layer equal" : "layers differ from the engine");
  return is_equal ? Exit::kDone : Exit::kNo;
}

}  // namespace lichen
