#include <algorithm>
#include <optional>

#include "image/reader.h"
#include "image/resize.h"
#include "train/cnn/cnn_task.h"
#include "train/cnn/scene_folder.h"
#include "train/random.h"

namespace lichen {
namespace {

constexpr int64_t kTestEvery = 10;  // of labelled pictures
constexpr double kMaxLogSize = 4;   // of an anchor's exponent, where it is trained
constexpr double kBoxWeight = 2;    // beside the choice of the cell

// Pictures with a box each, resized to the network's input.
class Pictures {
 public:
  virtual ~Pictures() = default;
  virtual int64_t count(Split split) const = 0;  // of training: per epoch
  virtual Result<Scene> Get(Split split, int64_t number) const = 0;
  virtual std::string source() const = 0;
};

class MadeUp : public Pictures {
 public:
  MadeUp(SceneSet scenes, const CnnDataRecipe& data) : scenes_(std::move(scenes)), data_(data) {}
  int64_t count(Split split) const override {
    return split == Split::kTraining ? data_.training_scenes : data_.test_scenes;
  }
  Result<Scene> Get(Split split, int64_t number) const override {
    return scenes_.Make(split, number);
  }
  std::string source() const override {
    return fmt::format("made-up scenes on {} photographs, {} others for tests",
                       scenes_.photograph_count(Split::kTraining),
                       scenes_.photograph_count(Split::kTest));
  }

 private:
  SceneSet scenes_;
  CnnDataRecipe data_;
};

// Every tenth is for tests.
class Labelled : public Pictures {
 public:
  Labelled(const std::vector<LabelledBox>& boxes, std::string folder) : folder_(std::move(folder)) {
    for (size_t i = 0; i < boxes.size(); ++i) {
      (i % kTestEvery == kTestEvery - 1 ? test_ : training_).push_back(boxes[i]);
    }
  }
  int64_t count(Split split) const override { return static_cast<int64_t>(Of(split).size()); }
  Result<Scene> Get(Split split, int64_t number) const override {
    const LabelledBox& label = Of(split)[static_cast<size_t>(number % count(split))];
    LICHEN_TRY(Image picture, ReadImage(label.picture));
    LICHEN_TRY_VOID(CheckPicture(label, picture.info));
    return Scene{std::move(picture), label.box};
  }
  std::string source() const override { return folder_; }

 private:
  const std::vector<LabelledBox>& Of(Split split) const {
    return split == Split::kTraining ? training_ : test_;
  }
  std::string folder_;
  std::vector<LabelledBox> training_;
  std::vector<LabelledBox> test_;
};

// Columns xmin, xmax, ymin, ymax of boxes (n, 4).
torch::Tensor Edge(const torch::Tensor& boxes, int64_t edge) { return boxes.select(1, edge); }

torch::Tensor Area(const torch::Tensor& b) {
  return (Edge(b, 1) - Edge(b, 0)).clamp_min(0) * (Edge(b, 3) - Edge(b, 2)).clamp_min(0);
}

// Intersection over union, and the area of both boxes' hull that neither covers, as a share of the hull.
std::pair<torch::Tensor, torch::Tensor> Overlaps(const torch::Tensor& a, const torch::Tensor& b) {
  const auto extent = [&](int64_t low, bool is_hull) {
    const torch::Tensor from = is_hull ? torch::minimum(Edge(a, low), Edge(b, low))
                                       : torch::maximum(Edge(a, low), Edge(b, low));
    const torch::Tensor to = is_hull ? torch::maximum(Edge(a, low + 1), Edge(b, low + 1))
                                     : torch::minimum(Edge(a, low + 1), Edge(b, low + 1));
    return (to - from).clamp_min(0);
  };
  const torch::Tensor both = extent(0, false) * extent(2, false);
  const torch::Tensor either = (Area(a) + Area(b) - both).clamp_min(1e-6);
  const torch::Tensor hull = (extent(0, true) * extent(2, true)).clamp_min(1e-6);
  return {both / either, (hull - either) / hull};
}

class Detection : public CnnTask {
 public:
  Detection(const CnnRecipe& recipe, const CnnDefinition& net, std::unique_ptr<Pictures> pictures)
      : seed_(static_cast<uint64_t>(recipe.training.seed)),
        batch_(recipe.training.batch),
        data_(recipe.data),
        net_(net),
        pictures_(std::move(pictures)),
        source_(pictures_->source()) {}

