// lichen fusion run: an instruction stream and its operands -> what the machine computes.
#include "accel/fusion/operands.h"
#include "accel/fusion/stream_file.h"
#include "accel/fusion/stream_run.h"
#include "accel/fusion/stream_writer.h"
#include "apps/fusion_command.h"
#include "base/npy.h"

namespace lichen {
namespace {

constexpr uint64_t kMaxArrayBytes = uint64_t{1} << 30;

struct Options {
  std::string stream;
  std::string input;
  std::string weights;
  std::string output;
  bool is_fast = false;
  FusionJobOptions job;
};

struct Arrays {
  NpyArray input;
  NpyArray weights;
  fusion::Shape3 input_shape;
  fusion::Shape3 kernel_shape;
};

Result<Arrays> LoadArrays(const Options& o) {
  Arrays arrays;
  LICHEN_TRY(arrays.input, ReadNpy(o.input, kMaxArrayBytes));
  LICHEN_TRY(arrays.weights, ReadNpy(o.weights, kMaxArrayBytes));
  LICHEN_TRY(arrays.input_shape, fusion::ShapeOf(arrays.input, o.input));
  LICHEN_TRY(arrays.kernel_shape, fusion::ShapeOf(arrays.weights, o.weights));
  return arrays;
}

Result<void> CheckShape(const std::string& file, const fusion::Shape3& has,
                        const fusion::Shape3& needs) {
  if (has == needs) return {};
  return Fail("{}: has the shape {}; the stream was compiled for {}", file, fusion::ToText(has),
              fusion::ToText(needs));
}

// The job that the stream was compiled for, or what its instructions tell, and the options.
Result<fusion::PreparedJob> JobOf(const Options& o, const fusion::StreamFile& stream,
                                  const Arrays& arrays) {
  fusion::WindowJob job;
  if (stream.job) {
    job = *stream.job;
    LICHEN_TRY_VOID(CheckShape(o.input, arrays.input_shape, job.input));
    LICHEN_TRY_VOID(CheckShape(o.weights, arrays.kernel_shape, job.kernel));
  } else {
    LICHEN_TRY(job, InPlace(o.stream, fusion::InferJob(stream.text(), arrays.input_shape,
                                                       arrays.kernel_shape)));
    PrintNote(fmt::format("no {}: from the instructions padding {}, array {}x{}, {} and {} bits",
                          fusion::JobPath(o.stream).string(), job.padding, job.array.h, job.array.w,
                          job.pair.input_bits, job.pair.weight_bits));
  }
  LICHEN_TRY(job, Apply(o.job, job));
  return fusion::Prepare(job);
}

Result<fusion::StreamRun> Compute(const Options& o, const fusion::WindowJob& job,
                                  const Arrays& arrays, std::string_view text) {
  LICHEN_TRY(const fusion::Operands operands,
             fusion::MakeOperands(job, arrays.input, arrays.weights));
  if (!o.is_fast) return InPlace(o.stream, fusion::RunStream(job, operands, text));
  LICHEN_TRY(const fusion::StreamText expected, fusion::WriteStream(job));
  if (expected.view() != text) {
    return Fail("{}: is not what the compiler writes for these shapes; run it without --fast",
                o.stream);
  }
  return fusion::RunFast(job, operands);
}

// Rows on lines of their own, blank lines between what other axes count.
void PrintArray(const CommonOptions& common, std::string_view name, const NpyArray& array) {
  PrintText(common, "{} {}\n", name, fmt::join(array.shape, "x"));
  const auto row = static_cast<size_t>(array.shape.back());
  const auto rows = static_cast<size_t>(array.shape[array.shape.size() - 2]);
  const std::span values(array.integers);
  for (size_t i = 0; row != 0 && i < values.size(); i += row) {
    if (i != 0 && i % (rows * row) == 0) PrintText(common, "\n");
    PrintText(common, "{}\n", fmt::join(values.subspan(i, row), " "));
  }
}

Result<Exit> RunFusionRun(const Options& o, const CommonOptions& common) {
  LICHEN_TRY(const fusion::StreamFile stream, fusion::LoadStream(o.stream));
  LICHEN_TRY(const Arrays arrays, LoadArrays(o));
  LICHEN_TRY(const fusion::PreparedJob prepared, JobOf(o, stream, arrays));
  const fusion::WindowJob& job = prepared.job;
  for (const std::string& warning : prepared.warnings) PrintNote("warning: " + warning);
  LICHEN_TRY(const fusion::StreamRun run, Compute(o, job, arrays, stream.text()));
  const NpyArray output = fusion::MakeOutput(job, run.sums);
  if (!o.output.empty()) LICHEN_TRY_VOID(WriteNpy(o.output, output));
  if (common.json) {
    nlohmann::ordered_json json = ToJson(job);
    AddCounts(run.counts, json);
    json["output_shape"] = output.shape;
    json["output"] = output.integers;
    PrintJson(json);
    return Exit::kDone;
  }
  PrintArray(common, "picture", arrays.input);
  PrintArray(common, "kernel", arrays.weights);
  PrintArray(common, "output", output);
  PrintText(common, "{}\n", ToText(run.counts));
  return Exit::kDone;
}

}  // namespace

void AddFusionRunCommand(CLI::App& fusion, Invocation& invocation) {
  const auto o = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(fusion, invocation, "run", "Run an instruction stream on pictures and filters",
                 [o](const CommonOptions& common) { return RunFusionRun(*o, common); });
  command->add_option("STREAM", o->stream, "What `lichen fusion compile` wrote")->required();
  command->add_option("--input", o->input, "The pictures: COUNT x HEIGHT x WIDTH or HEIGHT x WIDTH")
      ->type_name("X.npy")
      ->required();
  command->add_option("--weights", o->weights, "The filters, of the same kind")
      ->type_name("W.npy")
      ->required();
  command->add_option("-o,--output", o->output, "Write what the machine computes")
      ->type_name("Y.npy");
  command->add_flag("--fast", o->is_fast, "Compute the same values and counts as convolutions");
  AddFusionJobOptions(*command, o->job);
}

}  // namespace lichen
