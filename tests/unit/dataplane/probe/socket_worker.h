// A worker that sends and hears own traffic by a packet socket on an interface, on a thread of its own: what
// dataplane/dpdk does, without EAL.
#pragma once

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <thread>

#include "dataplane/own/own_traffic.h"
#include "penstock/base/clock.h"

namespace penstock {

class SocketWorker {
 public:
  /// In the calling thread's network namespace.
  SocketWorker(const char* interface, OwnWorker& end) : end_(end) {
    fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    thread_ = std::thread([this] { run(); });
  }
  ~SocketWorker() {
    stopping_ = true;
    thread_.join();
    close(fd_);
  }
  SocketWorker(const SocketWorker&) = delete;
  SocketWorker& operator=(const SocketWorker&) = delete;

  std::atomic<bool> stands_still{false};

 private:
  void run() {
    while (!stopping_) {
      pollfd incoming{fd_, POLLIN, 0};
      const timespec pause{0, 200'000};
      ppoll(&incoming, 1, &pause, nullptr);
      if (stands_still) continue;
      const Nanoseconds began = monotonic_now();
      std::array<std::uint8_t, 2048> frame;
      for (;;) {
        sockaddr_ll from{};
        socklen_t size = sizeof from;
        const ssize_t n =
            recvfrom(fd_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (n < 0) break;
        if (from.sll_pkttype != PACKET_OUTGOING) end_.take(frame.data(), static_cast<std::size_t>(n), began);
      }
      end_.polled(began, true);
      for (OutRing* ring : end_.out()) send_waiting(*ring);
    }
  }
  void send_waiting(OutRing& ring) {
    const std::size_t count = ring.waiting();
    for (std::size_t i = 0; i < count; ++i) {
      const OutFrame& frame = ring.waiting_frame(i);
      // A veth whose peer is down says ENOBUFS; a NIC would say nothing.
      const ssize_t n = send(fd_, frame.bytes.data(), frame.length, 0);
      const bool left = n == static_cast<ssize_t>(frame.length) || errno == ENOBUFS;
      ring.set_sent(i, left ? monotonic_now() : Nanoseconds());
    }
    ring.done(count);
  }

  OwnWorker& end_;
  int fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace penstock
