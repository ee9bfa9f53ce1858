#include <string_view>

#include "accel/fusion/stream_run.h"
#include "base/check.h"
#include "fuzz/fusion_job.h"
#include "fuzz/fuzz.h"

namespace lichen {

void FuzzFusionStream(std::span<const uint8_t> bytes) {
  if (bytes.size() < 2) return;
  const auto prepared = fusion::Prepare(FuzzFusionJob(bytes[0], bytes[1]));
  LICHEN_CHECK(prepared.has_value());
  const fusion::WindowJob& job = prepared->job;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 2, bytes.size() - 2);
  const fusion::Operands operands{
      std::vector<uint8_t>(static_cast<size_t>(job.InputBytes()), 0xFF),
      std::vector<uint8_t>(static_cast<size_t>(job.WeightBytes()), 0xFF)};
  const auto run = fusion::RunStream(job, operands, text);
  if (run) {
    LICHEN_CHECK(run->counts == fusion::Count(job));
    const NpyArray output = fusion::MakeOutput(job, run->sums);
    LICHEN_CHECK(output.Count() == static_cast<int64_t>(output.integers.size()));
  } else {
    LICHEN_CHECK(run.error().message.starts_with("line "));
  }
  const auto inferred = fusion::InferJob(text, job.input, job.kernel);
  if (inferred) LICHEN_CHECK(fusion::IsKnown(inferred->pair));
}

}  // namespace lichen
