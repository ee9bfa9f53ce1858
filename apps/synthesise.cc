#include "apps/synthesise.h"

#include <cstdlib>
#include <mutex>
#include <optional>

#include "apps/progress_line.h"
#include "base/files.h"
#include "base/shell_quote.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "synth";
constexpr uint64_t kMaxNetlistBytes = uint64_t{1} << 30;

Result<std::string> ReadText(const fs::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, kMaxNetlistBytes));
  return std::string(bytes.begin(), bytes.end());
}

// In the bundle's folder, since the scripts name its files.
Result<void> RunScript(const fs::path& bundle, const std::string& name, const std::string& script) {
  const fs::path folder = bundle / kFolder;
  LICHEN_TRY_VOID(WriteFile(folder / (name + ".ys"), script));
  const std::string line =
      fmt::format("cd {} && yosys -Q -T -l {}/{}.log -s {}/{}.ys >/dev/null 2>&1",
                  ShellQuoted(bundle.string()), kFolder, name, kFolder, name);
  if (std::system(line.c_str()) == 0) return {};
  return Fail("{}: Yosys failed; its log says why", (folder / (name + ".log")).string());
}

Result<tile::SynthesisResult> RunJob(const fs::path& bundle, const tile::SynthesisJob& job) {
  LICHEN_TRY_VOID(RunScript(bundle, job.name, job.script));
  const fs::path netlist = bundle / kFolder / (job.name + ".json");
  const fs::path ltp = bundle / kFolder / (job.name + ".ltp");
  LICHEN_TRY(const std::string json, ReadText(netlist));
  LICHEN_TRY(const std::string path, ReadText(ltp));
  auto result = InPlace(netlist.string(), tile::ReadResult(json, path));
  std::error_code ignored;
  fs::remove(netlist, ignored);
  fs::remove(ltp, ignored);
  return result;
}

std::string Halves(int64_t count) { return fmt::format("{}{}", count / 2, count % 2 ? ".5" : ""); }

std::string Difference(int64_t estimated, int64_t synthesised) {
  if (synthesised == 0) return "";
  return fmt::format("{:+.0f} %",
                     100 * (static_cast<double>(estimated) / static_cast<double>(synthesised) - 1));
}

std::vector<std::string> Row(std::string name, const CellCounts& synthesised,
                             const CellCounts& estimated, int64_t levels, const std::string& ltp) {
  return {std::move(name),
          fmt::format("{}", synthesised.dsp),
          fmt::format("{}", estimated.dsp),
          Halves(synthesised.bram18),
          Halves(estimated.bram18),
          fmt::format("{}", synthesised.lut),
          fmt::format("{}", synthesised.lut_memory),
          Difference(estimated.lut, synthesised.lut),
          fmt::format("{}", synthesised.ff),
          Difference(estimated.ff, synthesised.ff),
          fmt::format("{}", levels),
          ltp};
}

}  // namespace

Result<tile::SynthesisReport> Synthesise(const fs::path& bundle, const tile::Design& design,
                                         const CommonOptions& common) {
  if (std::system("command -v yosys >/dev/null 2>&1") != 0) {
    return Fail("yosys is not installed (Debian: yosys); --synth needs it");
  }
  ProgressLine progress("synthesising");
  const fs::path folder = bundle / kFolder;
  LICHEN_TRY_VOID(RunScript(bundle, "elaborate", tile::ElaborationScript(design)));
  LICHEN_TRY(const std::string modules, ReadText(folder / "modules.txt"));
  LICHEN_TRY(const std::vector<tile::SynthesisJob> jobs, tile::SynthesisJobs(design, modules));
  std::vector<tile::SynthesisResult> results(jobs.size());
  std::mutex mutex;
  std::optional<Error> error;
  int64_t done = 0;
  Threads(common.threads).For(static_cast<int64_t>(jobs.size()), [&](int64_t i) {
    auto result = RunJob(bundle, jobs[static_cast<size_t>(i)]);
    const std::lock_guard lock(mutex);
    if (!result && !error) error = result.error();
    if (result) results[static_cast<size_t>(i)] = std::move(*result);
    progress.Update(++done, static_cast<int64_t>(jobs.size()));
  });
  if (error) return tl::unexpected<Error>(*error);
  std::error_code ignored;
  fs::remove(folder / "engine.il", ignored);
  tile::SynthesisReport report = tile::MakeReport(design, jobs, results);
  LICHEN_TRY_VOID(WriteFile(folder / "report.json", tile::ToJson(report, design)));
  return report;
}

std::string ToText(const tile::SynthesisReport& report, const Board& board) {
  Table table{{"block", "DSP", "est.", "BRAM36", "est.", "LUT", "of it memory", "est.", "FF",
               "est.", "levels", "ltp"},
              {}};
  for (size_t b = 0; b < tile::kBlockCount; ++b) {
    const tile::BlockReport& block = report.blocks[b];
    std::string name(tile::Name(static_cast<tile::Block>(b)));
    if (block.instances > 1) name += fmt::format(" x {}", block.instances);
    if (block.is_scaled) name += " (scaled)";
    table.rows.push_back(Row(std::move(name), block.synthesised, block.estimated, block.levels,
                             fmt::format("{}", block.ltp)));
  }
  table.rows.push_back(Row("engine", report.synthesised, report.estimated, report.levels, ""));
  const CellCounts& s = report.synthesised;
  const auto answer = [](bool yes) { return yes ? "yes" : "NO"; };
  return "synthesised (Yosys, out of context), and how the estimate (est.) compares\n" +
         ToText(table) +
         fmt::format(
             "DSP equal: {}; BRAM equal: {}; LUT within 20 %: {}; FF within 20 %: {}\n"
             "of {}: DSP {:.1f} %, BRAM {:.1f} %, LUT {:.1f} %, FF {:.1f} %\n"
             "at most {} logic levels between registers\n",
             answer(report.dsp_equal), answer(report.bram_equal), answer(report.lut_within_20),
             answer(report.ff_within_20), board.name,
             100.0 * static_cast<double>(s.dsp) / static_cast<double>(board.dsp),
             50.0 * static_cast<double>(s.bram18) / static_cast<double>(board.bram36),
             100.0 * static_cast<double>(s.lut) / static_cast<double>(board.lut),
             100.0 * static_cast<double>(s.ff) / static_cast<double>(board.ff), report.levels);
}

}  // namespace lichen
