#include "train/evaluate_checkpoint.h"

#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "image/reader.h"
#include "train/checkpoint.h"
#include "train/picture_set.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMultiple = 64;  // of the sides that networks take

// (1, 3, h, w), 0 to 1.
torch::Tensor ToTensor(const Image& image) {
  const ImageInfo& info = image.info;
  torch::Tensor samples = torch::empty({info.height, info.width, 3});
  float* out = samples.data_ptr<float>();
  const double most = info.bit_depth == 8 ? 255 : 65535;
  for (int64_t y = 0; y < info.height; ++y) {
    const auto row = image.Row(y);
    for (int64_t x = 0; x < info.width; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t from = x * info.channels + (info.ColourChannels() == 1 ? 0 : c);
        *out++ =
            static_cast<float>(std::round(row[static_cast<size_t>(from)] * 255.0 / most) / 255);
      }
    }
  }
  return samples.permute({2, 0, 1}).unsqueeze(0).contiguous();
}

// Edges are repeated up to whole multiples, as the codec does.
torch::Tensor Padded(const torch::Tensor& picture) {
  const auto missing = [](int64_t side) { return (kMultiple - side % kMultiple) % kMultiple; };
  return torch::replication_pad2d(picture,
                                  {0, missing(picture.size(3)), 0, missing(picture.size(2))});
}

}  // namespace

Result<std::vector<RateFigures>> EvaluateCheckpoint(const Recipe& recipe, const fs::path& folder,
                                                    const EvaluateCheckpointOptions& options) {
  LICHEN_TRY(const std::vector<fs::path> files, FilesOfFolder(folder));
  const Threads threads(options.threads);
  at::set_num_threads(threads.count());
  return CatchTorch([&]() -> Result<std::vector<RateFigures>> {
    const torch::NoGradGuard no_grad;
    const torch::Device device(options.device);
    Recipe exact = recipe;
    exact.network.bfloat16 = false;
    LICHEN_TRY(TrainState state, LoadCheckpoint(recipe.output / "checkpoint.pt", exact, device));
    const UseAverage use(state);
    std::vector<RateFigures> figures;
    for (const double lambda : recipe.training.lambdas) figures.push_back({.lambda = lambda});
    const auto rates = static_cast<int64_t>(figures.size());
    int64_t count = 0, seen = 0;
    for (const fs::path& file : files) {
      ++seen;
      const Result<Image> image = ReadImage(file);
      if (!image) {
        if (options.on_note) options.on_note("skipped: " + image.error().message);
        continue;
      }
      ++count;
      const torch::Tensor picture = ToTensor(*image).to(device);
      const int64_t h = picture.size(2), w = picture.size(3);
      const torch::Tensor padded = Padded(picture);
      for (int64_t rate = 0; rate < rates; ++rate) {
        const CodecOutput output =
            state.module->Forward(padded, torch::full({1}, rate, torch::kInt64).to(device),
                                  LatentMode::kRound, at::detail::createCPUGenerator(0));
        const torch::Tensor decoded =
            (output.picture.narrow(2, 0, h).narrow(3, 0, w) * 255 + 0.5).floor().clamp(0, 255);
        const double mse = (decoded - picture * 255).square().mean().item<double>();
        RateFigures& f = figures[static_cast<size_t>(rate)];
        f.bpp += output.bits.item<double>() / static_cast<double>(h * w);
        f.psnr_db += 10 * std::log10(255.0 * 255.0 / std::max(mse, 1e-6));
        if (options.on_progress) {
          options.on_progress((seen - 1) * rates + rate + 1,
                              static_cast<int64_t>(files.size()) * rates);
        }
      }
    }
    if (count == 0) return Fail("{}: holds no picture to evaluate", folder.string());
    for (RateFigures& f : figures) {
      f.bpp /= static_cast<double>(count);
      f.psnr_db /= static_cast<double>(count);
    }
    return figures;
  });
}

}  // namespace lichen
