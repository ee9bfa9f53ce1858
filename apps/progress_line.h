// A line on the terminal that tells how far longer work is.
//
// Contract: shows nothing before a second has passed, nothing where standard error is no terminal, and
// wipes its line when destroyed. Update() may be called from any thread and costs little.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace lichen {

class ProgressLine {
 public:
  explicit ProgressLine(std::string stage);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Names what is being done now; done and total start anew.
  void Stage(std::string_view stage);
  void Update(int64_t done, int64_t total);
  std::function<void(int64_t, int64_t)> Callback();

 private:
  void Show();

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::string stage_;
  std::atomic<int64_t> done_ = 0;
  std::atomic<int64_t> total_ = 0;
  bool is_shown_ = false;
  bool is_stopping_ = false;
  std::condition_variable wake_;
  std::thread ticker_;
};

}  // namespace lichen
