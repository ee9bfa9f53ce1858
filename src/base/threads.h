// A pool of a chosen number of threads for loops over independent work.
//
// Contract: For() calls body(i) once for each i of [0, count) and returns when all are done; the
// result must not depend on the order. One thread means: in the calling thread, in order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"

namespace lichen {

class Threads {
 public:
  // 0 means as many as the machine has.
  explicit Threads(int count = 0);
  Threads(Threads&&) noexcept;
  Threads& operator=(Threads&&) noexcept;
  ~Threads();
  int count() const { return count_; }
  void For(int64_t count, const std::function<void(int64_t)>& body) const;

 private:
  friend class Background;
  struct Arena;
  int count_;
  std::unique_ptr<Arena> arena_;
};

// Work that one of the threads does beside the caller, one piece at a time, in order.
//
// Contract: a piece may call Threads::For(), but not wait for another Background. One thread means: in
// the calling thread, within Start(). Keeps a reference to the threads.
class Background {
 public:
  explicit Background(const Threads& threads);
  ~Background();  // waits
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  // Waits for the piece before; if that failed, gives its error and does not start.
  Result<void> Start(std::function<Result<void>()> work);
  // What the latest piece gave; an error is given once.
  Result<void> Wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lichen
