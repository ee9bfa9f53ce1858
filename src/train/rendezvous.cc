#include "train/rendezvous.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace lichen {

Result<HostPort> ParseHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  const std::string port = colon == text.npos ? "" : text.substr(colon + 1);
  const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  uint16_t number = 0;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_port =
      parsed.ec == std::errc() && parsed.ptr == port.data() + port.size() && number > 0;
  if (!is_port || host.empty() || (!is_bracketed && host.find(':') != host.npos)) {
    return FailUsage(
        "--rendezvous {}: must be HOST:PORT with a port of 1 to 65535, and [HOST]:PORT for an "
        "address with colons",
        text);
  }
  return HostPort{host, number};
}

Result<std::string> AddressTowards(const HostPort& place) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;  // where connecting means choosing a route
  addrinfo* found = nullptr;
  const std::string port = std::to_string(place.port);
  if (const int code = ::getaddrinfo(place.host.c_str(), port.c_str(), &hints, &found); code != 0) {
    return Fail("--rendezvous {}: this machine does not know the host ({})", place.host,
                code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int reason = 0;
  for (const addrinfo* a = found; a; a = a->ai_next) {
    const int file = ::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    sockaddr_storage own{};
    socklen_t size = sizeof(own);
    char text[NI_MAXHOST] = "";
    const bool is_reached = file >= 0 && ::connect(file, a->ai_addr, a->ai_addrlen) == 0 &&
                            ::getsockname(file, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    if (!is_reached) reason = errno;
    if (file >= 0) ::close(file);
    if (is_reached && ::getnameinfo(reinterpret_cast<const sockaddr*>(&own), size, text,
                                    sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0) {
      return std::string(text);
    }
  }
  return Fail("--rendezvous {}: no network leads from this machine to the host ({})", place.host,
              std::strerror(reason));
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

}  // namespace lichen
