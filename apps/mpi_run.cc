#include "apps/mpi_run.h"

#include <dlfcn.h>

#include <filesystem>
#include <utility>

namespace lichen {
namespace {

template <class F>
F* Find(void* module, const char* name) {
  return reinterpret_cast<F*>(::dlsym(module, name));
}

}  // namespace

Result<MpiRun> MpiRun::Join() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto path = program.parent_path() / "lichen_mpi.so";
  MpiRun run;
  run.module_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!run.module_) {
    return Fail(
        "--mpi: this build found no MPI. Install it (Debian: apt-get install libopenmpi-dev "
        "openmpi-bin) and build again");
  }
  Find<void(int*, int*)>(run.module_, "LichenMpiJoin")(&run.rank_, &run.size_);
  return run;
}

MpiRun::MpiRun(MpiRun&& other) noexcept { *this = std::move(other); }

MpiRun& MpiRun::operator=(MpiRun&& other) noexcept {
  std::swap(module_, other.module_);
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
  return *this;
}

MpiRun::~MpiRun() {
  if (module_) Find<void()>(module_, "LichenMpiLeave")();
}

std::vector<std::string> MpiRun::Gather(const std::string& text) {
  std::vector<std::string> texts;
  Find<void(const std::string*, std::vector<std::string>*)>(module_, "LichenMpiGather")(&text,
                                                                                        &texts);
  return texts;
}

}  // namespace lichen