  std::string_view score_name() const override { return "iou"; }
  const std::string& source() const override { return source_; }
  int64_t training_count() const override { return pictures_->count(Split::kTraining); }
  int64_t test_count() const override { return pictures_->count(Split::kTest); }

  Result<CnnBatch> TrainingBatch(int64_t step) const override {
    CnnBatch batch = Empty(batch_);
    for (int64_t i = 0; i < batch_; ++i) {
      KeyedRandom random({seed_, static_cast<uint64_t>(step * batch_ + i)});
      const bool is_flipped = data_.flip && random.Below(2) == 1;
      LICHEN_TRY_VOID(Put(Split::kTraining, random.Below(training_count()), is_flipped, i, batch));
    }
    return batch;
  }

  Result<CnnBatch> TestBatch(int64_t first, int64_t count) const override {
    CnnBatch batch = Empty(count);
    for (int64_t i = 0; i < count; ++i) {
      LICHEN_TRY_VOID(Put(Split::kTest, first + i, false, i, batch));
    }
    return batch;
  }

  // Cross-entropy of the cells, as exactly one holds the object, and the generalised overlap of its box.
  torch::Tensor Loss(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    const Head head(outputs, net_);
    const torch::Tensor column = Middle(targets, 0, head.cell_w, head.columns);
    const torch::Tensor row = Middle(targets, 2, head.cell_h, head.rows);
    const torch::Tensor cell = row * head.columns + column;
    const torch::Tensor choice = torch::nn::functional::cross_entropy(head.Confidence(), cell);
    const auto [overlap, gap] = Overlaps(head.BoxesAt(cell, kMaxLogSize), targets);
    return choice + kBoxWeight * (1 - overlap + gap).mean();
  }

  torch::Tensor Scores(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    const Head head(outputs, net_);
    const torch::Tensor boxes = head.BoxesAt(head.Confidence().argmax(1), 1e6);
    return Overlaps(boxes, targets.to(boxes.dtype())).first.to(torch::kFloat64);
  }

 private:
  // The head's fields, as flow/detect.h has them.
  struct Head {
    Head(const torch::Tensor& outputs, const CnnDefinition& net)
        : rows(outputs.size(2)),
          columns(outputs.size(3)),
          cell_h(static_cast<double>(net.height) / static_cast<double>(rows)),
          cell_w(static_cast<double>(net.width) / static_cast<double>(columns)),
          fields(outputs.view({outputs.size(0), -1, kHeadFields, rows * columns})) {}

    // (n, cells): sums over anchors.
    torch::Tensor Confidence() const { return fields.select(2, kConfidenceField).sum(1); }

    // (n, 4), of the cells (n).
    torch::Tensor BoxesAt(const torch::Tensor& cells, double max_log_size) const {
      const torch::Tensor at =
          cells.view({-1, 1, 1, 1}).expand({-1, fields.size(1), kHeadFields, 1});
      const torch::Tensor v = fields.gather(3, at).squeeze(3);  // (n, anchors, fields)
      const auto mean = [&](int64_t field, bool is_size) {
        const torch::Tensor of = v.select(2, field);
        return (is_size ? torch::exp(of.clamp_max(max_log_size)) : torch::sigmoid(of)).mean(1);
      };
      const torch::Tensor x = (mean(0, false) + torch::remainder(cells, columns)) * cell_w;
      const torch::Tensor y = (mean(1, false) + torch::div(cells, columns, "floor")) * cell_h;
      const torch::Tensor half_w = mean(2, true) * (kAnchorPx / 2);
      const torch::Tensor half_h = mean(3, true) * (kAnchorPx / 2);
      return torch::stack({x - half_w, x + half_w, y - half_h, y + half_h}, 1);
    }

    int64_t rows, columns;
    double cell_h, cell_w;
    torch::Tensor fields;  // (n, anchors, fields, cells)
  };

