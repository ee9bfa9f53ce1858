// lichen quantize: a float network and calibration pictures -> an integer network.
#include <charconv>

#include "apps/command.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "base/hash.h"
#include "flow/quantise_codec.h"
#include "net/identity.h"
#include "net/model_file.h"

namespace lichen {
namespace {

struct Options {
  std::string model;
  std::string output;
  std::string calibration;
  std::string report;
  std::vector<std::string> layers;
  QuantOptions quant;
  CalibrationOptions pictures;
  FitOptions fit;
};

// "NAME=OPERAND/WEIGHT"; 0 or nothing leaves a width at its default.
Result<LayerBits> ParseLayer(std::string_view text) {
  const size_t equals = text.find('=');
  const size_t slash = text.find('/', equals == std::string_view::npos ? 0 : equals);
  LayerBits bits;
  const auto parse = [](std::string_view digits, int& value) {
    if (digits.empty()) return true;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value >= 0 &&
           value <= 16;
  };
  if (equals == std::string_view::npos || equals == 0 || slash == std::string_view::npos ||
      !parse(text.substr(equals + 1, slash - equals - 1), bits.operand_bits) ||
      !parse(text.substr(slash + 1), bits.weight_bits)) {
    return FailUsage(
        "--layer {}: write NAME=OPERAND/WEIGHT with widths up to 16, for example "
        "ana_0=12/10",
        text);
  }
  bits.layer = text.substr(0, equals);
  return bits;
}

void Print(const Options& options, const QuantResult& result, double seconds,
           const CommonOptions& common) {
  const std::string identity = ToHex(ModelIdentity(result.net));
  const TableSet* tables = result.net.FindTables("latent");
  if (!common.json) {
    PrintText(common, "{}", ToText(result.report));
    if (tables) {
      PrintText(common, "tables: {} of {} bits, one per latent channel\n", tables->tables.size(),
                tables->prob_bits);
    }
    PrintText(common, "{}: identity {}, {:.1f} s\n", options.output, identity.substr(0, 16),
              seconds);
    return;
  }
  nlohmann::ordered_json json = {{"model", options.model},
                                 {"output", options.output},
                                 {"identity", identity},
                                 {"seconds", seconds}};
  if (tables) {
    json["tables"] = {
        {"name", tables->name}, {"count", tables->tables.size()}, {"prob_bits", tables->prob_bits}};
  }
  json["report"] = nlohmann::ordered_json::parse(ToJson(result.report));
  PrintJson(json);
}

Result<Exit> RunQuantize(Options options, const CommonOptions& common) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& layer : options.layers) {
    LICHEN_TRY(LayerBits bits, ParseLayer(layer));
    options.quant.layers.push_back(std::move(bits));
  }
  LICHEN_TRY(const Model model, LoadModel(options.model));
  const auto* net = std::get_if<FloatNet>(&model);
  if (!net) return Fail("{}: is an integer network already", options.model);
  const Threads threads(common.threads);
  ProgressLine progress("reading pictures");
  LICHEN_TRY(const Calibration calibration,
             LoadCalibration(options.calibration, options.pictures, threads));
  LICHEN_TRY(const QuantResult result,
             InPlace(options.model,
                     QuantiseCodec(*net, calibration, options.quant, options.fit, threads,
                                   [&](std::string_view stage) { progress.Stage(stage); })));
  LICHEN_TRY_VOID(SaveModel(options.output, result.net));
  if (!options.report.empty()) {
    LICHEN_TRY_VOID(WriteFile(options.report, std::string_view(ToJson(result.report) + "\n")));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Print(options, result, seconds, common);
  return Exit::kDone;
}

}  // namespace

void AddQuantizeCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "quantize", "Make an integer network of a float network",
                 [options](const CommonOptions& common) { return RunQuantize(*options, common); });
  command->add_option("FLOAT", options->model, "The float model")->required();
  command->add_option("-o,--output", options->output, "The integer model to write")
      ->type_name("INT.lichen")
      ->required();
  command
      ->add_option("--calib", options->calibration,
                   "Folder of pictures that show what values occur; never those to be coded")
      ->type_name("DIR")
      ->required();
  command->add_option("--bits", options->quant.bits, "Width of operands and weights at most")
      ->check(CLI::IsMember({8, 16}))
      ->capture_default_str();
  command
      ->add_option(
          "--layer", options->layers,
          "Other widths for a layer, named by its output; repeatable, or a list with commas")
      ->type_name("NAME=OPERAND/WEIGHT")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      ->add_option("--margin", options->quant.margin,
                   "Ranges are this times what calibration shows (default: 2 at 16 bits, 1 at 8)")
      ->check(CLI::Range(0.0, 64.0));
  command
      ->add_option("--percentile", options->quant.percentile,
                   "Share of magnitudes within the range (default: 100 at 16 bits, the least "
                   "error at 8)")
      ->check(CLI::Range(0.0, 100.0));
  command
      ->add_option("--max-pictures", options->pictures.max_pictures,
                   "Use at most so many pictures of the folder")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      ->add_option("--prob-bits", options->fit.prob_bits,
                   "Resolution of the probability tables, 12 to 16 bits")
      ->check(CLI::Range(12, 16))
      ->capture_default_str();
  command->add_option("--report", options->report, "Also write the report as JSON")
      ->type_name("FILE");
}

}  // namespace lichen
