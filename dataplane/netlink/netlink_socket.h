// rtnetlink (RFC 3549, rtnetlink(7)) at the level this program needs: build a request, visit the answers,
// listen to a group. Parsing trusts no length that the kernel sends.
//
// One thread per socket. Errors: kUnavailable with errno's text.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <span>
#include <vector>

#include "penstock/base/result.h"

namespace penstock {

/// A request under construction: header, family header, attributes, padded as netlink(7) wants it.
class NetlinkRequest {
 public:
  template <class FamilyHeader>
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const FamilyHeader& family)
      : bytes_(NLMSG_LENGTH(sizeof family)) {
    header().nlmsg_type = type;
    header().nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
    std::memcpy(bytes_.data() + NLMSG_HDRLEN, &family, sizeof family);
    seal();
  }

  NetlinkRequest& attribute(std::uint16_t type, const void* data, std::size_t size);
  NetlinkRequest& sequence(std::uint32_t number) {
    header().nlmsg_seq = number;
    return *this;
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  void seal() {
    header().nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  std::vector<std::uint8_t> bytes_;
};

/// The attributes of one message (or of one nested attribute), by type. Views into the message.
class NetlinkAttributes {
 public:
  static constexpr std::size_t kMaxType = 64;

  NetlinkAttributes(const void* data, std::size_t size);

  /// Attributes behind a message's family header; none when the message is too short for it.
  template <class FamilyHeader>
  static NetlinkAttributes of(const nlmsghdr& message) {
    const std::size_t skip = NLMSG_SPACE(sizeof(FamilyHeader));
    if (message.nlmsg_len < skip) return {nullptr, 0};
    return {reinterpret_cast<const std::uint8_t*>(&message) + skip, message.nlmsg_len - skip};
  }

  /// The payload, empty when absent.
  [[nodiscard]] std::span<const std::uint8_t> operator[](std::uint16_t type) const {
    return type < kMaxType ? values_[type] : std::span<const std::uint8_t>{};
  }
  [[nodiscard]] std::uint32_t u32(std::uint16_t type) const;  // 0 when absent or of another size

 private:
  std::span<const std::uint8_t> values_[kMaxType];
};

/// The family header of a message, or null when the message is too short to hold one.
template <class FamilyHeader>
const FamilyHeader* family_header(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(FamilyHeader))) return nullptr;
  return reinterpret_cast<const FamilyHeader*>(reinterpret_cast<const std::uint8_t*>(&message) +
                                               NLMSG_HDRLEN);
}

using NetlinkVisitor = std::function<void(const nlmsghdr&)>;

class NetlinkSocket {
 public:
  /// `groups` are RTNLGRP_* numbers. The socket belongs to the network namespace of the calling thread.
  static Result<NetlinkSocket> open(std::initializer_list<unsigned> groups);
  NetlinkSocket(NetlinkSocket&& other) noexcept;
  NetlinkSocket& operator=(NetlinkSocket&&) = delete;
  ~NetlinkSocket();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] Status send(std::span<const std::uint8_t> messages);

  /// Asks for the whole table of `type` and visits every row.
  Status dump(std::uint16_t type, std::uint8_t family, const NetlinkVisitor& visit);

  /// Waits for answers until `count` of them (rows or errors) were visited; each request yields exactly one.
  Status collect(std::size_t count, const NetlinkVisitor& visit);

  /// Visits what has arrived, without waiting. False: events were lost (the kernel's queue for us overran),
  /// so tables must be dumped again.
  Result<bool> drain(const NetlinkVisitor& visit);

 private:
  explicit NetlinkSocket(int fd) : fd_(fd), buffer_(64 * 1024) {}
  /// Bytes received; 0 when nothing is there (without `wait`) or events were lost (`lost` is set).
  Result<std::size_t> receive(bool wait, bool& lost);

  int fd_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace penstock
