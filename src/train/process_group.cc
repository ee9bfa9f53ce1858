#include "train/process_group.h"

#include <algorithm>

#include "train/gloo_transport.h"
#include "train/rendezvous.h"

namespace lichen {
namespace {

// All elements one after the other, on the CPU.
torch::Tensor Flatten(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor& tensor : tensors) parts.push_back(tensor.detach().reshape({-1}));
  return torch::cat(parts).to(torch::kCPU);
}

void Unflatten(const torch::Tensor& flat, const std::vector<torch::Tensor>& tensors) {
  int64_t first = 0;
  for (const torch::Tensor& tensor : tensors) {
    tensor.detach().copy_(flat.narrow(0, first, tensor.numel()).view(tensor.sizes()));
    first += tensor.numel();
  }
}

// Errors travel as the digit of their kind and their message; success as nothing.
std::string ToText(const Result<void>& result) {
  if (result) return "";
  return std::to_string(static_cast<int>(result.error().kind)) + result.error().message;
}

Error ToError(const std::string& text, size_t rank) {
  return {static_cast<Error::Kind>(text[0] - '0'),
          fmt::format("process {}: {}", rank, std::string_view(text).substr(1))};
}

}  // namespace

ProcessGroup::ProcessGroup() = default;
ProcessGroup::ProcessGroup(ProcessGroup&&) noexcept = default;
ProcessGroup& ProcessGroup::operator=(ProcessGroup&&) noexcept = default;
ProcessGroup::~ProcessGroup() = default;

Result<void> CheckOptions(const ProcessGroupOptions& o) {
  if (o.size < 1) return FailUsage("--processes {}: must be at least 1", o.size);
  if (o.rank < 0 || o.rank >= o.size) {
    return FailUsage("--rank {}: must be 0 to {} with --processes {}", o.rank, o.size - 1, o.size);
  }
  if (o.size == 1) return {};
  if (o.rendezvous.empty()) {
    return FailUsage(
        "--processes {}: needs --rendezvous HOST:PORT, a free port of the machine of "
        "process 0",
        o.size);
  }
  LICHEN_TRY([[maybe_unused]] const HostPort place, ParseHostPort(o.rendezvous));
  if (!HasGloo()) {
    return Fail(
        "--processes {}: this build found no Gloo for its libtorch. Install it (Debian: apt-get "
        "install libtorch-dev libgloo-dev) and build again",
        o.size);
  }
  return {};
}

Result<ProcessGroup> ProcessGroup::Join(const ProcessGroupOptions& options) {
  LICHEN_TRY_VOID(CheckOptions(options));
  ProcessGroup group;
  group.options_ = options;
  if (options.size == 1) return group;
  LICHEN_TRY(group.transport_, ConnectGloo(options));
  LICHEN_TRY_VOID(group.Barrier());
  return group;
}

template <class Function>
Result<void> ProcessGroup::Call(Function&& function) {
  if (!transport_) return {};
  try {
    const torch::NoGradGuard no_grad;
    function(*transport_);
    return {};
  } catch (const std::exception& error) {
    return Fail(
        "process {} of {} (--rendezvous {}) has lost the others: one has ended, or did not come "
        "for {} s, or its machine cannot be reached. Its own words may tell why; start all of them "
        "again with --resume ({})",
        rank(), size(), options_.rendezvous,
        std::chrono::duration_cast<std::chrono::seconds>(options_.timeout).count(),
        TorchReason(error));
  }
}

Result<void> ProcessGroup::AllReduceSum(const std::vector<torch::Tensor>& tensors) {
  if (tensors.empty()) return {};
  return Call([&](ProcessTransport& transport) {
    const torch::Tensor flat = Flatten(tensors);
    transport.AllReduceSum(flat);
    Unflatten(flat, tensors);
  });
}

Result<void> ProcessGroup::Broadcast(const std::vector<torch::Tensor>& tensors) {
  if (tensors.empty()) return {};
  return Call([&](ProcessTransport& transport) {
    const torch::Tensor flat = Flatten(tensors);
    transport.Broadcast(flat);
    Unflatten(flat, tensors);
  });
}

Result<std::string> ProcessGroup::BroadcastText(const std::string& text) {
  if (size() == 1) return text;
  const torch::Tensor count = torch::tensor({static_cast<int64_t>(text.size())}, torch::kInt64);
  LICHEN_TRY_VOID(Broadcast({count}));
  const torch::Tensor bytes = torch::zeros({count.item<int64_t>()}, torch::kUInt8);
  uint8_t* first = bytes.data_ptr<uint8_t>();
  if (rank() == 0) std::copy(text.begin(), text.end(), first);
  LICHEN_TRY_VOID(Broadcast({bytes}));
  return std::string(first, first + bytes.numel());
}

Result<std::vector<std::string>> ProcessGroup::Gather(const std::string& text) {
  if (size() == 1) return std::vector<std::string>{text};
  std::vector<std::string> texts;
  LICHEN_TRY_VOID(Call([&](ProcessTransport& transport) {
    const auto own_size = static_cast<int64_t>(text.size());
    const auto sizes = transport.AllGather(torch::tensor({own_size}, torch::kInt64));
    int64_t longest = 1;
    for (const torch::Tensor& one : sizes) longest = std::max(longest, one.item<int64_t>());
    torch::Tensor bytes = torch::zeros({longest}, torch::kUInt8);
    std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
    const auto all = transport.AllGather(bytes);
    for (size_t i = 0; i < all.size(); ++i) {
      const uint8_t* first = all[i].data_ptr<uint8_t>();
      texts.emplace_back(first, first + sizes[i].item<int64_t>());
    }
  }));
  return texts;
}

Result<void> ProcessGroup::Barrier() {
  // Not Gloo's own: a sum ends on no process before the last one has come.
  LICHEN_TRY([[maybe_unused]] const bool is_any, Any(false));
  return {};
}

Result<bool> ProcessGroup::Any(bool is_so) {
  if (size() == 1) return is_so;
  torch::Tensor count = torch::tensor({is_so ? 1 : 0}, torch::kInt32);
  LICHEN_TRY_VOID(AllReduceSum({count}));
  return count.item<int32_t>() > 0;
}

Result<void> ProcessGroup::Agree(const Result<void>& own) {
  LICHEN_TRY(const bool is_any, Any(!own));
  if (!is_any) return {};
  LICHEN_TRY(const std::vector<std::string> texts, Gather(ToText(own)));
  if (!own) return own;
  const auto first =
      std::find_if(texts.begin(), texts.end(), [](const auto& text) { return !text.empty(); });
  return tl::unexpected<Error>(ToError(*first, static_cast<size_t>(first - texts.begin())));
}

}  // namespace lichen
