// lichen compare: how alike two pictures are.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "apps/command.h"
#include "image/metrics.h"
#include "image/reader.h"

namespace lichen {
namespace {

struct Options {
  std::string a;
  std::string b;
  bool equal = false;
};

Result<Exit> RunCompare(const Options& options, const CommonOptions& common) {
  LICHEN_TRY(const auto a, OpenImage(options.a));
  LICHEN_TRY(const auto b, OpenImage(options.b));
  const std::string place = fmt::format("{} and {}", options.a, options.b);
  LICHEN_TRY_VOID(InPlace(place, CheckComparable(a->info(), b->info())));
  PsnrMeter psnr(a->info());
  MsSsimMeter ms_ssim(a->info());
  std::vector<uint16_t> row_a(static_cast<size_t>(a->info().RowSamples())), row_b = row_a;
  int max_difference = 0;
  for (int64_t y = 0; y < a->info().height; ++y) {
    LICHEN_TRY_VOID(a->ReadRow(row_a));
    LICHEN_TRY_VOID(b->ReadRow(row_b));
    psnr.AddRow(row_a, row_b);
    ms_ssim.AddRow(row_a, row_b);
    for (size_t i = 0; i < row_a.size(); ++i) {
      max_difference = std::max(max_difference, std::abs(int{row_a[i]} - int{row_b[i]}));
    }
  }
  const bool is_equal = max_difference == 0 && a->info().metadata == b->info().metadata;
  if (common.json) {
    PrintJson({{"a", options.a},
               {"b", options.b},
               {"psnr_db", psnr.Psnr()},  // null: infinite
               {"ms_ssim", ms_ssim.MsSsim()},
               {"max_difference", max_difference},
               {"equal", is_equal}});
  } else {
    PrintText(common, "PSNR {:.3f} dB, MS-SSIM {:.5f}, largest difference {}{}\n", psnr.Psnr(),
              ms_ssim.MsSsim(), max_difference,
              max_difference == 0 ? is_equal ? ": equal" : ": equal but for ICC or Exif" : "");
  }
  return options.equal && !is_equal ? Exit::kNo : Exit::kDone;
}

}  // namespace

void AddCompareCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "compare", "Tell how alike two pictures are",
                 [options](const CommonOptions& common) { return RunCompare(*options, common); });
  command->add_option("A", options->a, "A picture")->required();
  command->add_option("B", options->b, "Another of the same size, channels and depth")->required();
  command->add_flag("--equal", options->equal,
                    "Exit with 3 unless samples, alpha, ICC and Exif are equal");
}

}  // namespace lichen
