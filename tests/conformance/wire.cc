#include "tests/conformance/wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace penstock::conformance {
namespace {

constexpr std::size_t kLongestFrame = 16384;
constexpr int kReceiveBuffer = 8 << 20;

[[noreturn]] void fail(const std::string& step) {
  throw std::runtime_error(step + ": " + std::strerror(errno));
}

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

// One queue, so that nothing hashes past the gateway; no IPv6, so that the kernel says nothing by itself.
void make_interfaces() {
  if (unshare(CLONE_NEWNET) != 0) fail("a network namespace");
  shell("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
  shell(
      "ip link add gw0 mtu 9800 numrxqueues 1 numtxqueues 1 type veth peer name wire0 mtu 9800 numrxqueues 1 "
      "numtxqueues 1");
  shell("ip link set lo up && ip link set gw0 up && ip link set wire0 up");
}

// The tag that the kernel took off, put back.
void restore_tag(Bytes& frame, msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata aux;
    std::memcpy(&aux, CMSG_DATA(c), sizeof aux);
    if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0) continue;
    const std::uint16_t kind =
        (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? aux.tp_vlan_tpid : ETH_P_8021Q;
    const std::uint16_t tag[2] = {htons(kind), htons(aux.tp_vlan_tci)};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(tag);
    frame.insert(frame.begin() + 2 * ETH_ALEN, bytes, bytes + sizeof tag);
  }
}

}  // namespace

Wire::Wire() {
  make_interfaces();
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  const int on = 1;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex("wire0"));
  if (fd_ < 0 || setsockopt(fd_, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) != 0 ||
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0 ||
      bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("a raw socket on wire0");
  }
}

Wire::~Wire() { close(fd_); }

void Wire::send(const Bytes& frame) const {
  if (write(fd_, frame.data(), frame.size()) != static_cast<ssize_t>(frame.size())) {
    fail("sending " + std::to_string(frame.size()) + " bytes");
  }
}

Bytes Wire::receive(int timeout_ms) const {
  pollfd readable{fd_, POLLIN, 0};
  if (poll(&readable, 1, timeout_ms) <= 0) return {};
  Bytes frame(kLongestFrame);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
  iovec part{frame.data(), frame.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd_, &message, 0);
  if (n < 0) fail("receiving");
  frame.resize(static_cast<std::size_t>(n));
  restore_tag(frame, message);
  return frame;
}

}  // namespace penstock::conformance
