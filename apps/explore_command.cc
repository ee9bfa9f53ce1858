// lichen explore: which designs of the tile engine are worth building for a network and a board.
#include <chrono>

#include "accel/tile/estimate.h"
#include "accel/tile/plan.h"
#include "accel/tile/simulate.h"
#include "apps/command.h"
#include "apps/model_choice.h"
#include "apps/mpi_run.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "explore/tile_space.h"
#include "report/svg_plot.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string model;
  std::string board = "zcu102";
  std::string size;
  std::string objectives = "latency,dsp,dram";
  std::string output;
  std::string journal;
  int64_t bits = 16;
  double clock_mhz = 200;
  bool is_exhaustive = false;
  bool has_mpi = false;
};

Plot MakePlot(const ExploreResult& result, const Options& o) {
  Plot plot{.title = fmt::format("{} on {}, {} bits: estimated",
                                 fs::path(o.model).filename().string(), o.board, o.bits),
            .x_label = "DSP",
            .y_label = "latency of all graphs, ms",
            .series = {}};
  PlotSeries series{
      .name = "Pareto points", .points = {}, .style = PlotSeries::Style::kLineAndMarkers};
  // The lower envelope; other points differ in memory traffic.
  double best = 0;
  std::vector<std::pair<double, double>> points;
  for (const TilePoint& p : result.points) {
    points.emplace_back(static_cast<double>(p.resources.dsp), p.latency_ms);
  }
  std::ranges::sort(points);
  for (const auto& [dsp, ms] : points) {
    if (!series.points.empty() && ms >= best) continue;
    best = ms;
    series.points.emplace_back(dsp, ms);
  }
  plot.series.push_back(std::move(series));
  plot.has_log_y = true;
  return plot;
}

// Estimate against simulation of a point, over all graphs; the largest difference of a layer.
struct Check {
  double ideal = 0;
  double board = 0;
};

Result<Check> CheckPoint(const IntNet& net, const TilePoint& point, const Board& board,
                         Size2 size) {
  Check check;
  for (const char* graph : {"main", "analysis", "synthesis"}) {
    if (!net.Find(graph)) continue;
    LICHEN_TRY(const tile::Compiled compiled, tile::Compile(net, graph, point.design, board, size));
    if (!compiled.fit.ok) return Fail("{}: {}", point.design.name, compiled.fit.reason);
    const tile::Estimate estimate = EstimatePlan(compiled.plan);
    for (const bool is_ideal : {true, false}) {
      LICHEN_TRY(const tile::Trace trace,
                 SimulateTime(compiled.plan, is_ideal ? tile::IdealMemory()
                                                      : tile::BoardMemory(board, point.design)));
      for (size_t i = 0; i < trace.layers.size(); ++i) {
        const double difference = static_cast<double>(estimate.layers[i].cycles) /
                                      static_cast<double>(trace.layers[i].cycles) -
                                  1;
        double& largest = is_ideal ? check.ideal : check.board;
        if (std::abs(difference) > std::abs(largest)) largest = difference;
      }
    }
  }
  return check;
}

// The first process gets all parts.
Result<ExploreResult> JoinParts(MpiRun& mpi, const ExploreResult& own,
                                const std::vector<Objective>& objectives) {
  std::vector<ExploreResult> parts;
  for (const std::string& text : mpi.Gather(ToJson(own))) {
    LICHEN_TRY(ExploreResult part, ParseExploreResult(text));
    parts.push_back(std::move(part));
  }
  return Merge(std::move(parts), objectives);
}

