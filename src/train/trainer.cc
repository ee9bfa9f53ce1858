#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <system_error>

#include "net/model_file.h"
#include "train/batch_loader.h"
#include "train/checkpoint.h"
#include "train/device.h"
#include "train/joined_run.h"
#include "train/random.h"
#include "train/schedule.h"
#include "train/train_log.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr uint64_t kNoiseKey = 0x6e6f697365;  // tells the noise's key from those of the crops
constexpr uint64_t kCalibrationKey = 0x72616e6765;
constexpr int64_t kCalibrationCrops = 8;

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

double Psnr(double mse) { return 10 * std::log10(255.0 * 255.0 / std::max(mse, 1e-12)); }

// Sums since the last line of the log.
struct Sums {
  explicit Sums(size_t rates) : pictures(rates), bpp(rates), mse(rates) {}
  int64_t steps = 0;
  double loss = 0;
  double gradient_norm = 0;
  std::vector<int64_t> pictures;  // per rate, as are the following
  std::vector<double> bpp;
  std::vector<double> mse;
  Clock::time_point start = Clock::now();

  static double Mean(const std::vector<double>& sums, const std::vector<int64_t>& counts) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < sums.size(); ++i) {
      sum += sums[i];
      count += static_cast<double>(counts[i]);
    }
    return count > 0 ? sum / count : 0;
  }
};

struct StepOutcome {
  double loss = 0;
  double gradient_norm = 0;
  std::vector<int64_t> rates;  // per picture of the whole batch, as are the following
  std::vector<double> bpp;
  std::vector<double> mse;
};

class Run {
 public:
  // Process 0 of the group has a log.
  Run(const Recipe& recipe, const TrainOptions& options, ProcessGroup& group,
      const PictureSet& pictures, TrainState state, std::optional<TrainLog> log,
      torch::Device device)
      : recipe_(recipe),
        options_(options),
        group_(group),
        part_(group, recipe.training.batch),
        pictures_(pictures),
        state_(std::move(state)),
        log_(std::move(log)),
        device_(device),
        sums_(recipe.training.lambdas.size()) {
    const auto& lambdas = recipe.training.lambdas;
    lambdas_ = torch::tensor(lambdas, torch::kFloat64).to(torch::kFloat32).to(device);
    weights_ = lambdas_.rsqrt() / lambdas_.rsqrt().mean();
    result_.first_step = saved_step_ = state_.step;
    result_.last.step = state_.step;
    result_.last.steps = recipe.training.steps;
    result_.checkpoint = recipe.output / "checkpoint.pt";
    for (const double lambda : lambdas) {
      result_.models.push_back(recipe.output / (lambdas.size() == 1
                                                    ? std::string("model.lichen")
                                                    : fmt::format("model_{:g}.lichen", lambda)));
    }
  }

  Result<TrainResult> Go() {
    const TrainingRecipe& t = recipe_.training;
    const bool is_resumed = state_.step > 0;
    LICHEN_TRY_VOID(group_.Agree(Begin(is_resumed)));
    BatchLoader loader(pictures_, {.batch = t.batch,
                                   .part_first = part_.first(),
                                   .part_count = part_.count(),
                                   .crop_px = recipe_.data.crop_px,
                                   .rate_count = static_cast<int64_t>(t.lambdas.size()),
                                   .is_one_rate = recipe_.switches.quantise,
                                   .seed = static_cast<uint64_t>(t.seed),
                                   .first_step = state_.step,
                                   .workers = recipe_.data.workers});
    while (state_.step < t.steps && !result_.is_stopped) {
      const Result<Batch> batch = loader.Next();
      LICHEN_TRY_VOID(group_.Agree(batch));
      if (recipe_.switches.mask &&
          static_cast<double>(state_.step) >=
              recipe_.switches.masks_after * static_cast<double>(t.steps)) {
        LICHEN_TRY_VOID(group_.Agree(state_.module->MakeMasks()));
        if (!std::exchange(has_masks_, true)) LICHEN_TRY_VOID(Synchronise(group_, state_));
      }
      state_.module->StartStep(state_.step);
      LICHEN_TRY(const StepOutcome outcome, Step(*batch));
      Count(outcome);
      const bool is_last = state_.step == t.steps;
      LICHEN_TRY(const bool is_told, group_.Any(options_.stop && options_.stop->load()));
      result_.is_stopped = !is_last && is_told;
      const bool ends = is_last || result_.is_stopped;
      if (ends || state_.step % t.log_steps == 0) LICHEN_TRY_VOID(group_.Agree(WriteLine()));
      if (ends || state_.step % t.checkpoint_steps == 0) {
        LICHEN_TRY_VOID(group_.Agree(Save()));
        LICHEN_TRY_VOID(Synchronise(group_, state_));
      }
    }
    LICHEN_TRY_VOID(group_.Agree(Log({{"event", "end"}, {"step", state_.step}})));
    if (!log_) {
      result_.checkpoint.clear();
      result_.models.clear();
    }
    result_.picture_count = pictures_.picture_count();
    result_.skipped = pictures_.Skipped();
    return std::move(result_);
  }

