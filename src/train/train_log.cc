#include "train/train_log.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/files.h"

namespace lichen {

Result<TrainLog> TrainLog::Create(const std::filesystem::path& path) {
  LICHEN_TRY_VOID(WriteFile(path, std::string_view()));
  return Append(path);
}

Result<TrainLog> TrainLog::Resume(const std::filesystem::path& path, int64_t step) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return Create(path);
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos) break;  // torn when the run was killed
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    if (json.contains("step") && json["step"].is_number() && json["step"] > step) continue;
    kept.append(line).push_back('\n');
  }
  LICHEN_TRY_VOID(WriteFile(path, std::string_view(kept)));
  return Append(path);
}

Result<TrainLog> TrainLog::Append(const std::filesystem::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (!file) return Fail("{}: {}", path.string(), std::strerror(errno));
  return TrainLog(file, path);
}

TrainLog::TrainLog(TrainLog&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)), path_(std::move(other.path_)) {}

TrainLog::~TrainLog() {
  if (file_) std::fclose(file_);
}

Result<void> TrainLog::Write(const nlohmann::ordered_json& line) {
  using Handler = nlohmann::ordered_json::error_handler_t;
  const std::string text = line.dump(-1, ' ', false, Handler::replace) + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0) {
    return Fail("{}: {}", path_.string(), std::strerror(errno));
  }
  return {};
}

}  // namespace lichen
