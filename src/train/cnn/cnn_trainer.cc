#include "train/cnn/cnn_trainer.h"

#include <chrono>
#include <cmath>
#include <optional>
#include <system_error>

#include "base/files.h"
#include "base/threads.h"
#include "net/check.h"
#include "net/model_file.h"
#include "train/cnn/cnn.h"
#include "train/cnn/cnn_task.h"
#include "train/cnn/supernet.h"
#include "train/device.h"
#include "train/schedule.h"
#include "train/state_archive.h"
#include "train/train_log.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr int64_t kTestBatch = 50;

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

struct CnnState {
  int64_t step = 0;
  std::shared_ptr<Cnn> module;
  CnnSupernet* supernet = nullptr;  // the module, in a search
  std::optional<Adam> optimiser;
};

// Weights are not averaged: the running statistics of batch norms belong to the weights themselves.
Result<CnnState> NewState(const CnnRecipe& recipe, const CnnDefinition& net,
                          const HardwareModel& hardware, const torch::Device& device) {
  torch::manual_seed(static_cast<uint64_t>(recipe.training.seed));
  CnnState state;
  if (recipe.is_search) {
    const auto supernet = std::make_shared<CnnSupernet>(net, recipe.precision.quantiser, hardware);
    state.supernet = supernet.get();
    state.module = supernet;
  } else {
    state.module = std::make_shared<Cnn>(net, recipe.precision);
  }
  state.module->to(device);
  if (recipe.bfloat16) state.module->set_compute_type(torch::kBFloat16);
  state.optimiser.emplace(state.module->parameters());
  const auto parameters = state.module->named_parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (CnnSupernet::IsChoice(parameters[i].key())) {
      state.optimiser->speeds[i] =
          recipe.search.choice_learning_rate / std::max(recipe.training.learning_rate, 1e-12);
    }
  }
  return state;
}

// The weights of another run, of this network at any widths.
Result<void> StartFrom(const CnnRecipe& recipe, CnnState& state, const torch::Device& device) {
  const std::string place = recipe.training.start_from.string();
  LICHEN_TRY(const auto open, StateArchive::Open(recipe.training.start_from, device));
  const torch::NoGradGuard no_grad;
  torch::serialize::InputArchive weights;
  if (!open->archive.try_read("weights", weights)) return Fail("{}: holds no weights", place);
  for (const auto& parameter : state.module->named_parameters()) {
    const auto& fresh = recipe.training.fresh;
    if (std::any_of(fresh.begin(), fresh.end(),
                    [&](const std::string& begin) { return parameter.key().rfind(begin, 0) == 0; }))
      continue;
    if (CnnSupernet::IsChoice(parameter.key())) continue;
    torch::Tensor source, target = parameter.value();
    if (!weights.try_read(parameter.key(), source) || source.sizes() != target.sizes()) {
      return Fail("{}: holds no {} of this network's shape", place, parameter.key());
    }
    target.copy_(source);
  }
  open->ReadBuffers(*state.module);
  return {};
}

Result<CnnState> FirstState(const CnnRecipe& recipe, const CnnDefinition& net,
                            const CnnTrainOptions& options, const torch::Device& device) {
  const fs::path path = recipe.output / "checkpoint.pt";
  std::error_code error;
  const bool has_checkpoint = fs::exists(path, error);
  if (has_checkpoint && !options.is_resumed && !options.is_restarted) {
    return Fail("{}: holds a run already; --resume continues it, --restart replaces it",
                path.string());
  }
  LICHEN_TRY(CnnState state, NewState(recipe, net, options.hardware, device));
  if (!options.is_resumed) {
    if (!recipe.training.start_from.empty()) LICHEN_TRY_VOID(StartFrom(recipe, state, device));
    return state;
  }
  if (!has_checkpoint) return Fail("{}: there is no run to resume", path.string());
  LICHEN_TRY(const auto open, StateArchive::Open(path, device));
  LICHEN_TRY_VOID(InPlace(path.string(), CheckSameRun(open->info.recipe, recipe)));
  std::vector<torch::Tensor> averages = state.module->parameters();
  LICHEN_TRY_VOID(
      InPlace(path.string(), open->ReadInto({*state.module, *state.optimiser, averages})));
  state.step = open->info.step;
  return state;
}

