// Stand-in for Vitis HLS's hls_stream.h, for C simulation where Vitis is not there.
//
// Contract: first in, first out, of any length (as in Vitis's C simulation: depths count in hardware alone), one
// writer and one reader. read() waits for an element where processes run side by side (hls::simulation::Run(), which
// Vitis HLS does not have); a read for which no process is left to write ends the program with exit code 1 and names
// all streams that are waited for. Elements that nobody read are a warning.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <thread>
#include <vector>

namespace hls {
namespace simulation {

// All streams share one lock: elements are few.
struct State {
  std::mutex mutex;
  int running = 1;                      // processes that do not wait for an element
  std::vector<const char*> waited_for;  // names of streams

  void StopWhereAllWait() const {
    if (running > 0 || waited_for.empty()) return;
    // All of them: which process comes last to wait is chance.
    for (const char* name : waited_for) {
      std::fprintf(stderr, "stream %s is read while empty, and nothing is left to write it\n",
                   name);
    }
    std::_Exit(1);
  }
};
inline State& Shared() {
  static State state;
  return state;
}

// Runs the processes side by side until all are done.
inline void Run(std::initializer_list<std::function<void()>> processes) {
  State& state = Shared();
  // This thread counts too until it only waits for them.
  state.running += static_cast<int>(processes.size());
  std::vector<std::thread> threads;
  for (const std::function<void()>& process : processes) {
    threads.emplace_back([&state, &process] {
      process();
      const std::lock_guard<std::mutex> lock(state.mutex);
      --state.running;
      state.StopWhereAllWait();
    });
  }
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    --state.running;
    state.StopWhereAllWait();
  }
  for (std::thread& thread : threads) thread.join();
  state.running = 1;
}

}  // namespace simulation

template <class T>
class stream {
 public:
  explicit stream(const char* name = "unnamed") : name_(name) {}
  ~stream() {
    if (elements_.empty()) return;
    std::fprintf(stderr, "stream %s is left with %zu elements, which a next run would find\n",
                 name_, elements_.size());
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  bool empty() const {
    const std::lock_guard<std::mutex> lock(simulation::Shared().mutex);
    return elements_.empty();
  }
  void write(const T& element) {
    simulation::State& state = simulation::Shared();
    const std::lock_guard<std::mutex> lock(state.mutex);
    elements_.push_back(element);
    if (!is_waited_for_) return;
    is_waited_for_ = false;
    state.waited_for.erase(std::find(state.waited_for.begin(), state.waited_for.end(), name_));
    ++state.running;
    written_.notify_one();
  }
  T read() {
    simulation::State& state = simulation::Shared();
    std::unique_lock<std::mutex> lock(state.mutex);
    if (elements_.empty()) {
      --state.running;
      state.waited_for.push_back(name_);
      is_waited_for_ = true;
      state.StopWhereAllWait();
      written_.wait(lock, [this] { return !elements_.empty(); });
    }
    const T element = elements_.front();
    elements_.pop_front();
    return element;
  }
  void read(T& element) { element = read(); }

 private:
  const char* name_;
  std::deque<T> elements_;
  std::condition_variable written_;
  bool is_waited_for_ = false;
};

}  // namespace hls
