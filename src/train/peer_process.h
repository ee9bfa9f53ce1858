// Runs a test of this program in another process, as a peer of the running test.
//
// A peer is a disabled test of the suite DISABLED_Peer, which so runs for nobody else; it finds its
// arguments by PeerArgument().
#pragma once

#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace lichen {

class PeerProcess {
 public:
  // Arguments are NAME=VALUE.
  PeerProcess(const std::string& peer, const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"/proc/self/exe", "--gtest_filter=DISABLED_Peer." + peer,
                                      "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
    std::vector<std::string> settings = arguments;
    for (char** e = environ; *e; ++e) settings.emplace_back(*e);
    if (::posix_spawn(&id_, words[0].c_str(), nullptr, nullptr, Pointers(words).data(),
                      Pointers(settings).data()) != 0) {
      id_ = -1;
    }
  }
  ~PeerProcess() {
    Signal(SIGKILL);
    Wait();
  }
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  void Signal(int signal) const {
    if (id_ > 0) ::kill(id_, signal);
  }

  // Whether it ended by itself, with all its expectations met.
  bool Wait() {
    int status = -1;
    if (id_ <= 0 || ::waitpid(id_, &status, 0) != id_) return false;
    id_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  static std::vector<char*> Pointers(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
  }

  pid_t id_ = -1;
};

inline std::string PeerArgument(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// An address of this machine whose port nobody listens at for now.
inline std::string FreeRendezvous() {
  const int file = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool is_bound =
      ::bind(file, generic, size) == 0 && ::getsockname(file, generic, &size) == 0;
  ::close(file);
  return is_bound ? fmt::format("127.0.0.1:{}", ntohs(address.sin_port)) : "";
}

}  // namespace lichen
