#include "base/threads.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <optional>
#include <utility>

#ifdef LICHEN_THREAD_SANITIZER
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
// What libraries without the sanitizer do among themselves.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libtbb.so.12\ncalled_from_lib:libdnnl.so.2\n";
}
#endif

namespace lichen {
namespace {

// Tells the thread sanitizer what TBB, which is compiled without it, guarantees: that what was done
// before Mark() has happened for those who Await() it. (This file too is compiled without, as it holds
// TBB's inline parts: src/base/CMakeLists.txt.)
class Order {
 public:
#ifdef LICHEN_THREAD_SANITIZER
  void Mark() { __tsan_release(this); }
  void Await() { __tsan_acquire(this); }
#else
  void Mark() {}
  void Await() {}
#endif
};

}  // namespace

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

Threads::Threads(int count) : count_(count > 0 ? count : oneapi::tbb::info::default_concurrency()) {
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
  Order begin;
  Order end;
  begin.Mark();
  arena_->arena.execute([&] {
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<int64_t>(0, count, 1),
        [&](const oneapi::tbb::blocked_range<int64_t>& range) {
          begin.Await();
          for (int64_t i = range.begin(); i < range.end(); ++i) body(i);
          end.Mark();
        },
        oneapi::tbb::simple_partitioner());
  });
  end.Await();
}

struct Background::State {
  Threads::Arena* arena;
  oneapi::tbb::task_group group;
  std::function<Result<void>()> work;
  Result<void> result;
  Order begin;
  Order end;
};

Background::Background(const Threads& threads) : state_(std::make_unique<State>()) {
  state_->arena = threads.arena_.get();
}

Background::~Background() { static_cast<void>(Wait()); }

Result<void> Background::Start(std::function<Result<void>()> work) {
  LICHEN_TRY_VOID(Wait());
  if (state_->arena == nullptr) {
    state_->result = work();
    return {};
  }
  state_->work = std::move(work);
  state_->begin.Mark();
  state_->arena->arena.enqueue(state_->group.defer([state = state_.get()] {
    state->begin.Await();
    state->result = state->work();
    state->end.Mark();
  }));
  return {};
}

Result<void> Background::Wait() {
  if (state_->arena != nullptr && state_->work) {
    state_->arena->arena.execute([this] { state_->group.wait(); });
    state_->end.Await();
    state_->work = nullptr;
  }
  return std::exchange(state_->result, {});
}

}  // namespace lichen
