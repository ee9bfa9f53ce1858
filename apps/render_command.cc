// lichen render: the project's own test picture.
#include "apps/command.h"
#include "apps/progress_line.h"
#include "flow/model_input.h"
#include "image/synthetic.h"
#include "image/writer.h"

namespace lichen {
namespace {

struct Options {
  std::string output;
  std::string size = "512x768";
  uint64_t seed = 1;
  int channels = 3;
  int bit_depth = 8;
};

Result<Exit> RunRender(const Options& options, const CommonOptions& common) {
  LICHEN_TRY(const Size2 size, ParseSize(options.size));
  const ImageInfo info{.height = size.h,
                       .width = size.w,
                       .channels = options.channels,
                       .bit_depth = options.bit_depth};
  if (const auto ok = CheckImageInfo(info); !ok) return FailUsage("{}", ok.error().message);
  const TestPicture picture(size.h, size.w, options.seed, options.channels, options.bit_depth);
  LICHEN_TRY(const auto writer, CreateImageWriter(options.output, picture.info()));
  {
    ProgressLine progress("rendering");
    std::vector<uint16_t> row(static_cast<size_t>(info.RowSamples()));
    for (int64_t y = 0; y < size.h; ++y) {
      progress.Update(y, size.h);
      picture.RenderRow(y, row);
      LICHEN_TRY_VOID(writer->WriteRow(row));
    }
    LICHEN_TRY_VOID(writer->Finish());
  }
  if (common.json) {
    PrintJson({{"output", options.output},
               {"width", size.w},
               {"height", size.h},
               {"channels", options.channels},
               {"bit_depth", options.bit_depth},
               {"seed", options.seed}});
  } else {
    PrintText(common, "{}: {}\n", options.output, Describe(picture.info()));
  }
  return Exit::kDone;
}

}  // namespace

void AddRenderCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "render", "Draw a test picture, the same on every machine",
                 [options](const CommonOptions& common) { return RunRender(*options, common); });
  command->add_option("OUT", options->output, "The picture to write")->required();
  command->add_option("--size", options->size, "Its size")
      ->type_name("HEIGHTxWIDTH")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Another number, another picture")
      ->capture_default_str();
  command->add_option("--channels", options->channels, "1 grey, 2 grey and alpha, 3 RGB, 4 RGBA")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  command->add_option("--bit-depth", options->bit_depth, "8 or 16")
      ->check(CLI::IsMember({8, 16}))
      ->capture_default_str();
}

}  // namespace lichen
