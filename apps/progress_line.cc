#include "apps/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace lichen {

ProgressLine::ProgressLine(std::string stage) : stage_(std::move(stage)) {
  if (!::isatty(STDERR_FILENO)) return;
  ticker_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    auto wait = std::chrono::milliseconds(1000);
    while (!wake_.wait_for(lock, wait, [this] { return is_stopping_; })) {
      Show();
      wait = std::chrono::milliseconds(200);
    }
  });
}

ProgressLine::~ProgressLine() {
  if (!ticker_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  ticker_.join();
  if (is_shown_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressLine::Stage(std::string_view stage) {
  const std::lock_guard lock(mutex_);
  stage_ = stage;
  done_ = total_ = 0;
}

void ProgressLine::Update(int64_t done, int64_t total) {
  done_ = done;
  total_ = total;
}

std::function<void(int64_t, int64_t)> ProgressLine::Callback() {
  return [this](int64_t done, int64_t total) { Update(done, total); };
}

void ProgressLine::Show() {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const int64_t total = total_;
  const std::string share = total > 0 ? fmt::format(" {:3}%", 100 * done_ / total) : "";
  fmt::print(stderr, "\r\x1b[K{}{} {:.0f} s", stage_, share, seconds);
  std::fflush(stderr);
  is_shown_ = true;
}

}  // namespace lichen
