// A place for a test's files.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

namespace lichen {

// A path of this process alone, so that programs of tests can run beside each other; nothing is there at first, and what
// is there at the process' end is removed.
inline std::filesystem::path TestPath(std::string_view name) {
  class Folder {
   public:
    Folder() { std::filesystem::create_directories(path_); }
    ~Folder() {
      std::error_code error;
      if (::getpid() == owner_) std::filesystem::remove_all(path_, error);  // a child may end too
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::filesystem::path& path() const { return path_; }

   private:
    const pid_t owner_ = ::getpid();
    const std::filesystem::path path_ =
        std::filesystem::temp_directory_path() / fmt::format("lichen_test_{}", owner_);
  };
  static const Folder folder;
  return folder.path() / name;
}

}  // namespace lichen
