#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lichen {
namespace {

namespace fs = std::filesystem;

Result<uint64_t> SizeOfReadable(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return Fail("{}: {}", path, std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return Fail("{}: is a directory, not a file", path);
  // Without end, or with effects.
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    return Fail("{}: is a device, not a file", path);
  }
  return static_cast<uint64_t>(info.st_size);
}

Result<int> OpenForReading(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Fail("{}: cannot be opened: {}", path, std::strerror(errno));
  return fd;
}

}  // namespace

Result<std::vector<uint8_t>> ReadFile(const fs::path& path, uint64_t max_bytes) {
  LICHEN_TRY(const int fd, OpenForReading(path.string()));
  auto read_all = [&]() -> Result<std::vector<uint8_t>> {
    LICHEN_TRY(const uint64_t expected, SizeOfReadable(fd, path.string()));
    if (expected > max_bytes) {
      return Fail("{}: {} bytes are more than the {} allowed", path.string(), expected, max_bytes);
    }
    std::vector<uint8_t> bytes(expected);
    size_t filled = 0;
    while (true) {
      if (filled == bytes.size()) bytes.resize(filled + std::max<size_t>(4096, filled / 2));
      const ssize_t n = ::read(fd, bytes.data() + filled, bytes.size() - filled);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Fail("{}: cannot be read: {}", path.string(), std::strerror(errno));
      if (n == 0) break;
      filled += static_cast<size_t>(n);
      if (filled > max_bytes) {
        return Fail("{}: has more than the {} bytes allowed", path.string(), max_bytes);
      }
    }
    bytes.resize(filled);
    return bytes;
  };
  auto result = read_all();
  ::close(fd);
  return result;
}

Result<InputFile> InputFile::Open(const fs::path& path) {
  InputFile file;
  file.path_ = path.string();
  LICHEN_TRY(file.fd_, OpenForReading(file.path_));
  LICHEN_TRY(file.size_bytes_, SizeOfReadable(file.fd_, file.path_));
  return file;
}
InputFile::InputFile(InputFile&& other) noexcept { *this = std::move(other); }
InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(path_, other.path_);
  return *this;
}
InputFile::~InputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> InputFile::ReadAt(uint64_t position_bytes, std::span<uint8_t> bytes) const {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(fd_, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(position_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail("{}: cannot be read: {}", path_, std::strerror(errno));
    if (n == 0) {
      return Fail("{}: ends at byte {}; bytes {} to {} are needed", path_, position_bytes + done,
                  position_bytes, position_bytes + bytes.size());
    }
    done += static_cast<size_t>(n);
  }
  return {};
}

Result<OutputFile> OutputFile::Create(const fs::path& path) {
  OutputFile file;
  file.destination_ = path;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return Fail("{}: is a directory; name a file to write", path.string());
  }
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  fs::create_directories(folder, error);
  if (error) return Fail("{}: cannot be created: {}", folder.string(), error.message());
#ifdef O_TMPFILE
  file.fd_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (file.fd_ >= 0) return file;
#endif
  file.temporary_ = folder / fmt::format(".{}.{}.part", path.filename().string(), ::getpid());
  file.fd_ =
      ::open(file.temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file.fd_ < 0) {
    const std::string why = std::strerror(errno);
    file.temporary_.clear();
    return Fail("{}: cannot be written: {}", path.string(), why);
  }
  return file;
}
OutputFile::OutputFile(OutputFile&& other) noexcept { *this = std::move(other); }
OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(position_bytes_, other.position_bytes_);
  std::swap(destination_, other.destination_);
  std::swap(temporary_, other.temporary_);
  return *this;
}
OutputFile::~OutputFile() { Discard(); }

void OutputFile::Discard() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

Result<void> OutputFile::WriteAt(uint64_t position_bytes, std::span<const uint8_t> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done,
                               static_cast<off_t>(position_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return Fail("{}: cannot be written: {}", destination_.string(), std::strerror(errno));
    }
    done += static_cast<size_t>(n);
  }
  return {};
}

Result<void> OutputFile::Write(std::span<const uint8_t> bytes) {
  LICHEN_TRY_VOID(WriteAt(position_bytes_, bytes));
  position_bytes_ += bytes.size();
  return {};
}

Result<void> OutputFile::Commit() {
  const auto fail = [&] {
    const std::string why = std::strerror(errno);
    Discard();
    return Fail("{}: cannot be written: {}", destination_.string(), why);
  };
  if (::fsync(fd_) != 0 && errno != EINVAL) return fail();
  if (temporary_.empty()) {
    // An unnamed file first takes a temporary name, since linking never replaces.
    const fs::path folder =
        destination_.has_parent_path() ? destination_.parent_path() : fs::path(".");
    const fs::path name =
        folder / fmt::format(".{}.{}.part", destination_.filename().string(), ::getpid());
    ::unlink(name.c_str());
    const std::string self = fmt::format("/proc/self/fd/{}", fd_);
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return fail();
    }
    temporary_ = name;
  }
  if (::rename(temporary_.c_str(), destination_.c_str()) != 0) return fail();
  temporary_.clear();
  Discard();
  return {};
}

Result<void> WriteFile(const fs::path& path, std::span<const uint8_t> bytes) {
  LICHEN_TRY(OutputFile file, OutputFile::Create(path));
  LICHEN_TRY_VOID(file.Write(bytes));
  return file.Commit();
}

Result<void> WriteFile(const fs::path& path, std::string_view text) {
  return WriteFile(path, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

}  // namespace lichen
