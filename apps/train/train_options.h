// The options of `lichen train`, which two programs parse: `lichen`, and `lichen-train`, which it
// starts and which alone links libtorch.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace lichen {

struct TrainArguments {
  std::string recipe;
  bool is_resumed = false;
  bool is_restarted = false;
  std::string device = "cpu";
  std::string data_folder;
  std::string output;
  std::string stage;
  std::string evaluated_folder;
};

inline void AddTrainOptions(CLI::App& command, TrainArguments& o) {
  command.add_option("RECIPE", o.recipe, "The recipe (TOML): network, pictures and training")
      ->type_name("RECIPE.toml")
      ->required();
  const auto resume =
      command.add_flag("--resume", o.is_resumed, "Go on from the checkpoint in the output folder");
  command
      .add_flag("--restart", o.is_restarted, "Replace a run that the output folder holds already")
      ->excludes(resume);
  command.add_option("--device", o.device, "Where to train: cpu, cuda or cuda:N")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--data", o.data_folder, "Folder of pictures, in place of the recipe's")
      ->type_name("DIR");
  command
      .add_option("-o,--output", o.output,
                  "Folder of checkpoint, log and networks, in place of the recipe's")
      ->type_name("DIR");
  command
      .add_option("--evaluate", o.evaluated_folder,
                  "Train nothing: rate and PSNR of the checkpoint's network on these pictures")
      ->type_name("DIR");
  command.add_option("--stage", o.stage, "Run this stage of the recipe alone")->type_name("NAME");
}

// The options as a command line again.
inline std::vector<std::string> ToArguments(const TrainArguments& o) {
  std::vector<std::string> arguments = {"--device", o.device};
  if (o.is_resumed) arguments.push_back("--resume");
  if (o.is_restarted) arguments.push_back("--restart");
  if (!o.data_folder.empty()) arguments.insert(arguments.end(), {"--data", o.data_folder});
  if (!o.output.empty()) arguments.insert(arguments.end(), {"--output", o.output});
  if (!o.evaluated_folder.empty()) {
    arguments.insert(arguments.end(), {"--evaluate", o.evaluated_folder});
  }
  if (!o.stage.empty()) arguments.insert(arguments.end(), {"--stage", o.stage});
  arguments.insert(arguments.end(), {"--", o.recipe});
  return arguments;
}

}  // namespace lichen
