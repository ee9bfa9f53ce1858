// A pool of a chosen number of threads for loops over independent work.
//
// Contract: For() calls body(i) once for each i of [0, count) and returns when all are done; the
// result must not depend on the order. One thread means: in the calling thread, in order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

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
  struct Arena;
  int count_;
  std::unique_ptr<Arena> arena_;
};

}  // namespace lichen
