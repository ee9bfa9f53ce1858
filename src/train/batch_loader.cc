#include "train/batch_loader.h"

#include "train/random.h"

namespace lichen {

Result<Batch> MakeBatch(const PictureSet& pictures, const BatchOptions& options, int64_t step) {
  Batch batch;
  batch.step = step;
  const auto samples = static_cast<size_t>(options.crop_px * options.crop_px * 3);
  const int64_t count = options.part_count == 0 ? options.batch : options.part_count;
  batch.samples.resize(samples * static_cast<size_t>(count));
  const auto step_key = static_cast<uint64_t>(step);
  const int64_t first_rate = KeyedRandom({options.seed, step_key}).Below(options.rate_count);
  for (int64_t i = options.part_first; i < options.part_first + count; ++i) {
    const auto index = static_cast<uint64_t>(i);
    const auto place = static_cast<size_t>(i - options.part_first);
    const std::span<uint8_t> out = std::span(batch.samples).subspan(place * samples, samples);
    LICHEN_TRY_VOID(pictures.Crop(KeyedRandom({options.seed, step_key, index}).Next(), out));
    batch.rates.push_back((options.is_one_rate ? step : first_rate + i) % options.rate_count);
  }
  return batch;
}

BatchLoader::BatchLoader(const PictureSet& pictures, const BatchOptions& options)
    : pictures_(pictures),
      options_(options),
      next_made_(options.first_step),
      next_given_(options.first_step) {
  for (int64_t i = 0; i < options.workers; ++i) threads_.emplace_back([this] { Work(); });
}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<Batch> BatchLoader::Next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_.count(next_given_) != 0; });
  auto node = ready_.extract(next_given_++);
  lock.unlock();
  changed_.notify_all();
  return std::move(node.mapped());
}

void BatchLoader::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(
        lock, [this] { return is_stopping_ || next_made_ < next_given_ + 2 * options_.workers; });
    if (is_stopping_) return;
    const int64_t step = next_made_++;
    lock.unlock();
    Result<Batch> batch = MakeBatch(pictures_, options_, step);
    lock.lock();
    ready_.emplace(step, std::move(batch));
    changed_.notify_all();
  }
}

}  // namespace lichen