class Run {
 public:
  Run(const CnnRecipe& recipe, const CnnTrainOptions& options, const CnnTask& task, CnnState state,
      TrainLog log, torch::Device device)
      : recipe_(recipe),
        options_(options),
        task_(task),
        state_(std::move(state)),
        log_(std::move(log)),
        device_(device) {
    result_.first_step = saved_step_ = state_.step;
    result_.last.step = state_.step;
    result_.last.steps = recipe.training.steps;
    result_.score_name = task.score_name();
    result_.source = task.source();
    result_.picture_count = task.training_count();
    result_.test_count = task.test_count();
    result_.checkpoint = recipe.output / "checkpoint.pt";
    if (!state_.supernet) result_.model = recipe.output / "model.lichen";
  }

  Result<CnnTrainResult> Go() {
    const TrainingRecipe& t = recipe_.training;
    LICHEN_TRY_VOID(log_.Write({{"event", state_.step > 0 ? "resume" : "start"},
                                {"step", state_.step},
                                {"device", device_.str()},
                                {"data", result_.source},
                                {"pictures", result_.picture_count},
                                {"recipe", Json::parse(ToJson(recipe_))}}));
    state_.module->train();
    // From the first step on there is a checkpoint of this run, not of one that it replaces.
    if (!options_.is_resumed) LICHEN_TRY_VOID(Save());
    while (state_.step < t.steps && !result_.is_stopped) {
      LICHEN_TRY_VOID(Step());
      const bool is_last = state_.step == t.steps;
      result_.is_stopped = !is_last && options_.stop && options_.stop->load();
      const bool ends = is_last || result_.is_stopped;
      if (ends || state_.step % t.log_steps == 0) LICHEN_TRY_VOID(WriteLine());
      if (ends || state_.step % t.checkpoint_steps == 0) LICHEN_TRY_VOID(Save());
    }
    if (state_.supernet) NoteChoice();
    if (!result_.is_stopped) LICHEN_TRY_VOID(Test());
    LICHEN_TRY_VOID(log_.Write({{"event", "end"}, {"step", state_.step}}));
    return std::move(result_);
  }

 private:
  struct Sums {
    double steps = 0;
    double loss = 0;
    double score = 0;
    double gradient_norm = 0;
    Clock::time_point start = Clock::now();
  };

  // One step of the optimiser. Where loss or gradient are not finite, the weights stay as they are.
  Result<void> Step() {
    const TrainingRecipe& t = recipe_.training;
    LICHEN_TRY(CnnBatch batch, task_.TrainingBatch(state_.step));
    batch.targets = batch.targets.to(device_);
    const std::vector<torch::Tensor> parameters = state_.module->parameters();
    for (const torch::Tensor& parameter : parameters) parameter.mutable_grad() = torch::Tensor();
    const torch::Tensor outputs = state_.module->Forward(batch.samples.to(device_));
    torch::Tensor loss = task_.Loss(outputs, batch.targets);
    if (state_.supernet) {
      const torch::Tensor cost = state_.supernet->Cost();
      result_.last.cost = cost.item<double>();
      loss = loss + recipe_.search.strength * cost;
    }
    const auto value = loss.item<double>();
    if (!std::isfinite(value)) return NotFinite("loss");
    loss.backward();
    const double norm = torch::nn::utils::clip_grad_norm_(parameters, t.max_gradient_norm);
    if (!std::isfinite(norm)) return NotFinite("gradient");
    const double rate = LearningRate(t, state_.step);
    ++state_.step;
    Decay(rate);
    state_.optimiser->Step(parameters, rate, state_.step);
    sums_.steps += 1;
    sums_.loss += value;
    sums_.gradient_norm += norm;
    sums_.score += task_.Scores(outputs.detach(), batch.targets).mean().item<double>();
    Tell();
    return {};
  }

