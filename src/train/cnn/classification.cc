#include <numeric>

#include "data/labelled_pictures.h"
#include "train/cnn/cnn_task.h"
#include "train/random.h"

namespace lichen {
namespace {

constexpr uint64_t kOrderKey = 0x6f72646572;  // tells the order's key from that of the changes

class Classification : public CnnTask {
 public:
  Classification(const CnnRecipe& recipe, LabelledPictures training, LabelledPictures test)
      : seed_(static_cast<uint64_t>(recipe.training.seed)),
        batch_(recipe.training.batch),
        data_(recipe.data),
        training_(std::move(training)),
        test_(std::move(test)) {}

  std::string_view score_name() const override { return "accuracy"; }
  const std::string& source() const override { return training_.source; }
  int64_t training_count() const override { return training_.count(); }
  int64_t test_count() const override { return test_.count(); }

  // Every picture once per epoch, in an order of its own; what does not fill a batch goes to the next.
  Result<CnnBatch> TrainingBatch(int64_t step) const override {
    CnnBatch batch = Empty(batch_);
    for (int64_t i = 0; i < batch_; ++i) {
      const int64_t at = step * batch_ + i;
      const int64_t picture = PictureAt(at / training_.count(), at % training_.count());
      KeyedRandom random({seed_, static_cast<uint64_t>(at)});
      const int64_t span = 2 * data_.max_shift_px + 1;
      const int64_t dy = random.Below(span) - data_.max_shift_px;
      const int64_t dx = random.Below(span) - data_.max_shift_px;
      const bool is_flipped = data_.flip && random.Below(2) == 1;
      Put(training_, picture, dy, dx, is_flipped, i, batch);
    }
    return batch;
  }

  Result<CnnBatch> TestBatch(int64_t first, int64_t count) const override {
    CnnBatch batch = Empty(count);
    for (int64_t i = 0; i < count; ++i) Put(test_, first + i, 0, 0, false, i, batch);
    return batch;
  }

  torch::Tensor Loss(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    return torch::nn::functional::cross_entropy(outputs.flatten(1), targets);
  }

  torch::Tensor Scores(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    return (outputs.flatten(1).argmax(1) == targets).to(torch::kFloat64);
  }

 private:
  CnnBatch Empty(int64_t count) const {
    return {torch::zeros({count, training_.channels, training_.height, training_.width}),
            torch::zeros({count}, torch::kInt64)};
  }

  int64_t PictureAt(int64_t epoch, int64_t at) const {
    if (epoch != epoch_) {
      epoch_ = epoch;
      order_.resize(static_cast<size_t>(training_.count()));
      std::iota(order_.begin(), order_.end(), int64_t{0});
      KeyedRandom random({seed_, kOrderKey, static_cast<uint64_t>(epoch)});
      for (size_t i = order_.size() - 1; i > 0; --i) {
        std::swap(order_[i],
                  order_[static_cast<size_t>(random.Below(static_cast<int64_t>(i) + 1))]);
      }
    }
    return order_[static_cast<size_t>(at)];
  }

  // Pixel (y, x) of the batch's picture is (y + dy, x + dx) of the original, 0 outside.
  static void Put(const LabelledPictures& set, int64_t picture, int64_t dy, int64_t dx,
                  bool is_flipped, int64_t i, CnnBatch& batch) {
    const auto from = set.Samples(picture);
    float* to = batch.samples.data_ptr<float>() + i * set.channels * set.height * set.width;
    for (int64_t c = 0; c < set.channels; ++c) {
      for (int64_t y = 0; y < set.height; ++y) {
        for (int64_t x = 0; x < set.width; ++x, ++to) {
          const int64_t sy = y + dy, sx = (is_flipped ? set.width - 1 - x : x) + dx;
          if (sy < 0 || sy >= set.height || sx < 0 || sx >= set.width) continue;
          *to = from[static_cast<size_t>((sy * set.width + sx) * set.channels + c)];
        }
      }
    }
    batch.targets.data_ptr<int64_t>()[i] = set.labels[static_cast<size_t>(picture)];
  }

  uint64_t seed_;
  int64_t batch_;
  CnnDataRecipe data_;
  LabelledPictures training_;
  LabelledPictures test_;
  mutable int64_t epoch_ = -1;  // whose order is there
  mutable std::vector<int64_t> order_;
};

}  // namespace

Result<std::unique_ptr<CnnTask>> OpenClassification(const CnnRecipe& recipe,
                                                    const CnnDefinition& net) {
  const std::filesystem::path& folder = recipe.data.folder;
  LICHEN_TRY(LabelledPictures training, ReadLabelledPictures(folder, Split::kTraining));
  LICHEN_TRY(LabelledPictures test, ReadLabelledPictures(folder, Split::kTest));
  for (const LabelledPictures* set : {&training, &test}) {
    if (set->channels == net.channels && set->height == net.height && set->width == net.width &&
        set->class_count == net.layers.back().out_channels) {
      continue;
    }
    return Fail(
        "{}: {} has {} classes of {}x{}x{} (height, width, channels), {} takes {} of {}x{}x{}",
        folder.string(), set->source, set->class_count, set->height, set->width, set->channels,
        net.name, net.layers.back().out_channels, net.height, net.width, net.channels);
  }
  return std::make_unique<Classification>(recipe, std::move(training), std::move(test));
}

}  // namespace lichen