 private:
  // Does nothing in processes that have no log.
  Result<void> Log(const Json& line) { return log_ ? log_->Write(line) : Result<void>(); }

  Result<void> Begin(bool is_resumed) {
    Json line = {{"event", is_resumed ? "resume" : "start"},
                 {"step", state_.step},
                 {"device", device_.str()},
                 {"pictures", pictures_.picture_count()}};
    if (group_.size() > 1) line["processes"] = group_.size();
    line["recipe"] = Json::parse(ToJson(recipe_));
    LICHEN_TRY_VOID(Log(line));
    LICHEN_TRY_VOID(NoteSkipped());
    LICHEN_TRY_VOID(TakeCalibration());
    return is_resumed ? Result<void>() : Save();
  }

  // (n, y, x, 3) samples as (n, 3, y, x), 0 to 1.
  torch::Tensor Pictures(const std::vector<uint8_t>& samples) const {
    const int64_t side = recipe_.data.crop_px;
    const int64_t count = static_cast<int64_t>(samples.size()) / (side * side * 3);
    return torch::from_blob(const_cast<uint8_t*>(samples.data()), {count, side, side, 3},
                            torch::kUInt8)
        .to(device_)
        .permute({0, 3, 1, 2})
        .to(torch::kFloat32)
        .div(255);
  }

  // Crops that show the ranges of activations.
  Result<void> TakeCalibration() {
    const BatchOptions options = {
        .batch = kCalibrationCrops,
        .crop_px = recipe_.data.crop_px,
        .seed = static_cast<uint64_t>(recipe_.training.seed) ^ kCalibrationKey};
    LICHEN_TRY(const Batch batch, MakeBatch(pictures_, options, 0));
    calibration_ = Pictures(batch.samples);
    return {};
  }

  // One step of the optimiser. Where loss or gradient are not finite, the weights stay as they are.
  Result<StepOutcome> Step(const Batch& batch) {
    const TrainingRecipe& t = recipe_.training;
    const std::vector<torch::Tensor> parameters = state_.module->parameters();
    for (const torch::Tensor& parameter : parameters) parameter.mutable_grad() = torch::Tensor();
    const Result<Totals> totals = Differentiate(batch);
    LICHEN_TRY_VOID(group_.Agree(totals));
    std::vector<torch::Tensor> gradients;
    for (const torch::Tensor& parameter : parameters) {
      if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
    LICHEN_TRY_VOID(group_.AllReduceSum(gradients));
    LICHEN_TRY_VOID(group_.AllReduceSum({totals->loss, totals->pictures}));
    StepOutcome outcome;
    outcome.loss = totals->loss.item<double>();
    outcome.gradient_norm = torch::nn::utils::clip_grad_norm_(parameters, t.max_gradient_norm);
    if (!std::isfinite(outcome.gradient_norm)) return NotFinite("gradient", batch.step);
    ++state_.step;
    state_.optimiser->Step(parameters, LearningRate(t, batch.step), state_.step);
    UpdateAverage();
    const double* first = totals->pictures.data_ptr<double>();
    outcome.rates.assign(first, first + t.batch);
    outcome.bpp.assign(first + t.batch, first + 2 * t.batch);
    outcome.mse.assign(first + 2 * t.batch, first + 3 * t.batch);
    return outcome;
  }

  // What adds up over the processes beside gradients.
  struct Totals {
    torch::Tensor loss;
    torch::Tensor pictures;  // rate, bits per pixel and MSE (3, whole batch); 0 outside the part
  };

  // Leaves the part's share of the gradients in the parameters.
  Result<Totals> Differentiate(const Batch& batch) {
    const TrainingRecipe& t = recipe_.training;
    const int64_t side = recipe_.data.crop_px;
    const torch::Tensor pictures = Pictures(batch.samples);
    const torch::Tensor rates =
        torch::from_blob(const_cast<int64_t*>(batch.rates.data()), {part_.count()}, torch::kInt64)
            .clone()
            .to(device_);
    const uint64_t noise_seed =
        KeyedRandom({static_cast<uint64_t>(t.seed), static_cast<uint64_t>(batch.step), kNoiseKey})
            .Next();
    const at::Generator generator = at::detail::createCPUGenerator(noise_seed);
    state_.module->SetPart(part_);
    const CodecOutput output =
        state_.module->Forward(pictures, rates, LatentMode::kNoise, generator);
    const Result<void> status = state_.module->part().status();
    state_.module->SetPart(BatchPart());
    LICHEN_TRY_VOID(status);
    const torch::Tensor bpp = output.bits / static_cast<double>(side * side);
    const torch::Tensor mse =
        (output.picture - pictures).square().flatten(1).mean(1) * (255.0 * 255.0);
    torch::Tensor losses = bpp + lambdas_.index_select(0, rates) * mse;
    if (t.is_balanced) losses = losses * weights_.index_select(0, rates);
    torch::Tensor loss = losses.sum() / t.batch;
    const torch::Tensor penalty = state_.module->Penalty();
    if (penalty.defined()) loss = loss + penalty / group_.size();
    const double value = loss.item<double>();
    if (!std::isfinite(value)) return NotFinite("loss", batch.step);
    loss.backward();
    Totals totals = {torch::tensor({value}, torch::kFloat64),
                     torch::zeros({3, t.batch}, torch::kFloat64)};
    totals.pictures.narrow(1, part_.first(), part_.count())
        .copy_(torch::stack({rates.to(bpp.scalar_type()), bpp, mse}).detach());
    return totals;
  }

  // Young averages decay faster, so that the first weights do not linger.
  void UpdateAverage() {
    const torch::NoGradGuard no_grad;
    const auto step = static_cast<double>(state_.step);
    const double decay = std::min(recipe_.training.average_decay, (1 + step) / (10 + step));
    const auto parameters = state_.module->parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      state_.average[i].lerp_(parameters[i], 1 - decay);
    }
  }

