// Real flows of the kernel in the network namespace of the calling thread, in every state that a backend's
// socket can have. VIPs and clients are addresses of the namespace's own `lo`. Needs root.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "penstock/net/addr.h"
#include "tests/unit/bpf/tunnel_packet.h"

namespace penstock {

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  SocketAddress(const std::string& text, std::uint16_t port) {
    if (text.find(':') != std::string::npos) {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr);
      length = sizeof v6;
    } else {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      inet_pton(AF_INET, text.c_str(), &v4.sin_addr);
      length = sizeof v4;
    }
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline void shell(const std::string& command) {
  ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
}

/// `lo` with the addresses, and routes for answers to anybody else, so that the kernel takes their packets.
inline void set_up_loopback(const std::vector<std::string>& addresses) {
  shell("ip link set lo up");
  for (const std::string& a : addresses) {
    shell("ip address add " + a + (a.find(':') != std::string::npos ? "/128 dev lo nodad" : "/32 dev lo"));
  }
  shell("ip route add default dev lo");
  // IPv6 sends nothing to others by `lo`: answers to a stranger end in a pair of interfaces.
  shell("ip link add out0 type veth peer name out1");
  shell("ip link set out0 up");
  shell("ip link set out1 up");
  shell("ip -6 route add default dev out0");
}

inline Socket bound(int type, const std::string& address, std::uint16_t port) {
  const SocketAddress to(address, port);
  Socket s(socket(to.storage.ss_family, type, 0));
  const int on = 1;
  setsockopt(s.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  EXPECT_EQ(bind(s.fd(), to.get(), to.length), 0) << address << " " << strerror(errno);
  return s;
}

inline Socket listening(const std::string& address, std::uint16_t port) {
  Socket s = bound(SOCK_STREAM, address, port);
  EXPECT_EQ(listen(s.fd(), 16), 0);
  return s;
}

inline bool wait_for_state(const Socket& s, int state) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (std::chrono::steady_clock::now() < deadline) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(s.fd(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == state) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

/// Both ends of a connection from `client`:`port` to a listener.
struct Connection {
  Socket client;
  Socket server;

  Connection(const Socket& listener, const std::string& from, std::uint16_t port, const std::string& vip,
             std::uint16_t vip_port)
      : client(bound(SOCK_STREAM, from, port)) {
    const SocketAddress to(vip, vip_port);
    EXPECT_EQ(connect(client.fd(), to.get(), to.length), 0) << strerror(errno);
    server = Socket(accept(listener.fd(), nullptr, nullptr));
    EXPECT_GE(server.fd(), 0);
  }
};

/// Sends an IP packet with our own header to a local address, as if it came from outside.
inline void inject(const Bytes& packet, const std::string& to) {
  const bool v6 = to.find(':') != std::string::npos;
  const Socket raw(socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW));
  const SocketAddress address(to, 0);
  ASSERT_EQ(sendto(raw.fd(), packet.data(), packet.size(), 0, address.get(), address.length),
            static_cast<ssize_t>(packet.size()))
      << strerror(errno);
}

/// Puts in the checksum of a TCP packet that the kernel is to accept.
inline Bytes with_tcp_checksum(Bytes packet) {
  const bool v6 = packet[0] >> 4 == 6;
  const std::size_t header = v6 ? 40 : 20;
  const std::size_t length = packet.size() - header;
  const be16 tail[2] = {be16(static_cast<std::uint16_t>(length)), be16(6)};
  std::uint64_t sum = checksum_add(0, packet.data() + (v6 ? 8 : 12), v6 ? 32 : 8);
  sum = checksum_add(sum, tail, sizeof tail);
  const be16 value = checksum_finish(checksum_add(sum, packet.data() + header, length));
  std::memcpy(packet.data() + header + 16, &value, 2);
  return packet;
}

}  // namespace penstock
