#include "train/checkpoint.h"

#include <algorithm>

#include "base/files.h"
#include "train/bls2017.h"
#include "train/streamlic.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using torch::serialize::InputArchive;

// Distributions of few parameters have to follow the latents; where hyper-latents are thought dearer
// than they are, they are given up.
constexpr double kPriorSpeed = 20;

Result<std::shared_ptr<CodecModule>> NewModule(const Recipe& recipe) {
  torch::manual_seed(static_cast<uint64_t>(recipe.training.seed));
  const std::vector<double>& lambdas = recipe.training.lambdas;
  if (recipe.model == "streamlic")
    return std::make_shared<StreamLic>(recipe.network, lambdas, recipe.switches);
  return std::make_shared<Bls2017>(recipe.network, lambdas);
}

// Copies the averages of another run where name and shape agree; distributions of one rate serve
// all.
Result<void> StartFrom(const fs::path& path, const std::vector<std::string>& fresh,
                       CodecModule& module) {
  const torch::NoGradGuard no_grad;
  LICHEN_TRY(const auto open, StateArchive::Open(path, torch::kCPU));
  const auto parameters = module.named_parameters();
  int64_t copied = 0;
  InputArchive names;
  if (!open->archive.try_read("averages", names))
    return Fail("{}: holds no averages", path.string());
  for (const auto& parameter : parameters) {
    torch::Tensor source;
    const bool is_fresh = std::any_of(fresh.begin(), fresh.end(), [&](const std::string& begin) {
      return parameter.key().rfind(begin, 0) == 0;
    });
    if (is_fresh || !names.try_read(parameter.key(), source)) continue;
    torch::Tensor target = parameter.value();
    if (source.dim() != target.dim()) continue;
    if (source.sizes() != target.sizes()) {
      // Distributions of (rates * channels) rows: the first rate's for each.
      if (source.sizes().slice(1) != target.sizes().slice(1)) continue;
      if (parameter.key().rfind("prior.", 0) != 0) continue;
      const int64_t rows = std::min(source.size(0), target.size(0));
      if (target.size(0) % rows != 0) continue;
      std::vector<int64_t> repeats(static_cast<size_t>(target.dim()), 1);
      repeats[0] = target.size(0) / rows;
      source = source.narrow(0, 0, rows).repeat(repeats);
    }
    target.copy_(source);
    ++copied;
  }
  if (copied == 0) return Fail("{}: holds no weights of this network", path.string());
  open->ReadBuffers(module);
  return {};
}

void StartAverage(TrainState& state) {
  const torch::NoGradGuard no_grad;
  state.average.clear();
  for (const torch::Tensor& parameter : state.module->parameters()) {
    state.average.push_back(parameter.detach().clone());
  }
}

TrainState Equip(std::shared_ptr<CodecModule> module, const torch::Device& device) {
  TrainState state;
  state.module = std::move(module);
  state.module->to(device);
  state.optimiser.emplace(state.module->parameters());
  const auto parameters = state.module->named_parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].key().rfind("prior.", 0) == 0) state.optimiser->speeds[i] = kPriorSpeed;
  }
  StartAverage(state);
  return state;
}

}  // namespace

Result<TrainState> NewState(const Recipe& recipe, const torch::Device& device) {
  return CatchTorch([&]() -> Result<TrainState> {
    LICHEN_TRY(std::shared_ptr<CodecModule> module, NewModule(recipe));
    if (!recipe.training.start_from.empty()) {
      LICHEN_TRY_VOID(StartFrom(recipe.training.start_from, recipe.training.fresh, *module));
    }
    LICHEN_TRY_VOID(module->StartStage(recipe.switches));
    return Equip(std::move(module), device);
  });
}

Result<std::string> ToCheckpoint(const Recipe& recipe, const TrainState& state) {
  return ToArchive({state.step, ToJson(recipe)}, *state.module, *state.optimiser, state.average);
}

Result<void> SaveCheckpoint(const fs::path& path, const Recipe& recipe, const TrainState& state) {
  LICHEN_TRY(const std::string bytes, ToCheckpoint(recipe, state));
  return WriteFile(path, std::string_view(bytes));
}

Result<CheckpointInfo> ReadCheckpointInfo(const fs::path& path) {
  LICHEN_TRY(const auto open, StateArchive::Open(path, torch::kCPU));
  return open->info;
}

namespace {

Result<TrainState> Load(StateArchive& open, const Recipe& recipe, const torch::Device& device) {
  LICHEN_TRY_VOID(CheckSameRun(open.info.recipe, recipe));
  auto state = CatchTorch([&]() -> Result<TrainState> {
    LICHEN_TRY(std::shared_ptr<CodecModule> module, NewModule(recipe));
    LICHEN_TRY_VOID(module->StartStage(recipe.switches));
    TrainState loaded = Equip(std::move(module), device);
    LICHEN_TRY_VOID(open.ReadInto({*loaded.module, *loaded.optimiser, loaded.average}));
    loaded.step = open.info.step;
    return loaded;
  });
  if (!state) return Fail("is damaged: {}", state.error().message);
  return state;
}

}  // namespace

Result<TrainState> LoadCheckpoint(const fs::path& path, const Recipe& recipe,
                                  const torch::Device& device) {
  LICHEN_TRY(const auto open, StateArchive::Open(path, device));
  return InPlace(path.string(), Load(*open, recipe, device));
}

Result<TrainState> FromCheckpoint(std::string_view bytes, const Recipe& recipe,
                                  const torch::Device& device) {
  LICHEN_TRY(const auto open, StateArchive::FromBytes({bytes.begin(), bytes.end()}, device));
  return Load(*open, recipe, device);
}

UseAverage::UseAverage(TrainState& state) : state_(state) { Swap(); }
UseAverage::~UseAverage() { Swap(); }

void UseAverage::Swap() {
  const torch::NoGradGuard no_grad;
  auto parameters = state_.module->parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const torch::Tensor kept = parameters[i].clone();
    parameters[i].copy_(state_.average[i]);
    state_.average[i].copy_(kept);
  }
}

}  // namespace lichen
