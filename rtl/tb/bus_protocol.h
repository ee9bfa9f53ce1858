// A Bus between two processes of a machine: requests and replies on a socket.
//
// Contract: the client sends a request, and `count` bytes with kWriteMemory; the server answers each with
// a reply, and with `count` bytes if it is a kReadMemory that succeeded. The end of the stream ends the server.
#pragma once

#include <cstdint>

namespace lichen::rtl {

enum class BusOperation : uint32_t { kRead32, kWrite32, kReadMemory, kWriteMemory, kWait };

struct BusRequest {
  BusOperation operation = BusOperation::kRead32;
  uint32_t value = 0;  // of kWrite32
  uint64_t address = 0;
  uint64_t count = 0;  // bytes of kReadMemory and kWriteMemory
};

struct BusReply {
  uint32_t is_done = 0;  // 0: beyond the memory, or no interrupt
  uint32_t value = 0;    // of kRead32
};

// The server's end of the socket; its standard output stays free for messages.
inline constexpr int kBusDescriptor = 3;

}  // namespace lichen::rtl
