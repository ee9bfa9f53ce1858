// The parts of `lichen fusion`.
#pragma once

#include <string>
#include <vector>

#include "accel/fusion/window_job.h"
#include "apps/command.h"

namespace lichen {

void AddFusionCompileCommand(CLI::App& fusion, Invocation& invocation);
void AddFusionRunCommand(CLI::App& fusion, Invocation& invocation);

// The options that describe a job, as they were given; what was not is empty or 0.
struct FusionJobOptions {
  std::string mode;
  std::optional<int64_t> padding;
  std::string array;
  std::optional<int64_t> ibuf;
  std::optional<int64_t> wbuf;
  std::optional<int64_t> obuf;
  std::optional<int> input_bits;
  std::optional<int> weight_bits;
};
void AddFusionJobOptions(CLI::App& command, FusionJobOptions& options);
// The job with what the options say.
Result<fusion::WindowJob> Apply(const FusionJobOptions& options, fusion::WindowJob job);

// The members of JSON objects that tell job and counts.
nlohmann::ordered_json ToJson(const fusion::WindowJob& job);
void AddCounts(const fusion::Counts& counts, nlohmann::ordered_json& json);
std::string ToText(const fusion::Counts& counts);

}  // namespace lichen
