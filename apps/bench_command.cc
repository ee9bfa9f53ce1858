// lichen bench: speed beside the machine's own peak, float peers, entropy coding, scaling.
#include <algorithm>

#include "apps/command.h"
#include "apps/progress_line.h"
#include "bench/bench.h"
#include "kernels/cpu_target.h"
#include "net/model_file.h"

namespace lichen {
namespace {

struct Options {
  std::string model;
  std::string float_model;
  std::string pictures;
  std::string ape;
  std::vector<std::string> suites = {"engine", "scaling", "entropy"};
  std::vector<int> thread_counts = {1, 2};
  std::vector<double> megapixels = {0.1, 0.3, 1, 3, 10, 30, 100};
  int64_t height = 1365;
  int64_t width = 2048;
  int runs = 7;
};

Result<IntNet> LoadIntNet(const std::string& path) {
  LICHEN_TRY(Model model, LoadModel(path));
  if (!std::holds_alternative<IntNet>(model)) {
    return Fail("{}: is a float model; quantise it first (lichen quantize)", path);
  }
  return std::get<IntNet>(std::move(model));
}

bool Has(const Options& o, const char* suite) {
  return std::find(o.suites.begin(), o.suites.end(), suite) != o.suites.end();
}

// The suites that measure a model.
Result<std::vector<BenchRow>> MeasureModel(const Options& o, const IntNet& net,
                                           const BenchProgress& progress) {
  std::vector<BenchRow> rows;
  const auto has = [&](const char* suite) { return Has(o, suite); };
  const auto add = [&](std::vector<BenchRow> more) {
    rows.insert(rows.end(), more.begin(), more.end());
  };
  const EngineBenchOptions engine{{o.height, o.width}, o.thread_counts, o.runs};
  if (has("engine")) {
    LICHEN_TRY(std::vector<BenchRow> more, BenchEngine(net, engine, progress));
    add(std::move(more));
  }
  if (has("float")) {
    if (o.float_model.empty()) return FailUsage("the suite 'float' needs --float MODEL");
    LICHEN_TRY(const Model model, LoadModel(o.float_model));
    if (!std::holds_alternative<FloatNet>(model)) {
      return FailUsage("{}: is no float model", o.float_model);
    }
    LICHEN_TRY(std::vector<BenchRow> more,
               BenchFloatPeers(net, std::get<FloatNet>(model), engine, progress));
    add(std::move(more));
  }
  if (has("scaling")) {
    LICHEN_TRY(std::vector<BenchRow> more,
               BenchScaling(net, o.megapixels, std::min(o.runs, 3), progress));
    add(std::move(more));
  }
  if (has("processes")) {
    if (o.pictures.empty()) return FailUsage("the suite 'processes' needs --pictures DIR");
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    LICHEN_TRY(
        std::vector<BenchRow> more,
        BenchProcesses(program, o.model, o.pictures, o.thread_counts.back(), o.runs, progress));
    add(std::move(more));
  }
  if (has("entropy")) {
    if (!o.pictures.empty()) {
      LICHEN_TRY(std::vector<BenchRow> more,
                 BenchEntropyOfPictures(net, o.pictures, o.runs, progress));
      add(std::move(more));
    }
    if (!o.ape.empty()) {
      LICHEN_TRY(std::vector<BenchRow> more, BenchEntropyOfApe(o.ape, o.runs, progress));
      add(std::move(more));
    }
    if (o.pictures.empty() && o.ape.empty()) {
      PrintNote("suite 'entropy' left out: name real symbols with --pictures DIR or --ape FILE");
    }
  }
  return rows;
}

Result<std::vector<BenchRow>> Measure(const Options& o, const BenchProgress& progress) {
  std::vector<BenchRow> rows;
  if (Has(o, "fusion")) {
    LICHEN_TRY(rows, BenchFusion(o.runs, progress));
    if (o.suites.size() == 1) return rows;
  }
  if (o.model.empty()) return FailUsage("MODEL is required for suites other than 'fusion'");
  LICHEN_TRY(const IntNet net, LoadIntNet(o.model));
  LICHEN_TRY(const std::vector<BenchRow> more, MeasureModel(o, net, progress));
  rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

Result<Exit> RunBench(const Options& o, const CommonOptions& common) {
  std::vector<BenchRow> rows;
  {
    ProgressLine progress("bench");
    LICHEN_TRY(rows, Measure(o, [](const std::string& what) { PrintNote(what); }));
  }
  if (common.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const BenchRow& row : rows) {
      list.push_back({{"name", row.name},
                      {"unit", row.unit},
                      {"median", row.median},
                      {"min", row.min},
                      {"max", row.max},
                      {"runs", row.runs}});
    }
    PrintJson({{"cpu_target", ActiveCpuTarget()}, {"rows", list}});
    return Exit::kDone;
  }
  PrintText(common, "CPU target {}; median (least .. largest) of the runs\n", ActiveCpuTarget());
  size_t width = 0;
  for (const BenchRow& row : rows) width = std::max(width, row.name.size());
  for (const BenchRow& row : rows) {
    PrintText(common, "{:{}}  {:>12.4g} {:<10} ({:.4g} .. {:.4g}; {} runs)\n", row.name, width,
              row.median, row.unit, row.min, row.max, row.runs);
  }
  return Exit::kDone;
}

}  // namespace

void AddBenchCommand(CLI::App& app, Invocation& invocation) {
  const auto o = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, invocation, "bench",
                                 "Measure speed as a ratio to the machine's own peak or to a peer",
                                 [o](const CommonOptions& common) { return RunBench(*o, common); });
  command->add_option("MODEL", o->model, "An integer codec model; the suite 'fusion' needs none");
  command
      ->add_option("--suite", o->suites,
                   "What to measure: engine, float, scaling, entropy, processes, fusion")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::IsMember({"engine", "float", "scaling", "entropy", "processes", "fusion"}))
      ->capture_default_str();
  command->add_option("--float", o->float_model, "The float model, for the suite 'float'");
  command->add_option("--pictures", o->pictures, "Folder whose latents the suite 'entropy' codes");
  command->add_option("--ape", o->ape, "StreamLIC's ape_real file, for the suite 'entropy'");
  command->add_option("--thread-counts", o->thread_counts, "Thread counts of the engine suites")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--megapixels", o->megapixels, "Sizes of the suite 'scaling'")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::Range(0.001, 1000.0))
      ->capture_default_str();
  command->add_option("--height", o->height, "Picture height of the engine suites")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--width", o->width, "Picture width of the engine suites")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--runs", o->runs, "Measured runs after one warm-up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

}  // namespace lichen
