// Two network namespaces joined by a veth pair: this process is moved into one ("gateway", interface gw0,
// 10.77.0.1/24), the other holds the neighbour (interface peer0, 10.77.0.2/24). Both vanish with their
// processes.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "tests/unit/dataplane/process/frames.h"

namespace penstock {

inline bool shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

class TwoHosts {
 public:
  TwoHosts() {
    if (unshare(CLONE_NEWNET) != 0) return;
    int ready[2];
    if (pipe(ready) != 0) return;
    peer_ = fork();
    if (peer_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const char byte = unshare(CLONE_NEWNET) == 0 ? 1 : 0;
      [[maybe_unused]] const auto n = write(ready[1], &byte, 1);
      for (;;) pause();
    }
    char byte = 0;
    [[maybe_unused]] const auto n = read(ready[0], &byte, 1);
    close(ready[0]);
    close(ready[1]);
    const std::string pid = std::to_string(peer_);
    up_ = byte == 1 && shell("ip link set lo up") &&
          shell(
              "ip link add gw0 mtu 1600 numrxqueues 1 numtxqueues 1 type veth peer name peer0 mtu 1600 "
              "numrxqueues 1 "
              "numtxqueues 1 netns " +
              pid) &&
          shell(
              "ip addr add 10.77.0.1/24 dev gw0 && ip addr add fd77::1/64 dev gw0 nodad && ip link set gw0 "
              "up") &&
          on_peer(
              "ip link set lo up && ip addr add 10.77.0.2/24 dev peer0 && ip addr add fd77::2/64 dev peer0 "
              "nodad "
              "&& ip link set peer0 up && ethtool -K peer0 tx off");
  }
  ~TwoHosts() {
    if (peer_ <= 0) return;
    kill(peer_, SIGKILL);
    waitpid(peer_, nullptr, 0);
    shell("ip link del gw0");
  }
  TwoHosts(const TwoHosts&) = delete;
  TwoHosts& operator=(const TwoHosts&) = delete;

  [[nodiscard]] bool up() const { return up_; }
  bool on_peer(const std::string& command) const {
    return shell("nsenter -t " + std::to_string(peer_) + " -n sh -c '" + command + "'");
  }
  /// Runs `action` on a thread inside the peer's namespace.
  void inside_peer(const std::function<void()>& action) const {
    std::thread([&] {
      const int ns = open(("/proc/" + std::to_string(peer_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_EQ(setns(ns, CLONE_NEWNET), 0);
      close(ns);
      action();
    }).join();
  }

 private:
  pid_t peer_ = -1;
  bool up_ = false;
};

inline MacAddr mac_of_interface(const std::string& name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(ioctl(fd, SIOCGIFHWADDR, &request), 0) << name;
  close(fd);
  MacAddr mac;
  std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, 6);
  return mac;
}

/// A raw socket on peer0.
class PeerWire {
 public:
  explicit PeerWire(const TwoHosts& hosts) {
    hosts.inside_peer([this] {
      fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
      sockaddr_ll address{};
      address.sll_family = AF_PACKET;
      address.sll_protocol = htons(ETH_P_ALL);
      address.sll_ifindex = static_cast<int>(if_nametoindex("peer0"));
      ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
      mac = mac_of_interface("peer0");
    });
  }
  ~PeerWire() { close(fd_); }
  PeerWire(const PeerWire&) = delete;
  PeerWire& operator=(const PeerWire&) = delete;

  void send(const Frame& frame) const {
    ASSERT_EQ(write(fd_, frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  }
  /// The next frame that `wanted` accepts, or nothing after the time has passed.
  std::optional<Frame> receive(const std::function<bool(const Frame&)>& wanted, double seconds) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < deadline) {
      pollfd readable{fd_, POLLIN, 0};
      if (poll(&readable, 1, 10) <= 0) continue;
      Frame frame(4096);
      const ssize_t n = read(fd_, frame.data(), frame.size());
      if (n <= 0) continue;
      frame.resize(static_cast<std::size_t>(n));
      if (wanted(frame)) return frame;
    }
    return std::nullopt;
  }

  MacAddr mac;

 private:
  int fd_ = -1;
};

}  // namespace penstock
