#include "pipe_bus.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "bus_protocol.h"

namespace lichen::rtl {
namespace {

// Starts `words` with `end` as its kBusDescriptor and its output on standard error.
int Spawn(std::vector<std::string> words, int end, pid_t& process) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, end, kBusDescriptor);
  const int status =
      ::posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

}  // namespace

std::unique_ptr<PipeBus> PipeBus::Start(const std::string& model, const Options& options,
                                        std::string& error) {
  std::unique_ptr<PipeBus> bus(new PipeBus);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    error = std::string("no socket: ") + std::strerror(errno);
    return nullptr;
  }
  bus->socket_ = ends[0];
  bus->memory_bytes_ = options.memory_bytes;
  // Where the descriptor has the wanted number already, dup2 would leave it to be closed.
  if (ends[1] == kBusDescriptor) {
    ends[1] = ::fcntl(ends[1], F_DUPFD_CLOEXEC, kBusDescriptor + 1);
    ::close(kBusDescriptor);
  }
  const int status = Spawn(
      {model, "serve", std::to_string(options.memory_bytes), std::to_string(options.timeout_cycles),
       std::to_string(options.fault_begin), std::to_string(options.fault_end)},
      ends[1], bus->process_);
  ::close(ends[1]);
  if (status != 0) {
    bus->process_ = -1;
    error = model + ": " + std::strerror(status) + "; `lichen verify BUNDLE` builds it";
    return nullptr;
  }
  if (bus->Read32(kId) != kEngineId) {
    error = model + ": does not answer as an engine";
    return nullptr;
  }
  return bus;
}

PipeBus::~PipeBus() {
  Stop();
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

void PipeBus::Stop() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool PipeBus::Send(const void* from, size_t count) {
  const auto* at = static_cast<const uint8_t*>(from);
  while (count > 0 && socket_ >= 0) {
    const ssize_t put = ::send(socket_, at, count, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      Stop();
      return false;
    }
    at += put;
    count -= static_cast<size_t>(put);
  }
  return socket_ >= 0;
}

bool PipeBus::Receive(void* to, size_t count) {
  auto* at = static_cast<uint8_t*>(to);
  while (count > 0 && socket_ >= 0) {
    const ssize_t got = ::recv(socket_, at, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      Stop();
      return false;
    }
    at += got;
    count -= static_cast<size_t>(got);
  }
  return socket_ >= 0;
}

uint32_t PipeBus::Read32(uint32_t register_address) {
  const BusRequest request{.operation = BusOperation::kRead32, .address = register_address};
  BusReply reply;
  if (!Send(&request, sizeof(request)) || !Receive(&reply, sizeof(reply))) return 0;
  return reply.value;
}

void PipeBus::Write32(uint32_t register_address, uint32_t value) {
  const BusRequest request{
      .operation = BusOperation::kWrite32, .value = value, .address = register_address};
  BusReply reply;
  if (Send(&request, sizeof(request))) Receive(&reply, sizeof(reply));
}

bool PipeBus::ReadMemory(uint64_t address, std::span<uint8_t> bytes) {
  const BusRequest request{
      .operation = BusOperation::kReadMemory, .address = address, .count = bytes.size()};
  BusReply reply;
  return IsInside(address, bytes.size()) && Send(&request, sizeof(request)) &&
         Receive(&reply, sizeof(reply)) && reply.is_done != 0 &&
         Receive(bytes.data(), bytes.size());
}

bool PipeBus::WriteMemory(uint64_t address, std::span<const uint8_t> bytes) {
  const BusRequest request{
      .operation = BusOperation::kWriteMemory, .address = address, .count = bytes.size()};
  BusReply reply;
  return IsInside(address, bytes.size()) && Send(&request, sizeof(request)) &&
         Send(bytes.data(), bytes.size()) && Receive(&reply, sizeof(reply)) && reply.is_done != 0;
}

bool PipeBus::WaitForInterrupt() {
  const BusRequest request{.operation = BusOperation::kWait};
  BusReply reply;
  return Send(&request, sizeof(request)) && Receive(&reply, sizeof(reply)) && reply.is_done != 0;
}

}  // namespace lichen::rtl
