#include "bpf/agent/telemetry/listeners.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "penstock/net/byteorder.h"

namespace penstock {
namespace {

struct Question {
  nlmsghdr header;
  inet_diag_req_v2 request;
};

IpAddr address_of(const inet_diag_msg& message) {
  if (message.idiag_family == AF_INET6) {
    Ipv6Addr v6;
    std::memcpy(v6.bytes.data(), message.id.idiag_src, 16);
    return v6;
  }
  Ipv4Addr v4;
  std::memcpy(v4.bytes.data(), message.id.idiag_src, 4);
  return v4;
}

bool is_every_address(const IpAddr& address) {
  for (std::size_t i = 0; i < (address.is_v6() ? 16U : 4U); ++i) {
    if (address.data()[i] != 0) return false;
  }
  return true;
}

Listener to_listener(const nlmsghdr& header) {
  const auto& message = *static_cast<const inet_diag_msg*>(NLMSG_DATA(&header));
  Listener listener;
  listener.cookie = std::uint64_t{message.id.idiag_cookie[1]} << 32 | message.id.idiag_cookie[0];
  listener.address = address_of(message);
  listener.is_v6 = message.idiag_family == AF_INET6;
  listener.port = be16::from_raw(message.id.idiag_sport).host();
  listener.queue = message.idiag_rqueue;
  listener.limit = message.idiag_wqueue;
  auto left = static_cast<int>(header.nlmsg_len - NLMSG_LENGTH(sizeof message));
  const auto* attribute = reinterpret_cast<const rtattr*>(&message + 1);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    const auto* memory = static_cast<const std::uint32_t*>(RTA_DATA(attribute));
    if (attribute->rta_type == INET_DIAG_SKMEMINFO &&
        RTA_PAYLOAD(attribute) >= (SK_MEMINFO_DROPS + 1) * sizeof *memory) {
      listener.drops = memory[SK_MEMINFO_DROPS];
    }
  }
  return listener;
}

Error failure(const char* what) {
  return unavailable(std::string("dropped connection requests and accept queues are not measured: ") + what +
                     ": " + std::strerror(errno));
}

}  // namespace

bool Listener::serves(const VipKey& service) const {
  if (port != service.port) return false;
  if (address == service.vip) return true;
  return is_every_address(address) && (is_v6 || !service.vip.is_v6());
}

Result<ListenerQuery> ListenerQuery::open() {
  FileDescriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket.valid()) return failure("cannot open a NETLINK_SOCK_DIAG socket");
  return ListenerQuery(std::move(socket));
}

Status ListenerQuery::ask(int family, std::vector<Listener>& listeners) {
  Question question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.request.sdiag_family = static_cast<std::uint8_t>(family);
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1);
  question.request.idiag_states = 1 << TCP_LISTEN;
  if (send(socket_.get(), &question, sizeof question, 0) != sizeof question) return failure("cannot ask");
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return failure("no answer");
    auto left = static_cast<unsigned>(size);
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return Ok{};
      if (header->nlmsg_type == NLMSG_ERROR) {
        errno = -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
        return failure("refused");
      }
      if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg))) listeners.push_back(to_listener(*header));
    }
  }
}

Result<std::vector<Listener>> ListenerQuery::all() {
  std::vector<Listener> listeners;
  for (const int family : {AF_INET, AF_INET6}) {
    if (auto asked = ask(family, listeners); !asked) return asked.error();
  }
  return listeners;
}

}  // namespace penstock
