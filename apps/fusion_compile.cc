// lichen fusion compile: a convolution -> the original machine's instruction stream and its statistics.
#include "accel/fusion/layer_job.h"
#include "accel/fusion/stream_file.h"
#include "accel/fusion/stream_writer.h"
#include "apps/fusion_command.h"
#include "apps/model_choice.h"
#include "base/hash.h"

namespace lichen {
namespace {

struct Options {
  std::string input_shape;
  std::string kernel_shape;
  std::string model;
  std::string layer;
  std::string size;
  std::string output;
  FusionJobOptions job;
};

Result<fusion::Shape3> Shape(std::string_view option, const std::string& text,
                             const fusion::Shape3& otherwise) {
  if (text.empty()) return otherwise;
  const auto shape = fusion::ParseShape3(text);
  if (!shape) return FailUsage("{}: {}", option, shape.error().message);
  return *shape;
}

// Shapes, padding and widths of a network's layer.
Result<fusion::WindowJob> LayerJob(const Options& o, fusion::WindowJob job,
                                   std::vector<std::string>& warnings) {
  if (o.layer.empty()) return FailUsage("--model needs --layer NAME");
  LICHEN_TRY(const IntNet net, LoadIntNet(o.model));
  LICHEN_TRY(const Size2 picture, PictureSize(o.size, net, o.model));
  LICHEN_TRY(const fusion::LayerJob layer,
             InPlace(o.model, fusion::JobOfLayer(net, o.layer, picture)));
  job.input = layer.input;
  job.kernel = layer.kernel;
  job.padding = layer.padding;
  job.pair = layer.pair;
  for (const std::string& remark : layer.remarks) {
    warnings.push_back(fmt::format("layer {}: {}", o.layer, remark));
  }
  return job;
}

Result<fusion::PreparedJob> PrepareJob(const Options& o) {
  std::vector<std::string> warnings;
  fusion::WindowJob job;
  if (!o.model.empty()) {
    if (!o.input_shape.empty() || !o.kernel_shape.empty()) {
      return FailUsage("--model gives the shapes; leave out --input-shape and --kernel-shape");
    }
    LICHEN_TRY(job, LayerJob(o, job, warnings));
  } else if (!o.layer.empty() || !o.size.empty()) {
    return FailUsage("--layer and --size need --model M");
  }
  LICHEN_TRY(job.input, Shape("--input-shape", o.input_shape, job.input));
  LICHEN_TRY(job.kernel, Shape("--kernel-shape", o.kernel_shape, job.kernel));
  LICHEN_TRY(job, Apply(o.job, job));
  LICHEN_TRY(fusion::PreparedJob prepared, fusion::Prepare(job));
  prepared.warnings.insert(prepared.warnings.begin(), warnings.begin(), warnings.end());
  return prepared;
}

std::string Hash(std::string_view text) {
  Sha256 hash;
  hash.Update(text);
  return ToHex(hash.Finish());
}

Result<Exit> RunFusionCompile(const Options& o, const CommonOptions& common) {
  LICHEN_TRY(fusion::PreparedJob prepared, PrepareJob(o));
  const fusion::WindowJob& job = prepared.job;
  std::string sha256;
  if (common.json || !o.output.empty()) {
    const auto text = fusion::WriteStream(job);
    if (text) {
      sha256 = Hash(text->view());
      if (!o.output.empty()) {
        LICHEN_TRY_VOID(fusion::SaveStream(o.output, job, text->view(), sha256));
      }
    } else if (!o.output.empty()) {
      return tl::unexpected(text.error());
    } else {
      prepared.warnings.push_back("no stream_sha256: " + text.error().message);
    }
  }
  for (const std::string& warning : prepared.warnings) PrintNote("warning: " + warning);
  const fusion::Counts counts = fusion::Count(job);
  if (common.json) {
    nlohmann::ordered_json json = ToJson(job);
    AddCounts(counts, json);
    json["stream_sha256"] =
        sha256.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(sha256);
    json["warnings"] = prepared.warnings;
    PrintJson(json);
    return Exit::kDone;
  }
  PrintText(common, "{}\n", ToText(counts));
  if (!o.output.empty()) {
    PrintText(common, "{}: SHA-256 {}\n", o.output, sha256);
  }
  return Exit::kDone;
}

}  // namespace

void AddFusionCompileCommand(CLI::App& fusion, Invocation& invocation) {
  const auto o = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(fusion, invocation, "compile",
                 "Compile a convolution to an instruction stream, and count cycles and bricks",
                 [o](const CommonOptions& common) { return RunFusionCompile(*o, common); });
  command->add_option("--input-shape", o->input_shape, "Pictures (default: 10x28x28)")
      ->type_name("[COUNTx]HEIGHTxWIDTH");
  command->add_option("--kernel-shape", o->kernel_shape, "Filters (default: 3x3x3)")
      ->type_name("[COUNTx]HEIGHTxWIDTH");
  AddFusionJobOptions(*command, o->job);
  command->add_option("--model", o->model, "Take shapes and widths from this integer network")
      ->type_name("M.lichen");
  command->add_option("--layer", o->layer, "Its layer, named by its output")->type_name("NAME");
  command->add_option("--size", o->size, "The network's pictures, where it does not state it")
      ->type_name("HEIGHTxWIDTH");
  command
      ->add_option("-o,--output", o->output,
                   "The stream to write; what a run needs besides goes to STREAM.json")
      ->type_name("STREAM");
}

}  // namespace lichen