  // The cell, along one axis, that holds the boxes' middle.
  static torch::Tensor Middle(const torch::Tensor& boxes, int64_t low, double cell, int64_t count) {
    const torch::Tensor middle = (Edge(boxes, low) + Edge(boxes, low + 1)) / (2 * cell);
    return torch::floor(middle).clamp(0, static_cast<double>(count - 1)).to(torch::kInt64);
  }

  CnnBatch Empty(int64_t count) const {
    return {torch::zeros({count, net_.channels, net_.height, net_.width}),
            torch::zeros({count, 4})};
  }

  Result<void> Put(Split split, int64_t number, bool is_flipped, int64_t i, CnnBatch& batch) const {
    LICHEN_TRY(Scene scene, pictures_->Get(split, number));
    const double sy =
        static_cast<double>(net_.height) / static_cast<double>(scene.picture.info.height);
    const double sx =
        static_cast<double>(net_.width) / static_cast<double>(scene.picture.info.width);
    LICHEN_TRY(const Image small, ResizeBilinear(scene.picture, net_.height, net_.width));
    float* to = batch.samples.data_ptr<float>() + i * net_.channels * net_.height * net_.width;
    for (int64_t c = 0; c < net_.channels; ++c) {
      for (int64_t y = 0; y < net_.height; ++y) {
        const auto row = small.Row(y);
        for (int64_t x = 0; x < net_.width; ++x) {
          const int64_t from = is_flipped ? net_.width - 1 - x : x;
          *to++ = row[static_cast<size_t>(from * net_.channels + c)];
        }
      }
    }
    float* box = batch.targets.data_ptr<float>() + 4 * i;
    const auto width = static_cast<double>(net_.width);
    const double xmin = scene.box.xmin * sx, xmax = scene.box.xmax * sx;
    box[0] = static_cast<float>(is_flipped ? width - xmax : xmin);
    box[1] = static_cast<float>(is_flipped ? width - xmin : xmax);
    box[2] = static_cast<float>(scene.box.ymin * sy);
    box[3] = static_cast<float>(scene.box.ymax * sy);
    return {};
  }

  uint64_t seed_;
  int64_t batch_;
  CnnDataRecipe data_;
  CnnDefinition net_;
  std::unique_ptr<Pictures> pictures_;
  std::string source_;
};

// At the beginning, not at the step that happens to draw a bad one.
Result<void> CheckHeaders(const std::vector<LabelledBox>& boxes, const Threads& threads) {
  std::vector<Result<void>> checked(boxes.size());
  threads.For(static_cast<int64_t>(boxes.size()), [&](int64_t i) {
    const LabelledBox& label = boxes[static_cast<size_t>(i)];
    const Result<ImageInfo> info = ReadImageInfo(label.picture);
    checked[static_cast<size_t>(i)] =
        info ? CheckPicture(label, *info) : tl::unexpected<Error>(info.error());
  });
  for (const Result<void>& one : checked) LICHEN_TRY_VOID(one);
  return {};
}

Result<std::unique_ptr<Pictures>> OpenPictures(const CnnRecipe& recipe, const Threads& threads) {
  const CnnDataRecipe& data = recipe.data;
  if (data.boxes.empty()) {
    LICHEN_TRY(const std::vector<LabelledBox> boxes, ReadLabelledBoxes(data.folder));
    if (static_cast<int64_t>(boxes.size()) < kTestEvery) {
      return Fail("{}: {} labelled pictures are too few; at least {} are needed",
                  data.folder.string(), boxes.size(), kTestEvery);
    }
    LICHEN_TRY_VOID(CheckHeaders(boxes, threads));
    return std::make_unique<Labelled>(boxes, data.folder.filename().string());
  }
  LICHEN_TRY(SceneSet scenes, OpenScenes(recipe, threads));
  return std::make_unique<MadeUp>(std::move(scenes), data);
}

}  // namespace

Result<std::unique_ptr<CnnTask>> OpenDetection(const CnnRecipe& recipe, const CnnDefinition& net,
                                               const Threads& threads) {
  LICHEN_TRY(std::unique_ptr<Pictures> pictures, OpenPictures(recipe, threads));
  return std::make_unique<Detection>(recipe, net, std::move(pictures));
}

}  // namespace lichen
