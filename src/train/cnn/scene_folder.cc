#include "train/cnn/scene_folder.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/files.h"
#include "image/writer.h"

namespace lichen {
namespace {

constexpr int64_t kMaxCount = 100000;
constexpr int64_t kAtOnce = 64;  // scenes between two reports of progress

}  // namespace

Result<SceneSet> OpenScenes(const CnnRecipe& recipe, const Threads& threads) {
  const CnnDataRecipe& data = recipe.data;
  if (data.boxes.empty()) {
    return Fail("the recipe makes up no scenes: its [data] names no boxes, but labelled pictures");
  }
  LICHEN_TRY(const std::vector<LabelledBox> labels, ReadBoxesCsv(data.boxes, {}));
  std::vector<Box> boxes;
  for (const LabelledBox& label : labels) boxes.push_back(label.box);
  return SceneSet::Open(data.folder, std::move(boxes), static_cast<uint64_t>(recipe.training.seed),
                        threads);
}

Result<void> WriteScenes(const SceneSet& scenes, Split split, int64_t count,
                         const std::filesystem::path& folder, const Threads& threads,
                         const std::function<void(int64_t done)>& progress) {
  if (count < 1 || count > kMaxCount) {
    return FailUsage("{} scenes are not 1 to {}", count, kMaxCount);
  }
  std::string csv = "file,xmin,xmax,ymin,ymax\n";
  for (int64_t first = 0; first < count; first += kAtOnce) {
    const auto part = static_cast<size_t>(std::min(kAtOnce, count - first));
    std::vector<std::string> lines(part);
    std::vector<std::optional<Error>> errors(part);
    threads.For(static_cast<int64_t>(part), [&](int64_t i) {
      const Scene scene = scenes.Make(split, first + i);
      const std::string name = fmt::format("{:05}.png", first + i);
      const Box& b = scene.box;
      lines[static_cast<size_t>(i)] =
          fmt::format("{},{},{},{},{}\n", name, b.xmin, b.xmax, b.ymin, b.ymax);
      const Result<void> written = WriteImage(folder / "images" / name, scene.picture);
      if (!written) errors[static_cast<size_t>(i)] = written.error();
    });
    for (const auto& error : errors) {
      if (error) return tl::unexpected<Error>(*error);
    }
    for (const std::string& line : lines) csv += line;
    if (progress) progress(first + static_cast<int64_t>(part));
  }
  return WriteFile(folder / "labels.csv", std::string_view(csv));
}

}  // namespace lichen
