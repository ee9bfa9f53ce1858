#include "train/state_archive.h"

#include "base/files.h"

namespace lichen {
namespace {

using torch::serialize::InputArchive;
using torch::serialize::OutputArchive;

constexpr int64_t kFormat = 1;
constexpr uint64_t kMaxBytes = uint64_t{8} << 30;

}  // namespace

Result<std::unique_ptr<StateArchive>> StateArchive::FromBytes(std::vector<uint8_t> bytes,
                                                              const torch::Device& device) {
  auto open = std::make_unique<StateArchive>();
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

Result<std::unique_ptr<StateArchive>> StateArchive::Open(const std::filesystem::path& path,
                                                         const torch::Device& device) {
  LICHEN_TRY(std::vector<uint8_t> bytes, ReadFile(path, kMaxBytes));
  return InPlace(path.string(), FromBytes(std::move(bytes), device));
}

void StateArchive::ReadBuffers(torch::nn::Module& module) {
  InputArchive part;
  if (!archive.try_read("buffers", part)) return;
  for (const auto& buffer : module.named_buffers()) {
    torch::Tensor source;
    if (!part.try_read(buffer.key(), source)) continue;
    torch::Tensor target = buffer.value();
    target.resize_(source.sizes()).copy_(source);
  }
}

Result<void> StateArchive::ReadInto(const ArchivedState& state) {
  const torch::NoGradGuard no_grad;
  const auto parameters = state.module.named_parameters();
  const auto read = [&](const char* name, std::vector<torch::Tensor> targets) -> Result<void> {
    InputArchive part;
    archive.read(name, part);
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
  LICHEN_TRY_VOID(read("weights", state.module.parameters()));
  LICHEN_TRY_VOID(read("averages", state.average));
  LICHEN_TRY_VOID(read("gradient_means", state.optimiser.means));
  LICHEN_TRY_VOID(read("gradient_squares", state.optimiser.squares));
  ReadBuffers(state.module);
  return {};
}

Result<std::string> ToArchive(const CheckpointInfo& info, const torch::nn::Module& module,
                              const Adam& optimiser, const std::vector<torch::Tensor>& average) {
  std::string bytes;
  LICHEN_TRY_VOID(CatchTorch([&]() -> Result<void> {
    OutputArchive archive;
    archive.write("format", c10::IValue(kFormat));
    archive.write("step", c10::IValue(info.step));
    archive.write("recipe", c10::IValue(info.recipe));
    const auto parameters = module.named_parameters();
    const auto write = [&](const char* name, const std::vector<torch::Tensor>& tensors) {
      OutputArchive part;
      for (size_t i = 0; i < tensors.size(); ++i) part.write(parameters[i].key(), tensors[i]);
      archive.write(name, part);
    };
    OutputArchive buffers;
    for (const auto& buffer : module.named_buffers()) {
      buffers.write(buffer.key(), buffer.value());
    }
    archive.write("buffers", buffers);
    write("weights", module.parameters());
    write("averages", average);
    write("gradient_means", optimiser.means);
    write("gradient_squares", optimiser.squares);
    archive.save_to([&](const void* data, size_t size) {
      bytes.append(static_cast<const char*>(data), size);
      return size;
    });
    return {};
  }));
  return bytes;
}

}  // namespace lichen
