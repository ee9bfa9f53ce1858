#include "bench/torch_peer.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>

namespace lichen {
namespace {

using RunFunction = double (*)(const FloatGraph*, const FloatGraph*, const Tensor<float>*, int,
                               std::string*);

// The module lies beside the program.
RunFunction LoadPeer() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return nullptr;
  const auto path = program.parent_path() / "lichen_torch_peer.so";
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) return nullptr;
  return reinterpret_cast<RunFunction>(::dlsym(module, "LichenRunTorchPeer"));
}

RunFunction Peer() {
  static const RunFunction function = LoadPeer();
  return function;
}

}  // namespace

bool HaveTorchPeer() { return Peer() != nullptr; }

Result<double> RunTorchPeer(const FloatNet& net, const Tensor<float>& picture, int threads) {
  const FloatGraph* analysis = net.Find("analysis");
  const FloatGraph* synthesis = net.Find("synthesis");
  if (!analysis || !synthesis) return Fail("the libtorch peer needs a codec");
  if (!HaveTorchPeer()) return Fail("this build has no libtorch");
  std::string error;
  const double seconds = Peer()(analysis, synthesis, &picture, threads, &error);
  if (!error.empty()) return Fail("{}", error);
  return seconds;
}

}  // namespace lichen
