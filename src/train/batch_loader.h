// Makes the batches of a training run ahead of time, in worker threads.
//
// Contract: the batch of a step depends on the picture set, the options and the step alone. Next()
// gives them in order, from first_step on. Called from one thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"
#include "train/picture_set.h"

namespace lichen {

struct Batch {
  int64_t step = 0;
  std::vector<uint8_t> samples;  // n y x c, 8 bit RGB
  std::vector<int64_t> rates;    // per picture, which lambda it is trained for
};

struct BatchOptions {
  int64_t batch = 16;
  int64_t part_first = 0;  // of the batch's pictures, which are made
  int64_t part_count = 0;  // 0: all
  int64_t crop_px = 256;
  int64_t rate_count = 1;    // each batch holds them as evenly as its size allows
  bool is_one_rate = false;  // or each batch holds one of them, in turn
  uint64_t seed = 1;
  int64_t first_step = 0;
  int64_t workers = 1;
};

// One batch, in the calling thread.
Result<Batch> MakeBatch(const PictureSet& pictures, const BatchOptions& options, int64_t step);

class BatchLoader {
 public:
  // `pictures` must live as long.
  BatchLoader(const PictureSet& pictures, const BatchOptions& options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  Result<Batch> Next();

 private:
  void Work();

  const PictureSet& pictures_;
  BatchOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t next_made_;   // the step that the next free worker takes
  int64_t next_given_;  // the step that Next() gives
  bool is_stopping_ = false;
  std::map<int64_t, Result<Batch>> ready_;
  std::vector<std::thread> threads_;
};

}  // namespace lichen
