#include "train/checkpoint.h"

#include <algorithm>

#include "base/files.h"
#include "train/bls2017.h"
#include "train/streamlic.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using torch::serialize::InputArchive;
using torch::serialize::OutputArchive;

constexpr int64_t kFormat = 1;
// Distributions of few parameters have to follow the latents; where hyper-latents are thought dearer
// than they are, they are given up.
constexpr double kPriorSpeed = 20;
constexpr uint64_t kMaxBytes = uint64_t{8} << 30;

// An archive whose bytes it keeps, since libtorch may read them late.
struct OpenArchive {
  std::vector<uint8_t> bytes;
  InputArchive archive;
  CheckpointInfo info;
};

// `device` says where tensors go.
Result<std::unique_ptr<OpenArchive>> OpenBytes(std::vector<uint8_t> bytes,
                                               const torch::Device& device) {
  auto open = std::make_unique<OpenArchive>();
  open->bytes = std::move(bytes);
  const auto read = CatchTorch([&]() -> Result<void> {
    open->archive.load_from(reinterpret_cast<const char*>(open->bytes.data()), open->bytes.size(),
                            device);
    c10::IValue format, step, recipe;
    open->archive.read("format", format);
    open->archive.read("step", step);
    open->archive.read("recipe", recipe);
    if (format.toInt() != kFormat) return Fail("has format {}", format.toInt());
    open->info = {step.toInt(), recipe.toStringRef()};
    return {};
  });
  if (!read) {
    return Fail("is no checkpoint of lichen train, or damaged ({})",
                read.error().message.substr(0, read.error().message.find('\n')));
  }
  return open;
}

Result<std::unique_ptr<OpenArchive>> Open(const fs::path& path, const torch::Device& device) {
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, kMaxBytes));
  return InPlace(path.string(), OpenBytes(std::move(bytes), device));
}

Result<std::shared_ptr<CodecModule>> NewModule(const Recipe& recipe) {
  torch::manual_seed(static_cast<uint64_t>(recipe.training.seed));
  const std::vector<double>& lambdas = recipe.training.lambdas;
  if (recipe.model == "streamlic")
    return std::make_shared<StreamLic>(recipe.network, lambdas, recipe.switches);
  return std::make_shared<Bls2017>(recipe.network, lambdas);
}

// Masks and ranges; those that the file lacks stay as they are.
void ReadBuffers(OpenArchive& open, CodecModule& module) {
  InputArchive part;
  if (!open.archive.try_read("buffers", part)) return;
  for (const auto& buffer : module.named_buffers()) {
    torch::Tensor source;
    if (!part.try_read(buffer.key(), source)) continue;
    torch::Tensor target = buffer.value();
    target.resize_(source.sizes()).copy_(source);
  }
}

// Copies the averages of another run where name and shape agree; distributions of one rate serve
// all.
Result<void> StartFrom(const fs::path& path, const std::vector<std::string>& fresh,
                       CodecModule& module) {
  const torch::NoGradGuard no_grad;
  LICHEN_TRY(const auto open, Open(path, torch::kCPU));
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
  ReadBuffers(*open, module);
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
  std::string bytes;
  LICHEN_TRY_VOID(CatchTorch([&]() -> Result<void> {
    OutputArchive archive;
    archive.write("format", c10::IValue(kFormat));
    archive.write("step", c10::IValue(state.step));
    archive.write("recipe", c10::IValue(ToJson(recipe)));
    const auto parameters = state.module->named_parameters();
    const auto write = [&](const char* name, const std::vector<torch::Tensor>& tensors) {
      OutputArchive part;
      for (size_t i = 0; i < tensors.size(); ++i) part.write(parameters[i].key(), tensors[i]);
      archive.write(name, part);
    };
    OutputArchive buffers;
    for (const auto& buffer : state.module->named_buffers()) {
      buffers.write(buffer.key(), buffer.value());
    }
    archive.write("buffers", buffers);
    write("weights", state.module->parameters());
    write("averages", state.average);
    write("gradient_means", state.optimiser->means);
    write("gradient_squares", state.optimiser->squares);
    archive.save_to([&](const void* data, size_t size) {
      bytes.append(static_cast<const char*>(data), size);
      return size;
    });
    return {};
  }));
  return bytes;
}

Result<void> SaveCheckpoint(const fs::path& path, const Recipe& recipe, const TrainState& state) {
  LICHEN_TRY(const std::string bytes, ToCheckpoint(recipe, state));
  return WriteFile(path, std::string_view(bytes));
}

Result<CheckpointInfo> ReadCheckpointInfo(const fs::path& path) {
  LICHEN_TRY(const auto open, Open(path, torch::kCPU));
  return open->info;
}

namespace {

Result<TrainState> Load(OpenArchive& open, const Recipe& recipe, const torch::Device& device) {
  LICHEN_TRY_VOID(CheckSameRun(open.info.recipe, recipe));
  auto state = CatchTorch([&]() -> Result<TrainState> {
    LICHEN_TRY(std::shared_ptr<CodecModule> module, NewModule(recipe));
    LICHEN_TRY_VOID(module->StartStage(recipe.switches));
    TrainState loaded = Equip(std::move(module), device);
    const torch::NoGradGuard no_grad;
    const auto parameters = loaded.module->named_parameters();
    const auto read = [&](const char* name, std::vector<torch::Tensor> targets) -> Result<void> {
      InputArchive part;
      open.archive.read(name, part);
      for (size_t i = 0; i < targets.size(); ++i) {
        torch::Tensor source;
        part.read(parameters[i].key(), source);
        if (source.sizes() != targets[i].sizes()) {
          return Fail("{} of {} has another shape", name, parameters[i].key());
        }
        targets[i].copy_(source);
      }
      return {};
    };
    LICHEN_TRY_VOID(read("weights", loaded.module->parameters()));
    LICHEN_TRY_VOID(read("averages", loaded.average));
    LICHEN_TRY_VOID(read("gradient_means", loaded.optimiser->means));
    LICHEN_TRY_VOID(read("gradient_squares", loaded.optimiser->squares));
    ReadBuffers(open, *loaded.module);
    loaded.step = open.info.step;
    return loaded;
  });
  if (!state) return Fail("is damaged: {}", state.error().message);
  return state;
}

}  // namespace

Result<TrainState> LoadCheckpoint(const fs::path& path, const Recipe& recipe,
                                  const torch::Device& device) {
  LICHEN_TRY(const auto open, Open(path, device));
  return InPlace(path.string(), Load(*open, recipe, device));
}

Result<TrainState> FromCheckpoint(std::string_view bytes, const Recipe& recipe,
                                  const torch::Device& device) {
  LICHEN_TRY(const auto open, OpenBytes({bytes.begin(), bytes.end()}, device));
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
