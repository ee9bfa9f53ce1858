#include "flow/model_search.h"

#include <cstdlib>
#include <string>
#include <system_error>

#include "base/check.h"
#include "base/files.h"
#include "image/metrics.h"
#include "image/reader.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Kind = EncodeTarget::Kind;

class TemporaryFolder {
 public:
  static Result<TemporaryFolder> Create() {
    std::error_code error;
    const fs::path parent = fs::temp_directory_path(error);
    if (error) return Fail("no folder for temporary files: {}", error.message());
    std::string name = (parent / "lichen-encode-XXXXXX").string();
    if (!::mkdtemp(name.data())) return Fail("{}: cannot be created", name);
    TemporaryFolder folder;
    folder.path_ = name;
    return folder;
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  fs::path Of(size_t model) const { return path_ / std::to_string(model); }

 private:
  TemporaryFolder() = default;
  fs::path path_;
};

Result<double> DecodedPsnr(const Codec& codec, const fs::path& picture, const fs::path& encoded,
                           const Threads& threads) {
  LICHEN_TRY(const std::unique_ptr<ImageReader> reader, OpenImage(picture));
  LICHEN_TRY(const InputFile file, InputFile::Open(encoded));
  PsnrMeter meter(reader->info());
  std::vector<uint16_t> original(static_cast<size_t>(reader->info().RowSamples()));
  const ImageSink sink{.begin = [](const ImageInfo&) -> Result<void> { return {}; },
                       .row = [&](int64_t, std::span<const uint16_t> samples) -> Result<void> {
                         LICHEN_TRY_VOID(reader->ReadRow(original));
                         meter.AddRow(original, samples);
                         return {};
                       }};
  LICHEN_TRY_VOID(DecodeImage(codec, file, {}, sink, threads));
  return meter.Psnr();
}

Result<void> CopyTo(const fs::path& from, const fs::path& to) {
  LICHEN_TRY(const InputFile in, InputFile::Open(from));
  LICHEN_TRY(OutputFile out, OutputFile::Create(to));
  std::vector<uint8_t> buffer(1 << 20);
  for (uint64_t at = 0; at < in.size_bytes();) {
    const auto part =
        std::span(buffer).first(std::min<uint64_t>(buffer.size(), in.size_bytes() - at));
    LICHEN_TRY_VOID(in.ReadAt(at, part));
    LICHEN_TRY_VOID(out.Write(part));
    at += part.size();
  }
  return out.Commit();
}

bool Meets(const ModelTrial& trial, const EncodeTarget& target) {
  const double figure = trial.Figure(target.kind);
  return target.kind == Kind::kBpp ? figure <= target.value : figure >= target.value;
}

// Whether `a` serves better than `b`.
bool IsBetter(const ModelTrial& a, const ModelTrial& b, const EncodeTarget& target) {
  const bool meets = Meets(a, target);
  if (meets != Meets(b, target)) return meets;
  if (target.kind == Kind::kBpp) return meets ? a.bpp > b.bpp : a.bpp < b.bpp;
  return meets ? a.stats.file_bytes < b.stats.file_bytes : a.psnr_db > b.psnr_db;
}

}  // namespace

Result<ModelSearch> SearchModels(size_t model_count, const EncodeTarget& target,
                                 const std::function<Result<ModelTrial>(size_t)>& try_model) {
  LICHEN_CHECK(model_count > 0);
  ModelSearch search;
  // Models below `low` lie on the side of small files, those from `high` on on that of large ones.
  size_t low = 0, high = model_count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    LICHEN_TRY(ModelTrial trial, try_model(middle));
    const bool is_small = Meets(trial, target) == (target.kind == Kind::kBpp);
    (is_small ? low : high) = is_small ? middle + 1 : middle;
    search.trials.push_back(std::move(trial));
    if (IsBetter(search.trials.back(), search.trials[search.chosen], target)) {
      search.chosen = search.trials.size() - 1;
    }
  }
  search.is_met = Meets(search.trials[search.chosen], target);
  return search;
}

Result<ModelSearch> EncodeToTarget(size_t model_count,
                                   const std::function<Result<Codec>(size_t)>& load,
                                   const fs::path& input, const fs::path& output,
                                   const EncodeTarget& target, const EncodeOptions& options,
                                   const Threads& threads) {
  LICHEN_TRY(const ImageInfo info, ReadImageInfo(input));
  LICHEN_TRY(const TemporaryFolder folder, TemporaryFolder::Create());
  const double pixels = static_cast<double>(info.width) * static_cast<double>(info.height);
  const auto try_model = [&](size_t model) -> Result<ModelTrial> {
    LICHEN_TRY(const Codec codec, load(model));
    ModelTrial trial{.model = model};
    LICHEN_TRY(trial.stats, EncodeFile(codec, input, folder.Of(model), options, threads));
    trial.bpp = 8 * static_cast<double>(trial.stats.file_bytes) / pixels;
    if (target.kind == Kind::kPsnr) {
      LICHEN_TRY(trial.psnr_db, DecodedPsnr(codec, input, folder.Of(model), threads));
    }
    return trial;
  };
  LICHEN_TRY(ModelSearch search, SearchModels(model_count, target, try_model));
  LICHEN_TRY_VOID(CopyTo(folder.Of(search.trials[search.chosen].model), output));
  return search;
}

}  // namespace lichen
