// The processes that mpirun started, for searches that share their work.
//
// Contract: MPI lies in a module beside the program (lichen_mpi.so) that is loaded only here, since
// loading it takes longer than coding a picture. Calls are collective.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

class MpiRun {
 public:
  // Error: the build found no MPI.
  static Result<MpiRun> Join();
  MpiRun(MpiRun&& other) noexcept;
  MpiRun& operator=(MpiRun&& other) noexcept;
  ~MpiRun();
  int64_t rank() const { return rank_; }
  int64_t size() const { return size_; }
  // The text of every process at process 0; nothing at the others.
  std::vector<std::string> Gather(const std::string& text);

 private:
  MpiRun() = default;
  void* module_ = nullptr;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace lichen
