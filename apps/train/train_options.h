// The options of `lichen train`, which two programs parse: `lichen`, and `lichen-train`, which it
// starts and which alone links libtorch.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
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
  std::optional<int64_t> seed;
  std::string stage;
  int64_t process_count = 1;
  int64_t rank = 0;
  std::string rendezvous;
  std::string evaluated_folder;
  std::string weight_bits;
  std::string activation_bits;
  std::string scene_folder;
  int64_t scene_count = 0;  // 0: as many as the recipe tests on
  bool are_training_scenes = false;
  bool is_search = false;
  std::optional<double> strength;  // of a search, as are the following
  std::string factors;
  std::string plot;
};

// Of an option, where an empty value would silently stand for none.
inline std::string WhyEmpty(const std::string& value) { return value.empty() ? "is empty" : ""; }

// What training and search share.
inline void AddRunOptions(CLI::App& command, TrainArguments& o) {
  command.add_option("RECIPE", o.recipe, "The recipe (TOML): network, data and training")
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
  command.add_option("--data", o.data_folder, "Folder of the data, in place of the recipe's")
      ->type_name("DIR");
  command
      .add_option("-o,--output", o.output,
                  "Folder of checkpoint, log and networks, in place of the recipe's")
      ->type_name("DIR");
  command
      .add_option("--seed", o.seed,
                  "Seed of first weights, order of pictures and scenes, in place of the recipe's")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
}

inline void AddTrainOptions(CLI::App& command, TrainArguments& o) {
  AddRunOptions(command, o);
  command
      .add_option("--evaluate", o.evaluated_folder,
                  "Train nothing: rate and PSNR of a codec checkpoint's network on these pictures")
      ->type_name("DIR");
  command
      .add_option("--bitw", o.weight_bits,
                  "Bits of each layer's weights, a digit from 2 to 8 per layer, in place of the "
                  "recipe's (not for codecs)")
      ->type_name("DIGITS")
      ->check(WhyEmpty);
  command
      .add_option("--bita", o.activation_bits,
                  "Bits of what each layer reads, in the same way (not for codecs)")
      ->type_name("DIGITS")
      ->check(WhyEmpty);
  const auto scenes =
      command
          .add_option("--write-scenes", o.scene_folder,
                      "Train nothing: write a detection recipe's made-up test scenes as pictures "
                      "with labels.csv")
          ->type_name("DIR");
  command
      .add_option("--scene-count", o.scene_count,
                  "Write this many (default: as many as the recipe tests on)")
      ->type_name("N")
      ->check(CLI::Range(1, 100000))
      ->needs(scenes);
  command
      .add_flag("--training-scenes", o.are_training_scenes,
                "Write scenes of training, not of the test")
      ->needs(scenes);
  command.add_option("--stage", o.stage, "Run this stage of the recipe alone")->type_name("NAME");
  const auto processes =
      command
          .add_option("--processes", o.process_count,
                      "Train with this many processes, each started with its --rank")
          ->type_name("N")
          ->check(CLI::Range(1, 4096))
          ->capture_default_str();
  command.add_option("--rank", o.rank, "Which of them this is: 0 to N - 1; 0 writes the output")
      ->type_name("R")
      ->check(CLI::Range(0, 4095))
      ->capture_default_str()
      ->needs(processes);
  command
      .add_option("--rendezvous", o.rendezvous,
                  "Where they meet: a free port of the machine of rank 0, and its name or address")
      ->type_name("HOST:PORT")
      ->needs(processes);
}

inline void AddSearchOptions(CLI::App& command, TrainArguments& o) {
  AddRunOptions(command, o);
  const auto weights =
      command
          .add_option("--bitw", o.weight_bits,
                      "Search nothing: print what these widths of weights cost, a digit per layer")
          ->type_name("DIGITS")
          ->check(WhyEmpty);
  const auto activations =
      command.add_option("--bita", o.activation_bits, "The widths of what each layer reads")
          ->type_name("DIGITS")
          ->check(WhyEmpty)
          ->needs(weights);
  weights->needs(activations);
  command
      .add_option("--strength", o.strength,
                  "How much cost counts beside the task's loss, in place of the recipe's")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1e6));
  command
      .add_option("--factors", o.factors,
                  "Products per DSP and cycle: CSV with columns kernel, weight_bits, "
                  "activation_bits, factor and, if they count, luts (default: those of a DSP48E2)")
      ->type_name("FILE.csv");
  command.add_option("--plot", o.plot, "Draw score, cost and widths over the steps")
      ->type_name("FILE.svg");
}

// The options as a command line again.
inline std::vector<std::string> ToArguments(const TrainArguments& o) {
  std::vector<std::string> arguments = {"--device", o.device};
  if (o.is_resumed) arguments.push_back("--resume");
  if (o.is_restarted) arguments.push_back("--restart");
  if (!o.data_folder.empty()) arguments.insert(arguments.end(), {"--data", o.data_folder});
  if (!o.output.empty()) arguments.insert(arguments.end(), {"--output", o.output});
  if (o.seed) arguments.insert(arguments.end(), {"--seed", std::to_string(*o.seed)});
  if (!o.evaluated_folder.empty()) {
    arguments.insert(arguments.end(), {"--evaluate", o.evaluated_folder});
  }
  if (!o.weight_bits.empty()) arguments.insert(arguments.end(), {"--bitw", o.weight_bits});
  if (!o.activation_bits.empty()) arguments.insert(arguments.end(), {"--bita", o.activation_bits});
  if (!o.stage.empty()) arguments.insert(arguments.end(), {"--stage", o.stage});
  if (o.process_count != 1 || o.rank != 0 || !o.rendezvous.empty()) {
    arguments.insert(arguments.end(), {"--processes", std::to_string(o.process_count), "--rank",
                                       std::to_string(o.rank)});
  }
  if (!o.rendezvous.empty()) arguments.insert(arguments.end(), {"--rendezvous", o.rendezvous});
  if (!o.scene_folder.empty()) {
    arguments.insert(arguments.end(), {"--write-scenes", o.scene_folder});
  }
  if (o.scene_count != 0) {
    arguments.insert(arguments.end(), {"--scene-count", std::to_string(o.scene_count)});
  }
  if (o.are_training_scenes) arguments.push_back("--training-scenes");
  if (o.is_search) arguments.push_back("--search");
  if (o.strength) {
    arguments.insert(arguments.end(), {"--strength", fmt::format("{}", *o.strength)});
  }
  if (!o.factors.empty()) arguments.insert(arguments.end(), {"--factors", o.factors});
  if (!o.plot.empty()) arguments.insert(arguments.end(), {"--plot", o.plot});
  arguments.insert(arguments.end(), {"--", o.recipe});
  return arguments;
}

}  // namespace lichen
