#include <sys/wait.h>

#include <chrono>
#include <cstdlib>

#include "base/shell_quote.h"
#include "bench/bench.h"
#include "flow/evaluate.h"
#include "image/reader.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

// Seconds of a shell line, whose output is dropped.
Result<double> Time(const std::string& line) {
  const auto start = std::chrono::steady_clock::now();
  const int status = std::system((line + " >/dev/null").c_str());
  if (status != 0) return Fail("`{}` failed with exit code {}", line, WEXITSTATUS(status));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct ScratchFolder {
  fs::path path;
  ~ScratchFolder() {
    std::error_code error;
    fs::remove_all(path, error);
  }
};

}  // namespace

Result<std::vector<BenchRow>> BenchProcesses(const fs::path& program, const fs::path& model,
                                             const fs::path& folder, int threads, int runs,
                                             const BenchProgress& progress) {
  LICHEN_TRY(const PictureFolder pictures, ListPictures(folder));
  std::string pattern = (fs::temp_directory_path() / "lichen_bench_XXXXXX").string();
  if (!::mkdtemp(pattern.data())) return Fail("{}: no folder can be made there", pattern);
  const ScratchFolder scratch{pattern};
  std::vector<double> encode, decode, start;
  double megapixels = 0;
  for (const fs::path& picture : pictures.pictures) {
    LICHEN_TRY(const auto reader, OpenImage(picture));
    megapixels += 1e-6 * static_cast<double>(reader->info().width * reader->info().height);
  }
  const std::string options =
      fmt::format("--model {} --threads {}", ShellQuoted(model.string()), threads);
  for (int run = 0; run <= runs; ++run) {
    progress(fmt::format("processes, run {} of {}", run, runs));
    double encode_seconds = 0, decode_seconds = 0, start_seconds = 0;
    for (const fs::path& picture : pictures.pictures) {
      const fs::path coded = scratch.path / "p.lic";
      LICHEN_TRY(
          const double e,
          Time(fmt::format("{} encode {} {} {}", ShellQuoted(program.string()),
                           ShellQuoted(picture.string()), ShellQuoted(coded.string()), options)));
      LICHEN_TRY(const double d,
                 Time(fmt::format("{} decode {} {} {}", ShellQuoted(program.string()),
                                  ShellQuoted(coded.string()),
                                  ShellQuoted((scratch.path / "p.png").string()), options)));
      LICHEN_TRY(const double s, Time(fmt::format("{} --version", ShellQuoted(program.string()))));
      encode_seconds += e;
      decode_seconds += d;
      start_seconds += s;
    }
    if (run == 0) continue;  // warms up
    encode.push_back(megapixels / encode_seconds);
    decode.push_back(megapixels / decode_seconds);
    start.push_back(1e3 * start_seconds / static_cast<double>(pictures.pictures.size()));
  }
  return std::vector<BenchRow>{
      MakeBenchRow(fmt::format("encode processes, {} threads", threads), "Mpx/s", encode),
      MakeBenchRow(fmt::format("decode processes, {} threads", threads), "Mpx/s", decode),
      MakeBenchRow("start of the program alone", "ms", start)};
}

}  // namespace lichen
