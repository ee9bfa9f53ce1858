// `lichen`: chooses the sub-command and turns results into exit codes.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "apps/command.h"
#include "base/huge_pages.h"
#include "kernels/cpu_target.h"

namespace lichen {
namespace {

Exit ExitOf(const Error& error) {
  switch (error.kind) {
    case Error::Kind::kBadInput:
      return Exit::kBadInput;
    case Error::Kind::kUsage:
      return Exit::kUsage;
    case Error::Kind::kInternal:
      return Exit::kInternal;
  }
  return Exit::kInternal;
}

Result<Exit> RunChosen(const Invocation& invocation) {
  if (const std::string& target = invocation.common.cpu_target; !target.empty()) {
    LICHEN_TRY_VOID(SetCpuTarget(target));
  }
  return invocation.run(invocation.common);
}

// Exit code of the parse, or of the command.
Exit ParseAndRun(int argc, char** argv) {
  CLI::App app(
      "Learned image codec and hardware engine: trained networks to bit-exact integer codecs.",
      "lichen");
  app.set_version_flag("--version", "lichen " LICHEN_VERSION);
  app.require_subcommand(1);
  app.footer(
      "`lichen COMMAND --help` explains a command. Exit codes: 0 done, 1 bad input, 2 wrong "
      "usage,\n"
      "3 the answer is no, 70 internal error.");
  Invocation invocation;
  AddImportCommand(app, invocation);
  AddExportCommand(app, invocation);
  AddInfoCommand(app, invocation);
  AddRunCommand(app, invocation);
  AddCompileCommand(app, invocation);
  AddSimulateCommand(app, invocation);
  AddExploreCommand(app, invocation);
  AddPackingCommand(app, invocation);
  AddEmitCommand(app, invocation);
  AddVerifyCommand(app, invocation);
  AddFusionCommand(app, invocation);
  AddQuantizeCommand(app, invocation);
  AddEncodeCommand(app, invocation);
  AddDecodeCommand(app, invocation);
  AddEvalCommand(app, invocation);
  AddTrainCommand(app, invocation);
  AddSearchCommand(app, invocation);
  AddFitCommand(app, invocation);
  AddReportCommand(app, invocation);
  AddBenchCommand(app, invocation);
  AddCompareCommand(app, invocation);
  AddRenderCommand(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app.exit(error);  // --help, --version
      return Exit::kDone;
    }
    if (argc < 2) {
      fmt::print(stderr, "{}", app.help());
      return Exit::kUsage;
    }
    const auto named =
        app.get_subcommands([&](const CLI::App* c) { return c->get_name() == argv[1]; });
    const bool is_unknown = argv[1][0] != '-' && named.empty();
    fmt::print(stderr, "lichen: {}\nRun `lichen --help` or `lichen COMMAND --help`.\n",
               is_unknown ? fmt::format("unknown command '{}'", argv[1]) : error.what());
    return Exit::kUsage;
  }
  const Result<Exit> result = RunChosen(invocation);
  if (result) return *result;
  fmt::print(stderr, "lichen: {}\n", result.error().message);
  return ExitOf(result.error());
}

// A broken promise inside (LICHEN_CHECK) has printed its place.
void OnAbort(int) { ::_exit(static_cast<int>(Exit::kInternal)); }

Exit Main(int argc, char** argv) {
  // Large blocks go back to the system when freed, so that memory does not depend on what was freed
  // before (glibc would raise this limit up to 32 MiB as it goes). Those of a layer's weights do not:
  // the page faults of fresh ones took an eighth of the time to decode a small picture.
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  ReserveHeap(32 << 20);
  std::signal(SIGABRT, OnAbort);
  try {
    return ParseAndRun(argc, argv);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "lichen: not enough memory for an input of this size\n");
    return Exit::kBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lichen: internal error: {}\n", error.what());
    return Exit::kInternal;
  }
}

}  // namespace
}  // namespace lichen

int main(int argc, char** argv) {
  const lichen::Exit code = lichen::Main(argc, argv);
  if (std::fflush(stdout) != 0 && code == lichen::Exit::kDone) {
    fmt::print(stderr, "lichen: standard output cannot be written\n");
    return static_cast<int>(lichen::Exit::kBadInput);
  }
  return static_cast<int>(code);
}
