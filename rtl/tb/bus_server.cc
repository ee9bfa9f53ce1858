#include "bus_server.h"

#include <unistd.h>

#include <vector>

#include "bus_protocol.h"

namespace lichen::rtl {
namespace {

bool Receive(int descriptor, void* to, size_t count) {
  auto* at = static_cast<uint8_t*>(to);
  while (count > 0) {
    const ssize_t got = ::read(descriptor, at, count);
    if (got <= 0) return false;
    at += got;
    count -= static_cast<size_t>(got);
  }
  return true;
}

bool Send(int descriptor, const void* from, size_t count) {
  const auto* at = static_cast<const uint8_t*>(from);
  while (count > 0) {
    const ssize_t put = ::write(descriptor, at, count);
    if (put <= 0) return false;
    at += put;
    count -= static_cast<size_t>(put);
  }
  return true;
}

}  // namespace

int ServeBus(Bus& bus, int descriptor) {
  BusRequest request;
  std::vector<uint8_t> bytes;
  while (Receive(descriptor, &request, sizeof(request))) {
    BusReply reply{.is_done = 1};
    // A count beyond the memory is not allocated; the client checks it too.
    if (request.count > bus.memory_bytes()) return 1;
    bytes.resize(request.count);
    switch (request.operation) {
      case BusOperation::kRead32:
        reply.value = bus.Read32(static_cast<uint32_t>(request.address));
        break;
      case BusOperation::kWrite32:
        bus.Write32(static_cast<uint32_t>(request.address), request.value);
        break;
      case BusOperation::kReadMemory:
        reply.is_done = bus.ReadMemory(request.address, bytes);
        break;
      case BusOperation::kWriteMemory:
        if (!Receive(descriptor, bytes.data(), bytes.size())) return 1;
        reply.is_done = bus.WriteMemory(request.address, bytes);
        break;
      case BusOperation::kWait:
        reply.is_done = bus.WaitForInterrupt();
        break;
      default:
        return 1;
    }
    if (!Send(descriptor, &reply, sizeof(reply))) return 0;
    if (request.operation == BusOperation::kReadMemory && reply.is_done != 0 &&
        !Send(descriptor, bytes.data(), bytes.size())) {
      return 0;
    }
  }
  return 0;
}

}  // namespace lichen::rtl