  // Weight decay apart from the gradient (Loshchilov and Hutter 2019), of convolutions' weights alone.
  void Decay(double rate) {
    if (recipe_.weight_decay == 0) return;
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : state_.module->parameters()) {
      if (parameter.dim() == 4) parameter.mul_(1 - rate * recipe_.weight_decay);
    }
  }

  void Tell() {
    CnnProgress& p = result_.last;
    p.step = state_.step;
    p.loss = sums_.loss / sums_.steps;
    p.score = sums_.score / sums_.steps;
    p.pictures_per_second =
        sums_.steps * static_cast<double>(recipe_.training.batch) / Seconds(sums_.start);
    p.seconds_left = Seconds(start_) / static_cast<double>(p.step - result_.first_step) *
                     static_cast<double>(p.steps - p.step);
    if (options_.on_progress) options_.on_progress(p);
  }

  Result<void> WriteLine() {
    const CnnProgress& p = result_.last;
    Json line = {{"step", p.step},
                 {"loss", p.loss},
                 {result_.score_name, p.score},
                 {"learning_rate", LearningRate(recipe_.training, p.step - 1)},
                 {"gradient_norm", sums_.gradient_norm / sums_.steps},
                 {"pictures_per_second", p.pictures_per_second},
                 {"seconds", Seconds(start_)}};
    if (state_.supernet) {
      NoteChoice();
      line.update({{"cost", p.cost},
                   {"bitw", BitString(result_.choice.weight_bits)},
                   {"bita", BitString(result_.choice.activation_bits)}});
    }
    sums_ = Sums();
    return log_.Write(line);
  }

  void NoteChoice() {
    result_.choice = state_.supernet->Choice();
    const torch::Tensor shares =
        state_.supernet->Shares().detach().flatten(0, 1).to(torch::kCPU).to(torch::kFloat64);
    result_.shares.clear();
    for (int64_t row = 0; row < shares.size(0); ++row) {
      const double* first = shares[row].data_ptr<double>();
      result_.shares.emplace_back(first, first + shares.size(1));
    }
  }

  Result<void> Save() {
    saved_step_ = state_.step;
    LICHEN_TRY(const std::string bytes, ToArchive({state_.step, ToJson(recipe_)}, *state_.module,
                                                  *state_.optimiser, state_.module->parameters()));
    LICHEN_TRY_VOID(WriteFile(result_.checkpoint, std::string_view(bytes)));
    if (!state_.supernet) {
      Model model = state_.module->ToModel();
      std::visit(
          [&](auto& net) {
            net.metadata["steps"] = std::to_string(state_.step);
            net.metadata["data"] = result_.source;
          },
          model);
      if (const auto* net = std::get_if<IntNet>(&model)) {
        const auto check = CheckIntNet(*net);
        if (!check) {
          return Fail(
              "the weights of step {} make no integer network ({}): if the training has diverged, "
              "begin again with a lower learning_rate",
              state_.step, check.error().message);
        }
      }
      LICHEN_TRY_VOID(SaveModel(result_.model, model));
    }
    return log_.Write({{"event", "checkpoint"}, {"step", state_.step}});
  }

  Result<void> Test() {
    double sum = 0;
    for (int64_t first = 0; first < result_.test_count; first += kTestBatch) {
      const int64_t count = std::min(kTestBatch, result_.test_count - first);
      LICHEN_TRY(const CnnBatch batch, task_.TestBatch(first, count));
      const torch::Tensor outputs = state_.module->Evaluate(batch.samples.to(device_));
      sum += task_.Scores(outputs, batch.targets.to(outputs.device())).sum().item<double>();
    }
    result_.test_score = sum / static_cast<double>(result_.test_count);
    return log_.Write({{"event", "test"},
                       {"step", state_.step},
                       {result_.score_name, result_.test_score},
                       {"pictures", result_.test_count}});
  }

  tl::unexpected<Error> NotFinite(std::string_view what) const {
    return Fail(
        "the {} of step {} is not finite; the last good checkpoint is {} (step {}). Resume with a "
        "lower "
        "learning_rate or max_gradient_norm",
        what, state_.step + 1, result_.checkpoint.string(), saved_step_);
  }

  const CnnRecipe& recipe_;
  const CnnTrainOptions& options_;
  const CnnTask& task_;
  CnnState state_;
  TrainLog log_;
  torch::Device device_;
  Sums sums_;
  CnnTrainResult result_;
  int64_t saved_step_ = 0;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

Result<CnnTrainResult> TrainCnn(const CnnRecipe& recipe, const CnnTrainOptions& options) {
  LICHEN_TRY(const torch::Device device, DeviceOf(options.device));
  const Threads threads(options.threads);
  at::set_num_threads(threads.count());
  LICHEN_TRY(const CnnDefinition net, FindCnn(recipe.model, recipe.width_factor));
  return CatchTorch([&]() -> Result<CnnTrainResult> {
    LICHEN_TRY(CnnState state, FirstState(recipe, net, options, device));
    LICHEN_TRY(const auto task, net.task == CnnTaskKind::kDetect
                                    ? OpenDetection(recipe, net, threads)
                                    : OpenClassification(recipe, net));
    const fs::path path = recipe.output / "log.jsonl";
    LICHEN_TRY(TrainLog log,
               options.is_resumed ? TrainLog::Resume(path, state.step) : TrainLog::Create(path));
    return Run(recipe, options, *task, std::move(state), std::move(log), device).Go();
  });
}

}  // namespace lichen
