// lichen train and lichen search: start lichen-train, which lies beside the program and alone links libtorch.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "apps/command.h"
#include "apps/train/train_options.h"

namespace lichen {
namespace {

Result<Exit> RunTrain(const TrainArguments& o, const CommonOptions& common) {
  std::error_code error;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (own.parent_path() / "lichen-train").string();
  if (error || !std::filesystem::exists(program, error)) {
    return Fail(
        "{}: is not there, as this build found no libtorch. Install it (Debian: apt-get install "
        "libtorch-dev) or name its folder in CMAKE_PREFIX_PATH, and build again",
        program);
  }
  std::vector<std::string> arguments = {program, "--threads", std::to_string(common.threads)};
  if (common.json) arguments.push_back("--json");
  for (std::string& argument : ToArguments(o)) arguments.push_back(std::move(argument));
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  // Threads that spin while they wait make a step ten times slower on a machine with other work.
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  ::execv(program.c_str(), pointers.data());
  return Fail("{}: {}", program, std::strerror(errno));
}

}  // namespace

void AddTrainCommand(CLI::App& app, Invocation& invocation) {
  const auto o = std::make_shared<TrainArguments>();
  CLI::App* command = AddCommand(app, invocation, "train", "Train a network (needs libtorch)",
                                 [o](const CommonOptions& common) { return RunTrain(*o, common); });
  AddTrainOptions(*command, *o);
}

void AddSearchCommand(CLI::App& app, Invocation& invocation) {
  const auto o = std::make_shared<TrainArguments>();
  o->is_search = true;
  CLI::App* command = AddCommand(
      app, invocation, "search",
      "Find widths for every layer of a network by training all at once (needs libtorch)",
      [o](const CommonOptions& common) { return RunTrain(*o, common); });
  AddSearchOptions(*command, *o);
}

}  // namespace lichen
