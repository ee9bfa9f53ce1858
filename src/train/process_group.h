// The processes that train one network together, on one machine or on several. This header knows
// nothing of libtorch.
//
// READ ME FIRST: the calls are collective. Every process of the group makes the same ones in the
// same order, with tensors of the same sizes; each returns when all have made it.
//
// Contract: after a call that succeeded, all processes hold the same result, bit for bit. A process
// that ended, or that did not come for `timeout`, is an error on all the others, after which the
// group is of no use any more. A group of one needs no network: its calls change nothing. The
// connections are open to whoever reaches the machines: they belong in a network that is trusted.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace at {
class Tensor;
}

namespace lichen {

struct ProcessGroupOptions {
  int64_t size = 1;  // processes
  int64_t rank = 0;  // which of them this is
  // HOST:PORT or [HOST]:PORT, the same for all: a free port of the machine of process 0, which
  // listens there, and the name or address by which the other machines reach it.
  std::string rendezvous;
  std::chrono::seconds join_timeout = std::chrono::minutes(10);  // until all have come
  std::chrono::milliseconds timeout = std::chrono::minutes(10);  // of every call
};

// Error if the options cannot make a group: a rank out of range, no address, a build without Gloo.
Result<void> CheckOptions(const ProcessGroupOptions& options);

class ProcessTransport;

class ProcessGroup {
 public:
  ProcessGroup();  // of one
  // Returns when all processes have come. A group of one needs no rendezvous.
  static Result<ProcessGroup> Join(const ProcessGroupOptions& options);
  ProcessGroup(ProcessGroup&&) noexcept;
  ProcessGroup& operator=(ProcessGroup&&) noexcept;
  ~ProcessGroup();

  int64_t size() const { return options_.size; }
  int64_t rank() const { return options_.rank; }

  // Adds the tensors up over the processes, in place. They are of one type.
  Result<void> AllReduceSum(const std::vector<at::Tensor>& tensors);
  // Replaces the tensors by those of process 0. They are of one type.
  Result<void> Broadcast(const std::vector<at::Tensor>& tensors);
  // The text of process 0.
  Result<std::string> BroadcastText(const std::string& text);
  // The text of every process, by rank.
  Result<std::vector<std::string>> Gather(const std::string& text);
  Result<void> Barrier();
  // Whether it is so on any process.
  Result<bool> Any(bool is_so);
  // Success if all processes come with success. Otherwise an error on all of them: their own, or
  // that of the first that has one, after its rank.
  Result<void> Agree(const Result<void>& own);
  template <class T>
  Result<void> Agree(const Result<T>& own) {
    return Agree(own ? Result<void>() : Result<void>(tl::unexpected<Error>(own.error())));
  }

 private:
  // Nothing in a group of one.
  template <class Function>
  Result<void> Call(Function&& function);

  ProcessGroupOptions options_;
  std::unique_ptr<ProcessTransport> transport_;  // none for a group of one
};

}  // namespace lichen
