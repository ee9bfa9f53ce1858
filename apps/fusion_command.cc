// lichen fusion: the bit-flexible array of bricks.
#include "apps/fusion_command.h"

namespace lichen {

void AddFusionJobOptions(CLI::App& command, FusionJobOptions& options) {
  command
      .add_option("--mode", options.mode,
                  "compat: the original with its faults, or fixed: with them mended (default)")
      ->type_name("MODE");
  command.add_option("--padding", options.padding, "Zeros on every side of a picture")
      ->type_name("N");
  command.add_option("--array", options.array, "Fusion units")->type_name("ROWSxCOLUMNS");
  command.add_option("--ibuf", options.ibuf, "The input buffer's bytes")->type_name("N");
  command.add_option("--wbuf", options.wbuf, "The weight buffer's bytes")->type_name("N");
  command.add_option("--obuf", options.obuf, "The bytes of each column's output buffer")
      ->type_name("N");
  command.add_option("--input-bits", options.input_bits, "Width of the inputs: 2, 4, 6 or 8")
      ->type_name("N");
  command.add_option("--weight-bits", options.weight_bits, "Width of the weights: 2, 4, 6 or 8")
      ->type_name("N");
}

Result<fusion::WindowJob> Apply(const FusionJobOptions& o, fusion::WindowJob job) {
  if (!o.mode.empty()) {
    const auto mode = fusion::ParseMode(o.mode);
    if (!mode) return FailUsage("--mode: {}", mode.error().message);
    job.mode = *mode;
  }
  if (!o.array.empty()) {
    const auto array = fusion::ParseArray(o.array);
    if (!array) return FailUsage("--array: {}", array.error().message);
    job.array = *array;
  }
  job.padding = o.padding.value_or(job.padding);
  job.ibuf_bytes = o.ibuf.value_or(job.ibuf_bytes);
  job.wbuf_bytes = o.wbuf.value_or(job.wbuf_bytes);
  job.obuf_bytes = o.obuf.value_or(job.obuf_bytes);
  job.pair.input_bits = o.input_bits.value_or(job.pair.input_bits);
  job.pair.weight_bits = o.weight_bits.value_or(job.pair.weight_bits);
  return job;
}

nlohmann::ordered_json ToJson(const fusion::WindowJob& job) {
  return {{"mode", Name(job.mode)},
          {"input_shape", {job.input.count, job.input.height, job.input.width}},
          {"kernel_shape", {job.kernel.count, job.kernel.height, job.kernel.width}},
          {"padding", job.padding},
          {"array", {job.array.h, job.array.w}},
          {"input_bits", job.pair.input_bits},
          {"weight_bits", job.pair.weight_bits}};
}

void AddCounts(const fusion::Counts& counts, nlohmann::ordered_json& json) {
  json["cycles"] = counts.cycles;
  json["bricks_used"] = counts.bricks_used;
  json["bricks_total"] = counts.bricks_total;
  json["units_used"] = counts.units_used;
  json["units_total"] = counts.units_total;
  json["instructions"] = counts.instructions;
}

std::string ToText(const fusion::Counts& c) {
  return fmt::format("{} cycles, {}/{} bricks, {}/{} units, {} instructions", c.cycles,
                     c.bricks_used, c.bricks_total, c.units_used, c.units_total, c.instructions);
}

void AddFusionCommand(CLI::App& app, Invocation& invocation) {
  CLI::App* fusion = app.add_subcommand(
      "fusion", "Compile for and run the array of 2-bit bricks that fuse to wider multipliers");
  fusion->require_subcommand(1);
  AddFusionCompileCommand(*fusion, invocation);
  AddFusionRunCommand(*fusion, invocation);
}

}  // namespace lichen
