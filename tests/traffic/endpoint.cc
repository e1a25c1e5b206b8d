#include "tests/traffic/endpoint.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace penstock::traffic {

Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto bad = [&] {
    return invalid("", "'" + std::string(text) + "' is not ADDRESS:PORT (IPv6 as [ADDRESS]:PORT)");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddr::parse(host);
  if (!address || address->is_v6() != bracketed) return bad();
  Endpoint endpoint{*address, 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
  if (error != std::errc() || end != digits.data() + digits.size() || endpoint.port == 0) return bad();
  return endpoint;
}

std::string Endpoint::text() const {
  const std::string port_text = ":" + std::to_string(port);
  return address.is_v6() ? "[" + address.text() + "]" + port_text : address.text() + port_text;
}

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  if (endpoint.address.is_v6()) {
    auto* a = reinterpret_cast<sockaddr_in6*>(&storage);
    a->sin6_family = AF_INET6;
    a->sin6_port = htons(endpoint.port);
    std::memcpy(&a->sin6_addr, endpoint.address.data(), 16);
    length = sizeof *a;
  } else {
    auto* a = reinterpret_cast<sockaddr_in*>(&storage);
    a->sin_family = AF_INET;
    a->sin_port = htons(endpoint.port);
    std::memcpy(&a->sin_addr, endpoint.address.data(), 4);
    length = sizeof *a;
  }
}

int connected_socket(const Endpoint& endpoint, int type, std::uint16_t source_port) {
  const SocketAddress to(endpoint);
  const int fd = socket(to.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const SocketAddress from({endpoint.address.is_v6() ? IpAddr(Ipv6Addr{}) : IpAddr(Ipv4Addr{}), source_port});
  const bool bound = source_port == 0 || bind(fd, from.get(), from.length) == 0;
  if (!bound || (connect(fd, to.get(), to.length) != 0 && errno != EINPROGRESS)) {
    const int why = errno;
    close(fd);
    errno = why;
    return -1;
  }
  return fd;
}

}  // namespace penstock::traffic
