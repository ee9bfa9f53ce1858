// Sets of points none of which is better than another in everything.
//
// Contract: smaller is better in each coordinate. Of points that are equal in all, the one with the
// smallest key stays, so that the set does not depend on the order in which points come.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace lichen {

// Whether `a` is at least as good as `b` in everything.
inline bool Covers(const std::vector<double>& a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
  }
  return true;
}

template <class T>
class ParetoSet {
 public:
  struct Entry {
    std::vector<double> cost;
    T value;
  };

  // Whether a point of another cost is at least as good in everything.
  bool IsBeaten(const std::vector<double>& cost) const {
    return std::ranges::any_of(
        entries_, [&](const Entry& e) { return e.cost != cost && Covers(e.cost, cost); });
  }

  void Add(std::vector<double> cost, T value) {
    for (Entry& entry : entries_) {
      if (entry.cost == cost) {
        if (value < entry.value) entry.value = std::move(value);
        return;
      }
      if (Covers(entry.cost, cost)) return;
    }
    std::erase_if(entries_, [&](const Entry& e) { return Covers(cost, e.cost); });
    entries_.push_back({std::move(cost), std::move(value)});
  }

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace lichen