Result<Exit> RunExplore(const Options& o, const CommonOptions& common) {
  LICHEN_TRY(const Board board, LoadBoard(o.board));
  if (o.bits != 8 && o.bits != 16) return FailUsage("--bits {}: must be 8 or 16", o.bits);
  const Threads threads(common.threads);
  LICHEN_TRY(const IntNet net, LoadIntNet(o.model, threads));
  LICHEN_TRY(const Size2 size, PictureSize(o.size, net, o.model));
  ExploreOptions options;
  LICHEN_TRY(options.objectives, ParseObjectives(o.objectives));
  options.is_pruned = !o.is_exhaustive;
  options.journal = o.journal;
  TileSpace space = DefaultSpace(o.bits);
  space.clock_mhz = o.clock_mhz;
  ProgressLine progress("searching");
  options.progress = progress.Callback();
  const auto start = std::chrono::steady_clock::now();
  std::optional<MpiRun> mpi;
  if (o.has_mpi) {
    LICHEN_TRY(mpi, MpiRun::Join());
    options.part = mpi->rank();
    options.parts = mpi->size();
    if (!o.journal.empty()) options.journal += fmt::format(".{}", mpi->rank());
  }
  LICHEN_TRY(ExploreResult result,
             InPlace(o.model, ExploreTile(net, board, size, space, options, threads)));
  if (mpi) {
    LICHEN_TRY(result, JoinParts(*mpi, result, options.objectives));
    if (mpi->rank() != 0) return Exit::kDone;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double per_second =
      result.seconds > 0 ? static_cast<double>(result.evaluated) / result.seconds : 0;
  if (result.points.empty()) {
    const Fit fit = tile::CheckBoard({}, board);
    PrintNote(fmt::format("no design of the search fits {}{}", board.name,
                          fit.ok ? "" : fmt::format(": {}", fit.reason)));
    return Exit::kNo;
  }
  const fs::path folder = o.output;
  LICHEN_TRY_VOID(WriteFile(folder / "pareto.csv", std::string_view(ToCsv(result))));
  LICHEN_TRY_VOID(WriteFile(folder / "pareto.json", std::string_view(ToJson(result))));
  LICHEN_TRY_VOID(WriteFile(folder / "pareto.svg", std::string_view(ToSvg(MakePlot(result, o)))));
  progress.Stage("checking points by simulation");
  Check worst;
  for (size_t i = 0; i < result.points.size(); ++i) {
    const TilePoint& p = result.points[i];
    LICHEN_TRY_VOID(
        WriteFile(folder / fmt::format("point_{}.toml", i), std::string_view(ToToml(p.design))));
    LICHEN_TRY(const Check check, CheckPoint(net, p, board, size));
    if (std::abs(check.ideal) > std::abs(worst.ideal)) worst.ideal = check.ideal;
    if (std::abs(check.board) > std::abs(worst.board)) worst.board = check.board;
  }
  if (common.json) {
    PrintJson({{"figures", "estimated"},
               {"output", o.output},
               {"pareto_points", result.points.size()},
               {"arrays", result.arrays},
               {"complete_points", result.evaluated},
               {"pruned_points", result.pruned},
               {"seconds", seconds},
               {"points_per_second_and_core", per_second},
               {"largest_difference_ideal", worst.ideal},
               {"largest_difference_ddr4", worst.board}});
    return Exit::kDone;
  }
  Table table{.header = {"point", "array", "ms", "frames/s", "DSP", "BRAM36", "DRAM MB", "mJ"},
              .rows = {}};
  const size_t shown = std::min<size_t>(result.points.size(), 20);
  for (size_t i = 0; i < shown; ++i) {
    const TilePoint& p = result.points[i];
    const tile::Design& d = p.design;
    std::string rates;
    for (double ms : p.graph_ms)
      rates += fmt::format("{}{:.1f}", rates.empty() ? "" : " ", 1e3 / ms);
    table.rows.push_back({fmt::format("{}", i),
                          fmt::format("{}x{}x{}x{}", d.pif, d.pof, d.poy, d.pox),
                          fmt::format("{:.2f}", p.latency_ms), rates,
                          fmt::format("{}", p.resources.dsp), fmt::format("{}", p.resources.bram36),
                          fmt::format("{:.1f}", static_cast<double>(p.dram_bytes) / 1e6),
                          fmt::format("{:.1f}", p.energy_mj)});
  }
  PrintText(common, "{}", ToText(table));
  if (shown < result.points.size()) {
    PrintText(common, "and {} more in {}\n", result.points.size() - shown,
              (folder / "pareto.csv").string());
  }
  PrintText(common,
            "estimated: {} Pareto points of {} complete ones ({} more pruned) in {:.1f} s, {:.0f} "
            "per second and core\nestimate against simulation, worst layer of all points: {:+.2f} "
            "% with ideal memory, {:+.2f} % with ddr4\n",
            result.points.size(), result.evaluated, result.pruned, seconds, per_second,
            100 * worst.ideal, 100 * worst.board);
  return Exit::kDone;
}

}  // namespace

void AddExploreCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, invocation, "explore", "Search the designs of the tile engine for a network and a board",
      [options](const CommonOptions& common) { return RunExplore(*options, common); });
  command->add_option("MODEL", options->model, "An integer .lichen model")->required();
  command
      ->add_option("--board", options->board,
                   fmt::format("{}, or a file", fmt::join(BoardNames(), ", ")))
      ->capture_default_str();
  command
      ->add_option("--size", options->size, "The pictures' size (default: what the model states)")
      ->type_name("HEIGHTxWIDTH");
  command->add_option("--bits", options->bits, "Operands of 16 or 8 bits")->capture_default_str();
  command->add_option("--clock", options->clock_mhz, "MHz")->capture_default_str();
  command->add_option("--objective", options->objectives, "Among latency, dsp, dram, energy")
      ->type_name("LIST")
      ->capture_default_str();
  command
      ->add_option("--journal", options->journal,
                   "Keep what is done there, and go on from what it holds")
      ->type_name("F");
  command->add_flag("--exhaustive", options->is_exhaustive, "Leave nothing out (slow)");
  command->add_flag("--mpi", options->has_mpi, "Share the search among the processes of mpirun");
  command->add_option("-o,--output", options->output, "Folder of the results")
      ->type_name("DIR")
      ->required();
}

}  // namespace lichen
