#include "accel/fusion/stream_file.h"

#include <nlohmann/json.hpp>

#include "accel/fusion/stream_writer.h"
#include "base/files.h"
#include "base/hash.h"

namespace lichen::fusion {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kMaxJobBytes = 1 << 16;
constexpr int64_t kMaxNumber = int64_t{1} << 31;  // no job has larger ones

Json ToJson(const Shape3& shape) { return {shape.count, shape.height, shape.width}; }

// Reads numbers and texts; the first that is missing or wrong ends up in `problem`.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  std::string Text(const char* key) {
    if (json_.contains(key) && json_[key].is_string()) return json_[key].get<std::string>();
    Note(key);
    return "";
  }
  int64_t Number(const char* key) {
    return json_.contains(key) ? ToNumber(json_[key], key) : Note(key);
  }
  std::vector<int64_t> Numbers(const char* key, size_t count) {
    if (!json_.contains(key) || !json_[key].is_array() || json_[key].size() != count) {
      Note(key);
      return std::vector<int64_t>(count);
    }
    std::vector<int64_t> numbers;
    for (const Json& item : json_[key]) numbers.push_back(ToNumber(item, key));
    return numbers;
  }
  Shape3 Shape(const char* key) {
    const std::vector<int64_t> n = Numbers(key, 3);
    return {n[0], n[1], n[2]};
  }
  const std::string& problem() const { return problem_; }

 private:
  int64_t ToNumber(const Json& json, const char* key) {
    if (json.is_number_integer() && json.get<int64_t>() >= 0 && json.get<int64_t>() <= kMaxNumber) {
      return json.get<int64_t>();
    }
    return Note(key);
  }
  int64_t Note(const char* key) {
    if (problem_.empty()) problem_ = fmt::format("'{}' is missing or wrong", key);
    return 0;
  }
  const Json& json_;
  std::string problem_;
};

Result<WindowJob> ParseJob(std::string_view text, std::string_view stream) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail("is no JSON object");
  Reader reader(json);
  WindowJob job{.input = reader.Shape("input_shape"), .kernel = reader.Shape("kernel_shape")};
  job.padding = reader.Number("padding");
  const std::vector<int64_t> array = reader.Numbers("array", 2);
  job.array = {array[0], array[1]};
  job.ibuf_bytes = reader.Number("ibuf_bytes");
  job.wbuf_bytes = reader.Number("wbuf_bytes");
  job.obuf_bytes = reader.Number("obuf_bytes");
  job.pair.input_bits = static_cast<int>(reader.Number("input_bits"));
  job.pair.weight_bits = static_cast<int>(reader.Number("weight_bits"));
  const std::string mode = reader.Text("mode");
  const std::string sha256 = reader.Text("stream_sha256");
  if (!reader.problem().empty()) return Fail("{}", reader.problem());
  LICHEN_TRY(job.mode, ParseMode(mode));
  Sha256 hash;
  hash.Update(stream);
  if (ToHex(hash.Finish()) != sha256) {
    return Fail("describes another stream than the one beside it; compile again, or delete it");
  }
  LICHEN_TRY(const PreparedJob prepared, Prepare(job));
  return prepared.job;
}

}  // namespace

std::filesystem::path JobPath(const std::filesystem::path& stream) {
  std::filesystem::path path = stream;
  path += ".json";
  return path;
}

Result<StreamFile> LoadStream(const std::filesystem::path& path) {
  StreamFile file;
  LICHEN_TRY(file.bytes, ReadFile(path, kMaxStreamBytes));
  const std::filesystem::path job_path = JobPath(path);
  std::error_code error;
  if (!std::filesystem::exists(job_path, error)) return file;
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(job_path, kMaxJobBytes));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  LICHEN_TRY(file.job, InPlace(job_path.string(), ParseJob(text, file.text())));
  return file;
}

Result<void> SaveStream(const std::filesystem::path& path, const WindowJob& job,
                        std::string_view text, const std::string& sha256) {
  const Json json = {{"mode", Name(job.mode)},
                     {"input_shape", ToJson(job.input)},
                     {"kernel_shape", ToJson(job.kernel)},
                     {"padding", job.padding},
                     {"array", {job.array.h, job.array.w}},
                     {"ibuf_bytes", job.ibuf_bytes},
                     {"wbuf_bytes", job.wbuf_bytes},
                     {"obuf_bytes", job.obuf_bytes},
                     {"input_bits", job.pair.input_bits},
                     {"weight_bits", job.pair.weight_bits},
                     {"stream_sha256", sha256}};
  LICHEN_TRY_VOID(WriteFile(path, text));
  return WriteFile(JobPath(path), std::string_view(json.dump(2) + "\n"));
}

}  // namespace lichen::fusion
