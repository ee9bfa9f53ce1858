#include "train/gloo_transport.h"

#include "train/rendezvous.h"

#ifdef LICHEN_HAS_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace lichen {

std::string TorchReason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string_view text = torch_error ? torch_error->what_without_backtrace() : error.what();
  text = text.substr(0, text.find('\n'));
  const size_t place_end = text.find("] ");
  if (text.starts_with('[') && place_end != text.npos) text.remove_prefix(place_end + 2);
  return std::string(text);
}

#ifdef LICHEN_HAS_GLOO

namespace {

using std::chrono::milliseconds;
using Store = c10::intrusive_ptr<c10d::TCPStore>;

class GlooTransport : public ProcessTransport {
 public:
  GlooTransport(const ProcessGroupOptions& o, const Store& store, const std::string& address)
      : store_(store) {
    const auto options = c10d::ProcessGroupGloo::Options::create(o.timeout);
    options->devices = {c10d::ProcessGroupGloo::createDeviceForHostname(address)};
    gloo_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(o.rank),
                                                        static_cast<int>(o.size), options);
  }

  void AllReduceSum(torch::Tensor tensor) override {
    std::vector<torch::Tensor> tensors = {tensor};
    gloo_->allreduce(tensors)->wait();
  }

  void Broadcast(torch::Tensor tensor) override {
    std::vector<torch::Tensor> tensors = {tensor};
    gloo_->broadcast(tensors)->wait();
  }

  std::vector<torch::Tensor> AllGather(torch::Tensor tensor) override {
    std::vector<torch::Tensor> in = {tensor};
    std::vector<std::vector<torch::Tensor>> out(1);
    for (int i = 0; i < gloo_->getSize(); ++i) out[0].push_back(torch::empty_like(tensor));
    gloo_->allgather(out, in)->wait();
    return out[0];
  }

 private:
  Store store_;  // the others may be reading from it
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
};

// Process 0 listens, the others connect to it.
Result<Store> OpenStore(const ProcessGroupOptions& o, const HostPort& place) {
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = o.rank == 0;
  options.numWorkers = static_cast<size_t>(o.size);
  options.waitWorkers = false;
  options.timeout = o.join_timeout;
  try {
    return c10::make_intrusive<c10d::TCPStore>(place.host, options);
  } catch (const std::exception& error) {
    if (o.rank == 0) {
      return Fail(
          "--rendezvous {}: process 0 cannot listen there; it needs a free port, and the name or "
          "address, of the machine that it runs on ({})",
          o.rendezvous, TorchReason(error));
    }
    return Fail(
        "--rendezvous {}: process 0 did not answer there for {} s. Is it running on that "
        "machine with the same --rendezvous, and does no firewall close the port? ({})",
        o.rendezvous, o.join_timeout.count(), TorchReason(error));
  }
}

// What each process leaves in the store for the others.
struct Card {
  int64_t size = 0;
  std::string address;
};

std::string CardKey(int64_t rank) { return fmt::format("process {}", rank); }

void PutCard(const Store& store, int64_t rank, const Card& card) {
  const std::string text = fmt::format("{} {}", card.size, card.address);
  store->set(CardKey(rank), std::vector<uint8_t>(text.begin(), text.end()));
}

Card GetCard(const Store& store, int64_t rank) {
  const std::vector<uint8_t> bytes = store->get(CardKey(rank));
  const std::string text(bytes.begin(), bytes.end());
  const size_t space = text.find(' ');
  return {std::atoll(text.c_str()), text.substr(std::min(text.size(), space + 1))};
}

// Finds what does not fit before Gloo waits for it.
Result<void> CompareCards(const ProcessGroupOptions& o, const Store& store) {
  const auto deadline = std::chrono::steady_clock::now() + o.join_timeout;
  Card first;
  for (int64_t rank = 0; rank < o.size; ++rank) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    try {
      store->wait({CardKey(rank)}, std::max(left, milliseconds(1)));
    } catch (const std::exception& error) {
      return Fail("--rendezvous {}: process {} of {} did not come within {} s ({})", o.rendezvous,
                  rank, o.size, o.join_timeout.count(), TorchReason(error));
    }
    const Card card = GetCard(store, rank);
    if (rank == 0) first = card;
    if (card.size != o.size) {
      return Fail("--processes {}: process {} at {} was started with {}", o.size, rank,
                  o.rendezvous, card.size);
    }
    if (IsLoopback(card.address) != IsLoopback(first.address)) {
      return Fail(
          "--rendezvous {}: is reached from {} by process 0 and from {} by process {}, and these "
          "do not reach each other. Give all processes the address that process 0 has in the "
          "network",
          o.rendezvous, first.address, card.address, rank);
    }
  }
  return {};
}

std::string HasReadKey(int64_t rank) { return fmt::format("process {} has read", rank); }

// The store ends with process 0. When that fails, those that came shall read why before it goes.
void LetOthersRead(const ProcessGroupOptions& o, const Store& store) {
  constexpr milliseconds kLongest(5000);
  std::vector<std::string> keys;
  for (int64_t rank = 1; rank < o.size; ++rank) {
    if (store->check({CardKey(rank)})) keys.push_back(HasReadKey(rank));
  }
  if (!keys.empty()) store->wait(keys, kLongest);
}

Result<void> Meet(const ProcessGroupOptions& o, const Store& store, const std::string& address) {
  if (store->add(fmt::format("claims of rank {}", o.rank), 1) > 1) {
    return Fail("--rank {}: another process at {} has this rank already", o.rank, o.rendezvous);
  }
  PutCard(store, o.rank, {o.size, address});
  const Result<void> fits = CompareCards(o, store);
  try {
    if (o.rank > 0) {
      store->set(HasReadKey(o.rank), {1});
    } else if (!fits) {
      LetOthersRead(o, store);
    }
  } catch (const std::exception&) {
    // One that ended meanwhile reads nothing more; what does not fit is said all the same.
  }
  return fits;
}

}  // namespace

bool HasGloo() { return true; }

Result<std::unique_ptr<ProcessTransport>> ConnectGloo(const ProcessGroupOptions& options) {
  LICHEN_TRY(const HostPort place, ParseHostPort(options.rendezvous));
  LICHEN_TRY(const std::string address, AddressTowards(place));
  LICHEN_TRY(const Store store, OpenStore(options, place));
  try {
    LICHEN_TRY_VOID(Meet(options, store, address));
    return std::make_unique<GlooTransport>(options, store, address);
  } catch (const std::exception& error) {
    return Fail(
        "--rendezvous {}: process {} of {}, at {}, cannot connect to the others. Has one ended, or "
        "does a firewall close the ports above 1023 between the machines? ({})",
        options.rendezvous, options.rank, options.size, address, TorchReason(error));
  }
}

#else

bool HasGloo() { return false; }

Result<std::unique_ptr<ProcessTransport>> ConnectGloo(const ProcessGroupOptions&) {
  return Fail("this build has no Gloo");
}

#endif

}  // namespace lichen