  void Count(const StepOutcome& outcome) {
    for (size_t i = 0; i < outcome.rates.size(); ++i) {
      const auto rate = static_cast<size_t>(outcome.rates[i]);
      ++sums_.pictures[rate];
      sums_.bpp[rate] += outcome.bpp[i];
      sums_.mse[rate] += outcome.mse[i];
    }
    ++sums_.steps;
    sums_.loss += outcome.loss;
    sums_.gradient_norm += outcome.gradient_norm;
    TrainProgress& p = result_.last;
    p.step = state_.step;
    p.steps = recipe_.training.steps;
    p.loss = sums_.loss / static_cast<double>(sums_.steps);
    p.bpp = Sums::Mean(sums_.bpp, sums_.pictures);
    p.mse = Sums::Mean(sums_.mse, sums_.pictures);
    p.psnr_db = Psnr(p.mse);
    const double seconds = Seconds(start_);
    const auto done = static_cast<double>(state_.step - result_.first_step);
    p.pictures_per_second =
        static_cast<double>(sums_.steps * recipe_.training.batch) / Seconds(sums_.start);
    p.seconds_left = seconds / done * static_cast<double>(p.steps - p.step);
    if (options_.on_progress) options_.on_progress(p);
  }

  Result<void> WriteLine() {
    const TrainProgress& p = result_.last;
    Json rates = Json::array();
    for (size_t i = 0; i < sums_.pictures.size(); ++i) {
      if (sums_.pictures[i] == 0) continue;
      const auto count = static_cast<double>(sums_.pictures[i]);
      rates.push_back({{"lambda", recipe_.training.lambdas[i]},
                       {"bpp", sums_.bpp[i] / count},
                       {"mse", sums_.mse[i] / count},
                       {"psnr", Psnr(sums_.mse[i] / count)}});
    }
    Json line = {{"step", p.step}};
    if (!recipe_.stage.empty()) line["stage"] = recipe_.stage;
    line.update({{"loss", p.loss},
                 {"bpp", p.bpp},
                 {"mse", p.mse},
                 {"psnr", p.psnr_db},
                 {"rates", rates},
                 {"learning_rate", LearningRate(recipe_.training, p.step - 1)},
                 {"gradient_norm", sums_.gradient_norm / static_cast<double>(sums_.steps)},
                 {"pictures_per_second", p.pictures_per_second},
                 {"seconds", Seconds(start_)}});
    LICHEN_TRY_VOID(Log(line));
    sums_ = Sums(sums_.pictures.size());
    return NoteSkipped();
  }

