// Where processes meet: HOST:PORT, and which address of this machine leads there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lichen {

struct HostPort {
  std::string host;  // a name or a numeric address
  uint16_t port = 0;
};

// HOST:PORT, or [HOST]:PORT where the address holds colons itself.
Result<HostPort> ParseHostPort(const std::string& text);

// The numeric address of this machine from which it reaches the place. Sends nothing. Error if the
// name is unknown, or no network leads there.
Result<std::string> AddressTowards(const HostPort& place);

// Whether a numeric address is one that only its own machine reaches.
bool IsLoopback(std::string_view address);

}  // namespace lichen
