#include "explore/journal.h"

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace lichen {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 31;

}  // namespace

Result<Journal> Journal::Open(const std::filesystem::path& path, const std::string& task) {
  Journal journal;
  journal.path_ = path;
  std::error_code error;
  std::string kept = task + "\n";
  if (std::filesystem::exists(path, error)) {
    LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, kMaxBytes));
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    bool is_first = true;
    for (size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) {
      const std::string line(text.substr(0, end));
      if (is_first && line != task) {
        return Fail(
            "{}: belongs to another search (model, board, size, objectives or space differ); name "
            "another journal",
            path.string());
      }
      if (is_first) {
        is_first = false;
        continue;
      }
      const auto json = nlohmann::json::parse(line, nullptr, false);
      if (!json.is_object() || !json.contains("name") || !json["name"].is_string() ||
          !json.contains("result")) {
        return Fail("{}: is damaged; delete it to search anew", path.string());
      }
      journal.done_[json["name"]] = json["result"].dump();
      kept += line + "\n";
    }
  } else if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
  }
  // Without what was cut off.
  LICHEN_TRY_VOID(WriteFile(path, std::string_view(kept)));
  journal.out_.open(path, std::ios::app | std::ios::binary);
  if (!journal.out_) return Fail("{}: cannot be written", path.string());
  return journal;
}

const std::string* Journal::Find(const std::string& name) const {
  const auto found = done_.find(name);
  return found == done_.end() ? nullptr : &found->second;
}

Result<void> Journal::Write(const std::string& name, const std::string& json) {
  out_ << "{\"name\":\"" << name << "\",\"result\":" << json << "}\n" << std::flush;
  if (!out_) return Fail("{}: cannot be written", path_.string());
  return {};
}

}  // namespace lichen