  Result<void> NoteSkipped() {
    const std::vector<SkippedPicture> skipped = pictures_.Skipped();
    for (; noted_ < skipped.size(); ++noted_) {
      const SkippedPicture& s = skipped[noted_];
      LICHEN_TRY_VOID(Log({{"event", "skipped"}, {"file", s.name}, {"reason", s.reason}}));
      if (options_.on_note) options_.on_note(fmt::format("skipped: {}", s.reason));
    }
    return {};
  }

  Result<void> Save() {
    saved_step_ = state_.step;
    if (!log_) return {};  // process 0 does it
    LICHEN_TRY_VOID(SaveCheckpoint(result_.checkpoint, recipe_, state_));
    {
      const UseAverage use(state_);
      for (size_t i = 0; i < result_.models.size(); ++i) {
        LICHEN_TRY(Model model, state_.module->ToModel(static_cast<int64_t>(i), calibration_));
        std::visit([&](auto& net) { net.metadata["steps"] = std::to_string(state_.step); }, model);
        LICHEN_TRY_VOID(SaveModel(result_.models[i], model));
      }
    }
    return Log({{"event", "checkpoint"}, {"step", state_.step}});
  }

  tl::unexpected<Error> NotFinite(std::string_view what, int64_t step) const {
    return Fail(
        "the {} of step {} is not finite; the last good checkpoint is {} (step {}). Resume with a "
        "lower learning_rate or max_gradient_norm",
        what, step + 1, result_.checkpoint.string(), saved_step_);
  }

  const Recipe& recipe_;
  const TrainOptions& options_;
  ProcessGroup& group_;
  BatchPart part_;
  const PictureSet& pictures_;
  TrainState state_;
  std::optional<TrainLog> log_;
  torch::Device device_;
  torch::Tensor lambdas_;
  torch::Tensor weights_;  // of the rates, where they are balanced; 1 on average
  torch::Tensor calibration_;
  Sums sums_;
  TrainResult result_;
  size_t noted_ = 0;
  int64_t saved_step_ = 0;
  bool has_masks_ = false;
  Clock::time_point start_ = Clock::now();
};

Result<TrainState> FirstState(const Recipe& recipe, const TrainOptions& options,
                              const torch::Device& device) {
  const fs::path path = recipe.output / "checkpoint.pt";
  std::error_code error;
  const bool has_checkpoint = fs::exists(path, error);
  if (options.is_resumed) {
    if (!has_checkpoint) return Fail("{}: there is no run to resume", path.string());
    return LoadCheckpoint(path, recipe, device);
  }
  if (has_checkpoint && !options.is_restarted) {
    return Fail("{}: holds a run already; --resume continues it, --restart replaces it",
                path.string());
  }
  return NewState(recipe, device);
}

}  // namespace

Result<TrainResult> Train(const Recipe& recipe, const TrainOptions& options) {
  LICHEN_TRY(const torch::Device device, DeviceOf(options.device));
  const Threads threads(options.threads);
  at::set_num_threads(threads.count());
  ProcessGroup alone;
  ProcessGroup& group = options.group ? *options.group : alone;
  if (group.size() > recipe.training.batch) {
    return FailUsage("--processes {}: more than the {} pictures of a batch", group.size(),
                     recipe.training.batch);
  }
  Result<std::optional<TrainState>> own;
  if (group.rank() == 0) own = FirstState(recipe, options, device);
  LICHEN_TRY_VOID(group.Agree(own));
  const Result<PictureSet> pictures =
      PictureSet::Open(recipe.data.folder,
                       {.crop_px = recipe.data.crop_px,
                        .min_short_side_px = recipe.data.min_short_side_px,
                        .max_short_side_px = recipe.data.max_short_side_px,
                        .cache_bytes = recipe.data.cache_mib << 20},
                       threads);
  LICHEN_TRY_VOID(group.Agree(pictures));
  LICHEN_TRY_VOID(CheckSameEverywhere(group, recipe, *pictures));
  LICHEN_TRY(TrainState state, SpreadState(group, std::move(*own), recipe, device));
  const auto open_log = [&]() -> Result<std::optional<TrainLog>> {
    if (group.rank() != 0) return std::optional<TrainLog>();
    const fs::path path = recipe.output / "log.jsonl";
    return options.is_resumed ? TrainLog::Resume(path, state.step) : TrainLog::Create(path);
  };
  Result<std::optional<TrainLog>> log = open_log();
  LICHEN_TRY_VOID(group.Agree(log));
  return CatchTorch([&]() -> Result<TrainResult> {
    return Run(recipe, options, group, *pictures, std::move(state), std::move(*log), device).Go();
  });
}

}  // namespace lichen
