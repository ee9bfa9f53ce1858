// What every sub-command of `lichen` shares: options, results, and how it is registered.
//
// Contract: a sub-command file parses its options and prints; the work lies in src/. It prints either text or exactly one
// JSON object to standard output; everything else goes to standard error.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "base/threads.h"

namespace lichen {

enum class Exit {
  kDone = 0,
  kBadInput = 1,
  kUsage = 2,
  kNo = 3,  // the answer is no: does not fit, not equal
  kInternal = 70,
};

struct CommonOptions {
  bool json = false;
  int threads = 0;         // 0: all
  std::string cpu_target;  // "": the best
};

using Run = std::function<Result<Exit>(const CommonOptions& common)>;

// The sub-command that the command line chose.
struct Invocation {
  CommonOptions common;
  Run run;
};

// Adds a sub-command with the common options; `run` is called after parsing.
CLI::App* AddCommand(CLI::App& app, Invocation& invocation, const std::string& name,
                     const std::string& description, Run run);

void AddImportCommand(CLI::App& app, Invocation& invocation);
void AddExportCommand(CLI::App& app, Invocation& invocation);
void AddInfoCommand(CLI::App& app, Invocation& invocation);
void AddCompileCommand(CLI::App& app, Invocation& invocation);
void AddExploreCommand(CLI::App& app, Invocation& invocation);
void AddPackingCommand(CLI::App& app, Invocation& invocation);
void AddRunCommand(CLI::App& app, Invocation& invocation);
void AddSimulateCommand(CLI::App& app, Invocation& invocation);
void AddQuantizeCommand(CLI::App& app, Invocation& invocation);
void AddEmitCommand(CLI::App& app, Invocation& invocation);
void AddVerifyCommand(CLI::App& app, Invocation& invocation);
void AddEncodeCommand(CLI::App& app, Invocation& invocation);
void AddDecodeCommand(CLI::App& app, Invocation& invocation);
void AddEvalCommand(CLI::App& app, Invocation& invocation);
void AddTrainCommand(CLI::App& app, Invocation& invocation);
void AddSearchCommand(CLI::App& app, Invocation& invocation);
void AddFitCommand(CLI::App& app, Invocation& invocation);
void AddReportCommand(CLI::App& app, Invocation& invocation);
void AddFusionCommand(CLI::App& app, Invocation& invocation);
void AddBenchCommand(CLI::App& app, Invocation& invocation);
void AddCompareCommand(CLI::App& app, Invocation& invocation);
void AddRenderCommand(CLI::App& app, Invocation& invocation);

// The one JSON object of a command, indented, with a line feed.
void PrintJson(const nlohmann::ordered_json& json);
// Text on standard output, where --json was not given.
template <class... Args>
void PrintText(const CommonOptions& common, fmt::format_string<Args...> format, Args&&... args) {
  if (!common.json) fmt::print(format, std::forward<Args>(args)...);
}
// A remark on standard error.
void PrintNote(const std::string& text);

}  // namespace lichen
