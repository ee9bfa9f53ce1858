#include "apps/command.h"

#include <cstdio>

namespace lichen {

CLI::App* AddCommand(CLI::App& app, Invocation& invocation, const std::string& name,
                     const std::string& description, Run run) {
  CLI::App* command = app.add_subcommand(name, description);
  CommonOptions& common = invocation.common;
  command->add_flag("--json", common.json, "Print one JSON object on standard output");
  command->add_option("--threads", common.threads, "Threads to use; 0: all")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  command
      ->add_option("--cpu-targets", common.cpu_target,
                   "Run the kernels for avx3_dl, avx3, avx2, sse4 or scalar (default: the best)")
      ->type_name("NAME");
  command->callback([&invocation, run = std::move(run)] { invocation.run = run; });
  return command;
}

void PrintJson(const nlohmann::ordered_json& json) {
  using Handler = nlohmann::ordered_json::error_handler_t;
  fmt::print("{}\n", json.dump(2, ' ', false, Handler::replace));
}

void PrintNote(const std::string& text) { fmt::print(stderr, "lichen: {}\n", text); }

}  // namespace lichen
