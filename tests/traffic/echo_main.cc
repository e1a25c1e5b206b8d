// penstock-echo NAME [PORT]: an echo server on every address of the host, IPv4 and IPv6. UDP: it answers
// "NAME PAYLOAD" from the address that was asked, as direct server return needs it. TCP: tcp_echo.h.
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "penstock/base/exit_code.h"
#include "tests/traffic/tcp_echo.h"

namespace {

int bound_socket(int family, std::uint16_t port) {
  const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  sockaddr_in6 any6{};
  sockaddr_in any4{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = any4.sin_port = htons(port);
  any4.sin_family = AF_INET;
  if (family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  } else {
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  }
  const int failed = family == AF_INET6 ? bind(fd, reinterpret_cast<sockaddr*>(&any6), sizeof any6)
                                        : bind(fd, reinterpret_cast<sockaddr*>(&any4), sizeof any4);
  if (fd < 0 || failed != 0) throw std::system_error(errno, std::generic_category(), "bind");
  return fd;
}

/// The address asked becomes the address answering, on whatever interface the route says.
void answer_from_asked_address(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(c));
      info->ipi_spec_dst = info->ipi_addr;
      info->ipi_ifindex = 0;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      reinterpret_cast<in6_pktinfo*>(CMSG_DATA(c))->ipi6_ifindex = 0;
    }
  }
}

[[noreturn]] void echo_forever(int fd, const std::string& name) {
  std::array<char, 65536> buffer;
  const std::size_t prefix = name.size() + 1;
  std::memcpy(buffer.data(), (name + " ").data(), prefix);
  for (;;) {
    sockaddr_storage peer{};
    alignas(cmsghdr) std::array<char, 256> control;
    iovec part{buffer.data() + prefix, buffer.size() - prefix};
    msghdr message{};
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = recvmsg(fd, &message, 0);
    if (count < 0) continue;  // an ICMP error of an earlier answer
    answer_from_asked_address(message);
    part = {buffer.data(), prefix + static_cast<std::size_t>(count)};
    sendmsg(fd, &message, MSG_NOSIGNAL);
  }
}

/// A scenario holds thousands of connections.
void raise_descriptor_limit() {
  const rlimit limit{65536, 65536};
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 7;
  const std::string_view port_text = argc == 3 ? argv[2] : "7";
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (argc < 2 || argc > 3 || error != std::errc() || end != port_text.data() + port_text.size() ||
      port == 0) {
    std::fprintf(stderr, "usage: penstock-echo NAME [PORT]\n");
    return penstock::kExitUsage;
  }
  try {
    const int v4 = bound_socket(AF_INET, port);
    const int v6 = bound_socket(AF_INET6, port);
    raise_descriptor_limit();
    penstock::traffic::TcpEcho tcp(argv[1], port);
    std::thread([v4, name = std::string(argv[1])] { echo_forever(v4, name); }).detach();
    std::thread([v6, name = std::string(argv[1])] { echo_forever(v6, name); }).detach();
    tcp.run();
  } catch (const std::system_error& e) {
    std::fprintf(stderr, "penstock-echo: port %u: %s\n", port, e.what());
    return penstock::kExitFailure;
  }
}
