#include "base/threads.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <optional>

namespace lichen {

struct Threads::Arena {
  explicit Arena(int count)
      : limit(count > oneapi::tbb::info::default_concurrency()
                  ? std::make_optional<oneapi::tbb::global_control>(
                        oneapi::tbb::global_control::max_allowed_parallelism, count)
                  : std::nullopt),
        arena(count) {}
  // TBB's market allows no more workers than processors unless told so.
  std::optional<oneapi::tbb::global_control> limit;
  oneapi::tbb::task_arena arena;
};

Threads::Threads(int count)
    : count_(count > 0 ? count : oneapi::tbb::info::default_concurrency()) {
  if (count_ > 1) arena_ = std::make_unique<Arena>(count_);
}
Threads::Threads(Threads&&) noexcept = default;
Threads& Threads::operator=(Threads&&) noexcept = default;
Threads::~Threads() = default;

void Threads::For(int64_t count, const std::function<void(int64_t)>& body) const {
  if (!arena_ || count <= 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  arena_->arena.execute([&] {
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<int64_t>(0, count, 1),
        [&](const oneapi::tbb::blocked_range<int64_t>& range) {
          for (int64_t i = range.begin(); i < range.end(); ++i) body(i);
        },
        oneapi::tbb::simple_partitioner());
  });
}

}  // namespace lichen
